import type { FloatArray } from '../../linalg/jobs';

/** How far rows may be from orthonormal before it is worth doing something about it. */
const largestError = 1e-3;

/**
 * Makes the rows of R = E^-1/2 W orthonormal again where they are not, in place, by Gram and Schmidt's method, each row twice: what Cholesky's
 * factor of RR' would give, and safe where that is singular.
 *
 * @param W [rank, size]
 * @param gram WW'
 * @param shares the diagonal of E
 */
export function orthonormalise(W: FloatArray, gram: FloatArray, shares: Float64Array): void {
  if (orthogonalityError(gram, shares) <= largestError) return;
  const rank = shares.length;
  const size = W.length / rank;
  const rows = Array.from({ length: rank }, (_, i) => {
    return Float64Array.from(W.subarray(i * size, (i + 1) * size), (value) => value / Math.sqrt(shares[i]));
  });
  rows.forEach((row, i) => {
    makeOrthonormal(row, rows.slice(0, i), i);
    for (let j = 0; j < size; j++) W[i * size + j] = Math.sqrt(shares[i]) * row[j];
  });
}

/** The largest element of RR' - I. */
function orthogonalityError(gram: FloatArray, shares: Float64Array): number {
  const rank = shares.length;
  let error = 0;
  for (let i = 0; i < rank; i++) {
    for (let j = 0; j <= i; j++) {
      const inner = gram[i * rank + j] / Math.sqrt(shares[i] * shares[j]);
      error = Math.max(error, Math.abs(inner - (i === j ? 1 : 0)));
    }
  }
  return error;
}

/** Takes from `row` what lies along `others` and scales it to norm 1; a row of their span becomes a unit vector, from `first` on. */
function makeOrthonormal(row: Float64Array, others: Float64Array[], first: number): void {
  for (let candidate = first; ; candidate++) {
    const before = norm(row);
    for (let pass = 0; pass < 2; pass++) {
      for (const other of others) {
        const inner = dot(row, other);
        for (let j = 0; j < row.length; j++) row[j] -= inner * other[j];
      }
    }
    const after = norm(row);
    if (after > 1e-3 * before && after > 0) {
      for (let j = 0; j < row.length; j++) row[j] /= after;
      return;
    }
    // It lay in the span of the rows before it; some unit vector does not.
    row.fill(0);
    row[candidate % row.length] = 1;
  }
}

function dot(left: Float64Array, right: Float64Array): number {
  let total = 0;
  for (let i = 0; i < left.length; i++) total += left[i] * right[i];
  return total;
}

function norm(values: Float64Array): number {
  return Math.sqrt(dot(values, values));
}
