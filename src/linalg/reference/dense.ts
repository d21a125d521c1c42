/** Small dense routines in float64, on row-major square matrices. Plain loops, ordered so that the inner one runs along rows. */

import type { FloatArray } from '../jobs';

/** Whether every element of the lower triangle is a finite number. What lies above the diagonal is not looked at. */
export function lowerIsFinite(matrix: FloatArray, size: number): boolean {
  for (let i = 0; i < size; i++) {
    for (let j = 0; j <= i; j++) if (!Number.isFinite(matrix[i * size + j])) return false;
  }
  return true;
}

/** Whether every element is a finite number. */
export function allFinite(values: ArrayLike<number>): boolean {
  for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i])) return false;
  return true;
}

/** The full symmetric matrix of a lower triangle, with `shift` added to the diagonal. */
export function symmetricFromLower(matrix: FloatArray, size: number, shift = 0): Float64Array {
  const full = new Float64Array(size * size);
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < i; j++) full[i * size + j] = full[j * size + i] = matrix[i * size + j];
    full[i * size + i] = matrix[i * size + i] + shift;
  }
  return full;
}

/** Writes the lower triangle of `matrix` into both triangles of `out`, so that `out` is exactly symmetric in its own dtype. */
export function storeSymmetric(matrix: Float64Array, size: number, out: FloatArray): void {
  for (let i = 0; i < size; i++) {
    for (let j = 0; j <= i; j++) out[i * size + j] = out[j * size + i] = matrix[i * size + j];
  }
}

export function identity(size: number, scale = 1): Float64Array {
  const result = new Float64Array(size * size);
  for (let i = 0; i < size; i++) result[i * size + i] = scale;
  return result;
}

/** `a b` with `a` of `rows` by `inner` and `b` of `inner` by `columns`. */
export function multiply(
  a: FloatArray,
  b: FloatArray,
  rows: number,
  inner: number,
  columns: number,
): Float64Array {
  const result = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    const to = i * columns;
    for (let k = 0; k < inner; k++) {
      const factor = a[i * inner + k];
      if (factor === 0) continue;
      const from = k * columns;
      for (let j = 0; j < columns; j++) result[to + j] += factor * b[from + j];
    }
  }
  return result;
}

/** The transpose of a matrix of `rows` by `columns`. */
export function transpose(matrix: FloatArray, rows: number, columns: number): Float64Array {
  const result = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) result[j * rows + i] = matrix[i * columns + j];
  }
  return result;
}

/** `scale matrix + shift I`, a new matrix. */
export function affine(matrix: Float64Array, size: number, scale: number, shift: number): Float64Array {
  const result = new Float64Array(matrix.length);
  for (let i = 0; i < matrix.length; i++) result[i] = scale * matrix[i];
  for (let i = 0; i < size; i++) result[i * size + i] += shift;
  return result;
}

/** `(matrix + matrix') / 2`, in place: what rounding leaves of a matrix that is symmetric in exact arithmetic. */
export function symmetrise(matrix: Float64Array, size: number): Float64Array {
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < i; j++) {
      matrix[i * size + j] = matrix[j * size + i] = (matrix[i * size + j] + matrix[j * size + i]) / 2;
    }
  }
  return matrix;
}

export function trace(matrix: FloatArray, size: number): number {
  let sum = 0;
  for (let i = 0; i < size; i++) sum += matrix[i * size + i];
  return sum;
}

export function frobeniusNorm(matrix: Float64Array): number {
  let sum = 0;
  for (const value of matrix) sum += value * value;
  return Math.sqrt(sum);
}

/** Distance of a matrix from the identity, `|M - I|_F`. */
export function distanceToIdentity(matrix: Float64Array, size: number): number {
  return frobeniusNorm(affine(matrix, size, 1, -1));
}

/** An upper bound of the largest eigenvalue of a positive definite matrix: the least of three that cost n^2 operations. */
export function eigenvalueBound(matrix: Float64Array, size: number): number {
  let largestRow = 0;
  for (let i = 0; i < size; i++) {
    let row = 0;
    for (let j = 0; j < size; j++) row += Math.abs(matrix[i * size + j]);
    largestRow = Math.max(largestRow, row);
  }
  return Math.min(largestRow, frobeniusNorm(matrix), trace(matrix, size));
}
