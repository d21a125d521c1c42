/**
 * Inverse of a symmetric positive definite matrix: `M = L L'`, then `M^-1 = L^-T L^-1` (Golub & Van Loan, Matrix Computations,
 * section 4.2).
 */

/** The lower triangular L with `L L' = matrix`, zeros above; null if a pivot is not positive. Reads the lower triangle only. */
export function cholesky(matrix: Float64Array, size: number): Float64Array | null {
  const l = new Float64Array(size * size);
  for (let i = 0; i < size; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = matrix[i * size + j];
      for (let k = 0; k < j; k++) sum -= l[i * size + k] * l[j * size + k];
      if (i !== j) {
        l[i * size + j] = sum / l[j * size + j];
      } else {
        if (!(sum > 0 && sum < Infinity)) return null;
        l[i * size + i] = Math.sqrt(sum);
      }
    }
  }
  return l;
}

/** The inverse of a symmetric positive definite matrix, full; null if it is not positive definite or the inverse overflows. */
export function choleskyInverse(matrix: Float64Array, size: number): Float64Array | null {
  const l = cholesky(matrix, size);
  if (!l) return null;

  const x = new Float64Array(size * size); // L^-1, row by row: L x = I
  for (let i = 0; i < size; i++) {
    x[i * size + i] = 1;
    for (let k = 0; k < i; k++) {
      const factor = l[i * size + k];
      for (let j = 0; j <= k; j++) x[i * size + j] -= factor * x[k * size + j];
    }
    for (let j = 0; j <= i; j++) x[i * size + j] /= l[i * size + i];
  }

  const inverse = new Float64Array(size * size);
  for (let k = 0; k < size; k++) {
    for (let i = 0; i <= k; i++) {
      const factor = x[k * size + i];
      for (let j = 0; j <= i; j++) inverse[i * size + j] += factor * x[k * size + j];
    }
  }
  for (let i = 0; i < size; i++) {
    for (let j = 0; j <= i; j++) {
      if (!Number.isFinite(inverse[i * size + j])) return null;
      inverse[j * size + i] = inverse[i * size + j];
    }
  }
  return inverse;
}
