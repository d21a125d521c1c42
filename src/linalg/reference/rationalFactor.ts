import type { RationalFactorJob, Report } from '../jobs';
import { allFinite } from './dense';
import { RationalFunction } from './rational';
import { failure, report } from './report';

/** Second moments of the scores of every example with respect to the coefficients, group by group. */
export function rationalFactor(job: RationalFactorJob): Report {
  const { inputs, examples, groups, inner, numeratorSize, denominatorSize, decay, scale, factors } = job;
  if (inputs.some(({ activation, gradient }) => !allFinite(activation) || !allFinite(gradient))) {
    return failure('notFinite');
  }
  const size = numeratorSize + denominatorSize;
  const derivatives = new Float64Array(size);
  for (let group = 0; group < groups; group++) {
    const scores = new Float64Array(examples * size);
    for (const { activation, gradient, noise, ...coefficients } of inputs) {
      const noised = (values: ArrayLike<number>, count: number, offset: number) =>
        Float64Array.from(
          { length: count },
          (_, k) => values[group * count + k] * (noise?.[group * size + offset + k] ?? 1),
        );
      const y = new RationalFunction(
        job.version,
        noised(coefficients.numerator, numeratorSize, 0),
        noised(coefficients.denominator, denominatorSize, numeratorSize),
      );
      const perExample = activation.length / (groups * inner) / examples;
      for (let row = 0; row < perExample * examples; row++) {
        const score = scores.subarray(Math.floor(row / perExample) * size);
        for (let i = (row * groups + group) * inner, end = i + inner; i < end; i++) {
          y.differentiate(activation[i], derivatives);
          for (let k = 0; k < size; k++) {
            score[k] += gradient[i] * derivatives[k] * (noise?.[group * size + k] ?? 1);
          }
        }
      }
    }
    for (let i = 0; i < size; i++) {
      for (let j = 0; j <= i; j++) {
        let moment = 0;
        for (let n = 0; n < examples; n++) moment += scores[n * size + i] * scores[n * size + j];
        const at = (group * size + i) * size + j;
        factors[at] = (decay === 0 ? 0 : decay * factors[at]) + scale * moment;
      }
    }
  }
  return report();
}
