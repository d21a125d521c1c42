import type { FloatArray } from '../linalg/jobs';
import type { Likelihood, Outputs } from './likelihood';
import type { RandomStream } from './random';

/**
 * `columns` independent yes-or-no answers per row with p = sigmoid(f).
 *
 *     -log p(y|f) = sum log(1 + exp f) - y f,  s = p - y,  H = diag(p (1 - p)),  B = diag(sqrt(p (1 - p)))
 *
 * This is the sum over the columns. A loss that averages its columns, as `binaryCrossentropy` does, is 1/columns of it: give
 * that as the head's `scale`.
 */
export const bernoulli: Likelihood = {
  distribution: 'bernoulli',
  needs: 'parametersOrProbabilities',

  factorColumns: (columns) => columns,

  sample(outputs: Outputs, random: RandomStream, out: Float32Array): void {
    const size = outputs.rows * outputs.columns;
    for (let at = 0; at < size; at++) {
      const p = probabilityAt(outputs, at);
      out[at] = p - (random.uniform() < p ? 1 : 0);
    }
  },

  factorColumn(outputs: Outputs, column: number, out: Float32Array): void {
    out.fill(0, 0, outputs.rows * outputs.columns);
    for (let row = 0; row < outputs.rows; row++) {
      const at = row * outputs.columns + column;
      out[at] = Math.sqrt(varianceAt(outputs, at));
    }
  },

  outputFisher(outputs: Outputs, row: number): Float64Array {
    const { columns } = outputs;
    const fisher = new Float64Array(columns * columns);
    for (let i = 0; i < columns; i++) fisher[i * columns + i] = varianceAt(outputs, row * columns + i);
    return fisher;
  },

  multiplyFactorTransposed(outputs: Outputs, vectors: FloatArray, out: FloatArray): void {
    for (let at = 0; at < outputs.rows * outputs.columns; at++) {
      out[at] = Math.sqrt(varianceAt(outputs, at)) * vectors[at];
    }
  },

  multiplyFisher(outputs: Outputs, vectors: FloatArray, out: FloatArray): void {
    for (let at = 0; at < outputs.rows * outputs.columns; at++)
      out[at] = varianceAt(outputs, at) * vectors[at];
  },

  /** sum p log(p / q) + (1 - p) log((1 - p) / (1 - q)) */
  divergence(from: Outputs, to: Outputs): Float64Array {
    const sums = new Float64Array(from.rows);
    for (let at = 0; at < from.rows * from.columns; at++) {
      const [p, q] = [probabilityAt(from, at), probabilityAt(to, at)];
      const row = Math.floor(at / from.columns);
      if (p > 0) sums[row] += p * Math.log(p / q);
      if (p < 1) sums[row] += (1 - p) * Math.log((1 - p) / (1 - q));
    }
    return sums;
  },
};

function probabilityAt({ parameters, probabilities }: Outputs, at: number): number {
  return probabilities ? probabilities[at] : 1 / (1 + Math.exp(-parameters![at]));
}

function varianceAt(outputs: Outputs, at: number): number {
  const p = probabilityAt(outputs, at);
  return p * (1 - p);
}
