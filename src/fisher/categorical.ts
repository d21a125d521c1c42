import type { FloatArray } from '../linalg/jobs';
import type { Likelihood, Outputs } from './likelihood';
import type { RandomStream } from './random';

/**
 * One of `columns` classes per row with p = softmax(f).
 *
 * With e_y the one-hot vector of class y:
 *
 *     -log p(y|f) = log sum exp f - f_y,  s = p - e_y,  H = diag(p) - p p',  B = diag(sqrt p) - p sqrt(p)'
 *
 * and B B' = diag(p) - p p' because sqrt(p)'sqrt(p) = 1 (J. Martens and R. Grosse, "Optimizing neural networks with
 * Kronecker-factored approximate curvature", 2015; N. Schraudolph, "Fast curvature matrix-vector products", 2002).
 */
export const categorical: Likelihood = {
  distribution: 'categorical',
  needs: 'parametersOrProbabilities',

  factorColumns: (columns) => columns,

  sample(outputs: Outputs, random: RandomStream, out: Float32Array): void {
    const p = new Float64Array(outputs.columns);
    for (let row = 0; row < outputs.rows; row++) {
      probabilitiesOf(outputs, row, p);
      const label = drawClass(p, random.uniform());
      const begin = row * outputs.columns;
      for (let i = 0; i < p.length; i++) out[begin + i] = p[i] - (i === label ? 1 : 0);
    }
  },

  factorColumn(outputs: Outputs, column: number, out: Float32Array): void {
    const p = new Float64Array(outputs.columns);
    for (let row = 0; row < outputs.rows; row++) {
      probabilitiesOf(outputs, row, p);
      const root = Math.sqrt(p[column]);
      const begin = row * outputs.columns;
      for (let i = 0; i < p.length; i++) out[begin + i] = ((i === column ? 1 : 0) - p[i]) * root;
    }
  },

  outputFisher(outputs: Outputs, row: number): Float64Array {
    const p = new Float64Array(outputs.columns);
    probabilitiesOf(outputs, row, p);
    return Float64Array.from({ length: p.length * p.length }, (_, at) => {
      const i = Math.floor(at / p.length);
      const j = at % p.length;
      return (i === j ? p[i] : 0) - p[i] * p[j];
    });
  },

  /** B'u = sqrt(p) (u - p'u), elementwise */
  multiplyFactorTransposed(outputs: Outputs, vectors: FloatArray, out: FloatArray): void {
    centred(outputs, vectors, out, Math.sqrt);
  },

  /** H u = p (u - p'u), elementwise */
  multiplyFisher(outputs: Outputs, vectors: FloatArray, out: FloatArray): void {
    centred(outputs, vectors, out, (p) => p);
  },

  /** sum p (log p - log q) */
  divergence(from: Outputs, to: Outputs): Float64Array {
    const [p, q] = [new Float64Array(from.columns), new Float64Array(from.columns)];
    return Float64Array.from({ length: from.rows }, (_, row) => {
      probabilitiesOf(from, row, p);
      probabilitiesOf(to, row, q);
      return p.reduce((sum, value, i) => (value > 0 ? sum + value * Math.log(value / q[i]) : sum), 0);
    });
  },
};

/** weight(p) (u - p'u) for every row */
function centred(
  outputs: Outputs,
  vectors: FloatArray,
  out: FloatArray,
  weight: (p: number) => number,
): void {
  const p = new Float64Array(outputs.columns);
  for (let row = 0; row < outputs.rows; row++) {
    probabilitiesOf(outputs, row, p);
    const begin = row * p.length;
    let mean = 0;
    for (let i = 0; i < p.length; i++) mean += p[i] * vectors[begin + i];
    for (let i = 0; i < p.length; i++) out[begin + i] = weight(p[i]) * (vectors[begin + i] - mean);
  }
}

/** Writes the class probabilities of one row, which sum to 1 within float64, to `p`. */
function probabilitiesOf(outputs: Outputs, row: number, p: Float64Array): void {
  const { parameters, probabilities, columns } = outputs;
  const begin = row * columns;
  let total = 0;
  if (probabilities) {
    for (let i = 0; i < columns; i++) total += p[i] = probabilities[begin + i];
  } else {
    // The largest logit is taken off first, so that no exponential overflows and the sum is at least 1.
    let largest = -Infinity;
    for (let i = 0; i < columns; i++) largest = Math.max(largest, parameters![begin + i]);
    for (let i = 0; i < columns; i++) total += p[i] = Math.exp(parameters![begin + i] - largest);
  }
  for (let i = 0; i < columns; i++) p[i] /= total;
}

/** Inverts the cumulative distribution at `uniform`, which is at most 1 - 2^-32 and so below the rounded sum of all of `p`. */
function drawClass(p: Float64Array, uniform: number): number {
  let cumulative = 0;
  for (let i = 0; i < p.length; i++) {
    cumulative += p[i];
    if (uniform < cumulative) return i;
  }
  // Only a row that is not a number comes here, and it stays that whatever the class.
  return p.length - 1;
}
