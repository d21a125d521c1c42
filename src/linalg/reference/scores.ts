import type { Report, ScoresJob, UnitFactorsJob } from '../jobs';
import { allFinite } from './dense';
import { failure, report } from './report';
import { explicitRows } from './rows';

/** Per example the sum over its rows of `[x; 1] g'`. */
export function scores(job: ScoresJob): Report {
  const { outputGradient, examples, homogeneous, scale, keep, out } = job;
  if (out.length === 0) return report();
  const { values, rows, columns } = explicitRows(job.activation);
  const outputs = outputGradient.columns;
  const size = columns + Number(homogeneous);
  const perExample = examples === 0 ? 0 : rows / examples;
  for (let n = 0; n < examples; n++) {
    const score = new Float64Array(size * outputs);
    for (let r = n * perExample; r < (n + 1) * perExample; r++) {
      for (let i = 0; i < size; i++) {
        const x = i === columns ? 1 : values[r * columns + i];
        for (let j = 0; j < outputs; j++) score[i * outputs + j] += x * outputGradient.data[r * outputs + j];
      }
    }
    const to = out.subarray(n * score.length, (n + 1) * score.length);
    for (let i = 0; i < to.length; i++) to[i] = scale * score[i] + (keep === 0 ? 0 : keep * to[i]);
  }
  return report();
}

/** Per unit j the second moment of the rows `[x; 1]` weighted with `g_j^2`, into a moving average. */
export function unitFactors(job: UnitFactorsJob): Report {
  const { inputs, homogeneous, decay, factors, size, count } = job;
  if (inputs.some((input) => !allFinite(input.data) || !allFinite(input.gradients)))
    return failure('notFinite');
  if (factors.length === 0) return report();
  const sums = new Float64Array(factors.length);
  for (const input of inputs) {
    const { values, rows, columns } = explicitRows(input);
    const x = (r: number, i: number) => (homogeneous && i === columns ? 1 : values[r * columns + i]);
    for (let r = 0; r < rows; r++) {
      for (let unit = 0; unit < count; unit++) {
        const weight = input.scale * input.gradients[r * count + unit] ** 2;
        for (let i = 0; i < size; i++) {
          for (let j = 0; j <= i; j++) sums[(unit * size + i) * size + j] += weight * x(r, i) * x(r, j);
        }
      }
    }
  }
  for (let unit = 0; unit < count; unit++) {
    for (let i = 0; i < size; i++) {
      for (let j = 0; j <= i; j++) {
        const at = (unit * size + i) * size + j;
        factors[at] = sums[at] + (decay === 0 ? 0 : decay * factors[at]);
      }
    }
  }
  return report();
}
