import { NatgradError } from '../errors';
import type { FloatArray } from '../linalg/jobs';
import type { Likelihood, Outputs } from './likelihood';
import type { RandomStream } from './random';

export interface GaussianOptions {
  /**
   * Variance of every output element, positive. Default: half the number of columns K, which makes -log p the mean over K of
   * the squared errors that tfjs's `meanSquaredError` computes. Half squared error is variance 1, summed squared error 0.5.
   */
  variance?: number;
}

/**
 * A normal distribution N(f, variance I) per row, whose variance is fixed.
 *
 *     -log p(y|f) = |f - y|^2 / (2 variance) + constant,  s = (f - y) / variance,  H = I / variance,  B = I / sqrt(variance)
 *
 * so that y = f - sqrt(variance) e with standard normal e gives s = e / sqrt(variance).
 *
 * @throws NatgradError ERR_NATGRAD_ARGUMENT if `variance` is not a positive number
 */
export function gaussian({ variance }: GaussianOptions = {}): Likelihood {
  if (variance !== undefined && !(Number.isFinite(variance) && variance > 0)) {
    throw new NatgradError('ERR_NATGRAD_ARGUMENT', `variance is ${variance}; give a positive number.`);
  }
  const precision = (columns: number): number => 1 / (variance ?? columns / 2);

  return {
    distribution: 'gaussian',
    needs: 'shape',

    factorColumns: (columns) => columns,

    sample(outputs: Outputs, random: RandomStream, out: Float32Array): void {
      const root = Math.sqrt(precision(outputs.columns));
      const size = outputs.rows * outputs.columns;
      for (let at = 0; at < size; at++) out[at] = root * random.normal();
    },

    factorColumn(outputs: Outputs, column: number, out: Float32Array): void {
      const root = Math.sqrt(precision(outputs.columns));
      out.fill(0, 0, outputs.rows * outputs.columns);
      for (let row = 0; row < outputs.rows; row++) out[row * outputs.columns + column] = root;
    },

    outputFisher({ columns }: Outputs): Float64Array {
      const fisher = new Float64Array(columns * columns);
      for (let i = 0; i < columns; i++) fisher[i * columns + i] = precision(columns);
      return fisher;
    },

    multiplyFactorTransposed(outputs: Outputs, vectors: FloatArray, out: FloatArray): void {
      const root = Math.sqrt(precision(outputs.columns));
      for (let at = 0; at < outputs.rows * outputs.columns; at++) out[at] = root * vectors[at];
    },

    multiplyFisher(outputs: Outputs, vectors: FloatArray, out: FloatArray): void {
      const factor = precision(outputs.columns);
      for (let at = 0; at < outputs.rows * outputs.columns; at++) out[at] = factor * vectors[at];
    },
  };
}
