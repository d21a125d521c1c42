/**
 * Eigenvalues and eigenvectors of a symmetric matrix: Householder reduction to tridiagonal form, then implicit QR steps with
 * Wilkinson's shift (Golub & Van Loan, Matrix Computations, sections 8.3.1 to 8.3.3).
 */

const epsilon = 2 ** -52;
const stepsPerEigenvalue = 60;

export interface SymmetricEigen {
  /** Ascending. */
  values: Float64Array;
  /** Row k is the eigenvector of `values[k]`. */
  rows: Float64Array;
}

/** Null if the QR steps do not converge, which finite input does not cause in practice. `matrix` is full and left as it is. */
export function symmetricEigen(matrix: Float64Array, size: number): SymmetricEigen | null {
  let largest = 0;
  for (const value of matrix) largest = Math.max(largest, Math.abs(value));
  // A power of two scales without rounding and keeps squares within range.
  const scale = largest > 0 ? 2 ** Math.max(-1000, Math.min(1000, Math.floor(Math.log2(largest)))) : 1;
  const work = matrix.map((value) => value / scale);

  const { diagonal, offDiagonal, rows } = tridiagonalise(work, size);
  if (!diagonalise(diagonal, offDiagonal, rows, size)) return null;

  const order = Array.from(diagonal.keys()).sort((i, j) => diagonal[i] - diagonal[j]);
  const values = new Float64Array(size);
  const sorted = new Float64Array(size * size);
  order.forEach((from, to) => {
    values[to] = diagonal[from] * scale;
    sorted.set(rows.subarray(from * size, (from + 1) * size), to * size);
  });
  return { values, rows: sorted };
}

/** `Q A Q' = T` with Q's rows orthonormal; destroys `a`. */
function tridiagonalise(a: Float64Array, size: number) {
  const diagonal = new Float64Array(size);
  const offDiagonal = new Float64Array(Math.max(0, size - 1));
  const reflectors: { v: Float64Array; beta: number }[] = [];
  const p = new Float64Array(size);

  for (let k = 0; k + 2 < size; k++) {
    const v = new Float64Array(size);
    let below = 0;
    for (let i = k + 1; i < size; i++) {
      v[i] = a[k * size + i];
      if (i > k + 1) below += v[i] * v[i];
    }
    const norm = Math.hypot(v[k + 1], Math.sqrt(below));
    if (below === 0) {
      offDiagonal[k] = v[k + 1];
      reflectors.push({ v, beta: 0 });
      continue;
    }
    const alpha = v[k + 1] > 0 ? -norm : norm;
    v[k + 1] -= alpha;
    const beta = 2 / (v[k + 1] * v[k + 1] + below);
    offDiagonal[k] = alpha;

    // A <- (I - beta v v') A (I - beta v v') = A - v w' - w v',  w = p - (beta/2)(p.v) v,  p = beta A v
    let pv = 0;
    for (let i = k + 1; i < size; i++) {
      let sum = 0;
      for (let j = k + 1; j < size; j++) sum += a[i * size + j] * v[j];
      p[i] = beta * sum;
      pv += p[i] * v[i];
    }
    for (let i = k + 1; i < size; i++) p[i] -= (beta / 2) * pv * v[i];
    for (let i = k + 1; i < size; i++) {
      for (let j = k + 1; j < size; j++) a[i * size + j] -= v[i] * p[j] + p[i] * v[j];
    }
    reflectors.push({ v, beta });
  }
  for (let i = 0; i < size; i++) diagonal[i] = a[i * size + i];
  if (size > 1) offDiagonal[size - 2] = a[(size - 1) * size + size - 2];

  const rows = new Float64Array(size * size);
  for (let i = 0; i < size; i++) rows[i * size + i] = 1;
  for (let k = reflectors.length - 1; k >= 0; k--) {
    const { v, beta } = reflectors[k];
    if (beta === 0) continue;
    for (let i = k + 1; i < size; i++) {
      let dot = 0;
      for (let j = k + 1; j < size; j++) dot += rows[i * size + j] * v[j];
      for (let j = k + 1; j < size; j++) rows[i * size + j] -= beta * dot * v[j];
    }
  }
  return { diagonal, offDiagonal, rows };
}

/** Turns `T = tridiag(offDiagonal, diagonal, offDiagonal)` into its eigenvalues and applies the rotations to `rows`. */
function diagonalise(d: Float64Array, e: Float64Array, rows: Float64Array, size: number): boolean {
  const negligible = (i: number) =>
    Math.abs(e[i]) <= epsilon * (Math.abs(d[i]) + Math.abs(d[i + 1])) + 1e-300;

  let last = size - 1;
  for (let steps = 0; last > 0; steps++) {
    if (negligible(last - 1)) {
      e[last - 1] = 0;
      last--;
      continue;
    }
    if (steps > stepsPerEigenvalue * size) return false;
    let first = last - 1;
    while (first > 0 && !negligible(first - 1)) first--;

    const half = (d[last - 1] - d[last]) / 2;
    const tail = e[last - 1];
    const shift = d[last] - (tail * tail) / (half + (half >= 0 ? 1 : -1) * Math.hypot(half, tail));
    let x = d[first] - shift;
    let z = e[first];
    for (let k = first; k < last; k++) {
      const r = Math.hypot(x, z);
      const c = r === 0 ? 1 : x / r;
      const s = r === 0 ? 0 : z / r;
      if (k > first) e[k - 1] = r;
      const dk = d[k];
      const dn = d[k + 1];
      const ek = e[k];
      d[k] = c * c * dk + 2 * c * s * ek + s * s * dn;
      d[k + 1] = s * s * dk - 2 * c * s * ek + c * c * dn;
      e[k] = c * s * (dn - dk) + (c * c - s * s) * ek;
      if (k + 1 < last) {
        x = e[k];
        z = s * e[k + 1];
        e[k + 1] *= c;
      }
      for (let j = k * size, n = (k + 1) * size; j < (k + 1) * size; j++, n++) {
        const upper = rows[j];
        const lower = rows[n];
        rows[j] = c * upper + s * lower;
        rows[n] = c * lower - s * upper;
      }
    }
  }
  return true;
}

/** `V diag(f(values)) V'`, full. */
export function spectralFunction(
  eigen: SymmetricEigen,
  size: number,
  f: (value: number) => number,
): Float64Array {
  const result = new Float64Array(size * size);
  for (let k = 0; k < size; k++) {
    const weight = f(eigen.values[k]);
    const row = eigen.rows.subarray(k * size, (k + 1) * size);
    for (let i = 0; i < size; i++) {
      const factor = weight * row[i];
      for (let j = 0; j <= i; j++) result[i * size + j] += factor * row[j];
    }
  }
  for (let i = 0; i < size; i++) for (let j = 0; j < i; j++) result[j * size + i] = result[i * size + j];
  return result;
}
