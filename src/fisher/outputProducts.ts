/** Products with the Fisher matrix of a network's outputs, H = B B', for every row of a head at once. */
import { NatgradError } from '../errors';
import type { FloatArray } from '../linalg/jobs';
import type { HeadValues } from './estimator';
import type { Likelihood } from './likelihood';

type Factor = Pick<Likelihood, 'factorColumns' | 'factorColumn'>;

/**
 * B'u per row, so that (B'u)'(B'w) = u'H w; the head's scale and the weights of its rows are in it.
 *
 * @param vectors u, [rows, columns]
 * @returns [rows, factorColumns]
 */
export function factorTransposedProduct(head: HeadValues, vectors: FloatArray): Float64Array {
  const { likelihood, rows, columns } = head;
  const width = likelihood.factorColumns(columns);
  const out = new Float64Array(rows * width);
  if (likelihood.multiplyFactorTransposed) likelihood.multiplyFactorTransposed(head, vectors, out);
  else {
    eachFactorColumn(head, likelihood, (column, values) => {
      for (let row = 0; row < rows; row++) {
        out[row * width + column] = rowDot(values, vectors, row * columns, columns);
      }
    });
  }
  return counted(out, head, Math.sqrt);
}

/**
 * H u per row; the head's scale and the weights of its rows are in it.
 *
 * @param vectors u, [rows, columns]
 * @returns [rows, columns]
 */
export function fisherProduct(head: HeadValues, vectors: FloatArray): Float64Array {
  const { likelihood, rows, columns } = head;
  const out = new Float64Array(rows * columns);
  if (likelihood.multiplyFisher) likelihood.multiplyFisher(head, vectors, out);
  else {
    eachFactorColumn(head, likelihood, (_, values) => {
      for (let begin = 0; begin < out.length; begin += columns) {
        const weight = rowDot(values, vectors, begin, columns);
        for (let i = begin; i < begin + columns; i++) out[i] += weight * values[i];
      }
    });
  }
  return counted(out, head, (share) => share);
}

/**
 * The sum over rows of the KL divergence from the distributions of `from` to those of `to`; the head's scale and the weights of its rows are in it.
 *
 * @param to values of the same head at other weights
 */
export function divergence(from: HeadValues, to: HeadValues): number {
  const { likelihood } = from;
  if (likelihood.divergence) {
    const rows = counted(likelihood.divergence(from, to), from, (share) => share);
    // A sum of divergences that are all but 0 may come out below it.
    return Math.max(
      rows.reduce((sum, value) => sum + value, 0),
      0,
    );
  }
  if (!from.parameters || !to.parameters) {
    throw new NatgradError(
      'ERR_NATGRAD_LIKELIHOOD',
      `The values of the '${likelihood.distribution}' output were released before the loss was there; mark the output with ` +
        '`observe(output, distribution)` inside the loss.',
    );
  }
  const after = to.parameters;
  const difference = Float64Array.from(from.parameters, (value, i) => after[i] - value);
  return factorTransposedProduct(from, difference).reduce((sum, value) => sum + value * value, 0) / 2;
}

function eachFactorColumn(
  head: HeadValues,
  likelihood: Factor,
  use: (column: number, values: Float32Array) => void,
): void {
  const values = new Float32Array(head.rows * head.columns);
  const count = likelihood.factorColumns(head.columns);
  for (let column = 0; column < count; column++) {
    likelihood.factorColumn(head, column, values);
    use(column, values);
  }
}

function rowDot(a: FloatArray, b: FloatArray, begin: number, length: number): number {
  let sum = 0;
  for (let i = begin; i < begin + length; i++) sum += a[i] * b[i];
  return sum;
}

/** Multiplies every row by a function of how much it counts: its weight times the scale. */
function counted(
  values: Float64Array,
  { rows, scale = 1, weights }: HeadValues,
  factorOf: (share: number) => number,
): Float64Array {
  const width = values.length / rows;
  return values.map((value, at) => value * factorOf(scale * (weights ? weights[Math.floor(at / width)] : 1)));
}
