/**
 * Second moments of the scores of an embedding. The score of an example has a row for every index in it, the sum of the gradients at the
 * places where the index stands, and zeros elsewhere:
 *
 *     S[i] = 1/N sum_n (sum_{r: index_nr = i} g_nr)^2
 */
import type { FloatArray } from '../../linalg/jobs';
import type { AverageStep, Statistics } from '../block';
import type { Phase } from '../phases';
import { like } from '../shared/rowCopies';

/** Phases for `out = decay out + scale S`, `out` being [indices, columns of g]. */
export function indexedMoment(
  { examples, activations, passes }: Statistics,
  { decay, scale }: AverageStep,
  out: FloatArray,
): Phase[] {
  const uses = activations!.map((activation) => (activation as { indices: Int32Array }).indices);
  const divisible = uses.every(({ length }) => length % examples === 0);
  const sum = like(out, out.length);
  for (const { weight, gradientScale, outputGradients } of passes) {
    const share = (weight * gradientScale ** 2) / examples;
    const width = outputGradients![0].columns;
    const add = (scores: Map<number, Float64Array>) => {
      for (const [index, score] of scores) {
        for (let j = 0; j < width; j++) sum[index * width + j] += share * score[j] * score[j];
      }
    };
    const collect = (scores: Map<number, Float64Array>, use: number, row: number) => {
      const index = uses[use][row];
      let score = scores.get(index);
      if (!score) scores.set(index, (score = new Float64Array(width)));
      for (let j = 0; j < width; j++) score[j] += outputGradients![use].data[row * width + j];
    };
    if (divisible) {
      for (let n = 0; n < examples; n++) {
        const scores = new Map<number, Float64Array>();
        uses.forEach(({ length }, use) => {
          const rows = length / examples;
          for (let row = n * rows; row < (n + 1) * rows; row++) collect(scores, use, row);
        });
        add(scores);
      }
    } else {
      // Rows that cannot be told apart by example each count as one.
      uses.forEach(({ length }, use) => {
        for (let row = 0; row < length; row++) {
          const scores = new Map<number, Float64Array>();
          collect(scores, use, row);
          add(scores);
        }
      });
    }
  }
  const terms = [
    { data: out, scale: decay },
    { data: sum, scale },
  ];
  return [{ jobs: [{ op: 'combine', terms, out }] }];
}
