/** Dense helpers of the tests, in float64 and by the book. */
export type Values = ArrayLike<number>;

/** Largest |actual - expected| over the largest |expected|. */
export function relativeError(actual: Values, expected: Values): number {
  if (actual.length !== expected.length) return Infinity;
  let error = 0;
  let scale = 0;
  for (let i = 0; i < expected.length; i++) {
    error = Math.max(error, Math.abs(actual[i] - expected[i]));
    scale = Math.max(scale, Math.abs(expected[i]));
    if (Number.isNaN(actual[i])) return Infinity;
  }
  return scale === 0 ? error : error / scale;
}

/** `total += scale * v v'` on a dense n x n matrix. */
export function addOuterProduct(total: Float64Array, v: Values, scale: number): void {
  const n = v.length;
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) total[i * n + j] += scale * v[i] * v[j];
}

/** Solves M x = b for a dense n x n matrix by Gaussian elimination with partial pivoting. */
export function solve(matrix: Values, right: Values): Float64Array {
  const n = right.length;
  const m = Float64Array.from(matrix);
  const x = Float64Array.from(right);
  for (let k = 0; k < n; k++) {
    let pivot = k;
    for (let i = k + 1; i < n; i++) if (Math.abs(m[i * n + k]) > Math.abs(m[pivot * n + k])) pivot = i;
    for (let j = 0; j < n; j++) [m[k * n + j], m[pivot * n + j]] = [m[pivot * n + j], m[k * n + j]];
    [x[k], x[pivot]] = [x[pivot], x[k]];
    for (let i = k + 1; i < n; i++) {
      const factor = m[i * n + k] / m[k * n + k];
      for (let j = k; j < n; j++) m[i * n + j] -= factor * m[k * n + j];
      x[i] -= factor * x[k];
    }
  }
  for (let k = n - 1; k >= 0; k--) {
    for (let j = k + 1; j < n; j++) x[k] -= m[k * n + j] * x[j];
    x[k] /= m[k * n + k];
  }
  return x;
}

/** The dense matrix plus `value` on its diagonal. */
export function plusDiagonal(matrix: Values, value: number): Float64Array {
  const n = Math.sqrt(matrix.length);
  const result = Float64Array.from(matrix);
  for (let i = 0; i < n; i++) result[i * n + i] += value;
  return result;
}
