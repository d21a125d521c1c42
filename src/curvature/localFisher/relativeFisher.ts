/**
 * The Fisher information of one unit about its own pre-activation z, given its input: what a unit knows of its layer without any
 * gradient (Sun & Nielsen, "Relative Fisher information and natural gradient for learning large modular models", ICML 2017, section 4).
 *
 *     linear 1      sigmoid s(1 - s)      tanh 1 - f^2      softmax p (1 - p)      elu (a = 1): 1 for z >= 0, e^2z below
 *     rectifier of slope b below zero: (b + (1 - b) s((1 - b) z))^2, which is s(z)^2 for ReLU
 *
 * with s the logistic function. A hard sigmoid counts as the sigmoid that it stands for, f (1 - f).
 */
import type { Response } from '../block';

/**
 * The mean over all rows of all uses of each output's relative Fisher information, [outputs].
 *
 * @param uses per use of the layer the functions that its outputs go through
 * @param rows per use how many rows it has
 * @param weights per use what each of its rows counts; by default all count alike
 */
export function meanRelativeFisher(
  uses: Response[][],
  rows: number[],
  outputs: number,
  weights: (Float32Array | undefined)[] = [],
): Float64Array {
  const totals = rows.map((count, use) => weights[use]?.reduce((sum, weight) => sum + weight, 0) ?? count);
  const sums = new Float64Array(outputs);
  uses.forEach((responses, use) => {
    for (const { kind, begin, size, values, slope = 0 } of responses) {
      if (kind === 'linear') {
        for (let j = 0; j < size; j++) sums[begin + j] += totals[use];
        continue;
      }
      const information = informationOf(kind, slope);
      for (let r = 0, i = 0; r < rows[use]; r++) {
        const weight = weights[use]?.[r] ?? 1;
        for (let j = 0; j < size; j++, i++) {
          if (weight > 0) sums[begin + j] += weight * information(values![i]);
        }
      }
    }
  });
  const total = totals.reduce((sum, count) => sum + count, 0);
  return sums.map((sum) => sum / total);
}

/** Of what the response keeps: z for a rectifier, 0.2 z + 0.5 for a hard sigmoid, f(z) for the others. */
function informationOf(kind: Exclude<Response['kind'], 'linear'>, slope: number): (value: number) => number {
  switch (kind) {
    case 'rectifier':
      return (z) => (slope + (1 - slope) / (1 + Math.exp((slope - 1) * z))) ** 2;
    case 'elu':
      return (f) => (f >= 0 ? 1 : (f + 1) ** 2);
    case 'tanh':
      return (f) => 1 - f * f;
    case 'sigmoid':
    case 'softmax':
      return (f) => f * (1 - f);
    case 'hardSigmoid':
      return (y) => (y <= 0 || y >= 1 ? 0 : y * (1 - y));
  }
}
