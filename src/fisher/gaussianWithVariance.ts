import { NatgradError } from '../errors';
import type { FloatArray } from '../linalg/jobs';
import type { Likelihood, Outputs } from './likelihood';
import type { RandomStream } from './random';

/**
 * A normal distribution per row whose variances are predicted too: of 2 C columns the first C are the means mu, the others the variances v
 * (not their logarithms), which must be positive.
 *
 *     -log p(y|f) = sum (mu - y)^2 / (2 v) + log(v) / 2 + constant,  H = diag(1 / v; 1 / (2 v^2)),  B = sqrt(H)
 *
 * and y = mu + sqrt(v) e with standard normal e gives the score s = (-e / sqrt(v); (1 - e^2) / (2 v)). H is the Fisher matrix; the Hessian
 * of -log p in f depends on y and has it as its expectation.
 */
export const gaussianWithVariance: Likelihood = {
  distribution: 'gaussianWithVariance',
  needs: 'parameters',

  factorColumns: (columns) => 2 * dimensionsOf(columns),

  sample(outputs: Outputs, random: RandomStream, out: Float32Array): void {
    const dimensions = dimensionsOf(outputs.columns);
    for (let row = 0; row < outputs.rows; row++) {
      for (let i = 0; i < dimensions; i++) {
        const at = row * outputs.columns + i;
        const variance = outputs.parameters![at + dimensions];
        const e = random.normal();
        out[at] = -e / Math.sqrt(variance);
        out[at + dimensions] = (1 - e * e) / (2 * variance);
      }
    }
  },

  factorColumn(outputs: Outputs, column: number, out: Float32Array): void {
    out.fill(0, 0, outputs.rows * outputs.columns);
    for (let row = 0; row < outputs.rows; row++) {
      out[row * outputs.columns + column] = Math.sqrt(fisherAt(outputs, row, column));
    }
  },

  outputFisher(outputs: Outputs, row: number): Float64Array {
    const { columns } = outputs;
    const fisher = new Float64Array(columns * columns);
    for (let i = 0; i < columns; i++) fisher[i * columns + i] = fisherAt(outputs, row, i);
    return fisher;
  },

  multiplyFactorTransposed(outputs: Outputs, vectors: FloatArray, out: FloatArray): void {
    eachFisher(outputs, (fisher, at) => (out[at] = Math.sqrt(fisher) * vectors[at]));
  },

  multiplyFisher(outputs: Outputs, vectors: FloatArray, out: FloatArray): void {
    eachFisher(outputs, (fisher, at) => (out[at] = fisher * vectors[at]));
  },

  /** sum (log(v2 / v1) + (v1 + (mu1 - mu2)^2) / v2 - 1) / 2 */
  divergence(from: Outputs, to: Outputs): Float64Array {
    const dimensions = dimensionsOf(from.columns);
    const [f, g] = [from.parameters!, to.parameters!];
    return Float64Array.from({ length: from.rows }, (_, row) => {
      let sum = 0;
      for (let at = row * from.columns; at < row * from.columns + dimensions; at++) {
        const [v1, v2] = [f[at + dimensions], g[at + dimensions]];
        sum += (Math.log(v2 / v1) + (v1 + (f[at] - g[at]) ** 2) / v2 - 1) / 2;
      }
      return sum;
    });
  },
};

/** Visits the diagonals of all rows' H. */
function eachFisher(outputs: Outputs, visit: (fisher: number, at: number) => void): void {
  const { rows, columns } = outputs;
  for (let at = 0; at < rows * columns; at++) {
    visit(fisherAt(outputs, Math.floor(at / columns), at % columns), at);
  }
}

/** NaN for a variance that is not positive, so that the batch is left out. */
function fisherAt({ parameters, columns }: Outputs, row: number, column: number): number {
  const dimensions = dimensionsOf(columns);
  const variance = parameters![row * columns + dimensions + (column % dimensions)];
  if (!(variance > 0)) return NaN;
  return column < dimensions ? 1 / variance : 1 / (2 * variance * variance);
}

function dimensionsOf(columns: number): number {
  if (columns % 2 === 0) return columns / 2;
  throw new NatgradError(
    'ERR_NATGRAD_SHAPE',
    `A 'gaussianWithVariance' output has ${columns} columns; give an even number, means first, then as many variances.`,
  );
}
