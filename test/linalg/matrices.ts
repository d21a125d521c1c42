import type { FloatArray } from '../../src/linalg';
import { Random } from './random';

/** Float64 helpers and the gallery of symmetric positive definite matrices the accuracy tests run over. */

export type Dtype = 'float32' | 'float64';

/** Unit roundoff. */
export const epsilon = { float32: 2 ** -24, float64: 2 ** -53 };

export function cast(values: Float64Array, dtype: Dtype): FloatArray {
  return dtype === 'float32' ? Float32Array.from(values) : values.slice();
}

/** A copy with NaN above the diagonal: what must not be read is made to show if it is. */
export function poisoned<T extends FloatArray>(matrix: T, n: number): T {
  const copy = matrix.slice() as T;
  for (let i = 0; i < n; i++) for (let j = i + 1; j < n; j++) copy[i * n + j] = NaN;
  return copy;
}

export function fromEntries(n: number, entry: (i: number, j: number) => number): Float64Array {
  return Float64Array.from({ length: n * n }, (_, k) => entry(Math.floor(k / n), k % n));
}

export function product(a: FloatArray, b: FloatArray, m: number, k: number, n: number): Float64Array {
  const c = new Float64Array(m * n);
  for (let i = 0; i < m; i++) {
    for (let l = 0; l < k; l++) {
      const factor = a[i * k + l];
      for (let j = 0; j < n; j++) c[i * n + j] += factor * b[l * n + j];
    }
  }
  return c;
}

export function transpose(a: FloatArray, m: number, n: number): Float64Array {
  const out = new Float64Array(m * n);
  for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) out[j * m + i] = a[i * n + j];
  return out;
}

export function minusIdentity(a: Float64Array, n: number): Float64Array {
  return a.map((value, k) => (Math.floor(k / n) === k % n ? value - 1 : value));
}

/** Largest column sum of absolute values. */
export function oneNorm(a: FloatArray, n: number): number {
  let most = 0;
  for (let j = 0; j < n; j++) {
    let sum = 0;
    for (let i = 0; i < n; i++) sum += Math.abs(a[i * n + j]);
    most = Math.max(most, sum);
  }
  return most;
}

export function frobenius(a: FloatArray): number {
  let sum = 0;
  for (const value of a) sum += value * value;
  return Math.sqrt(sum);
}

export function difference(a: FloatArray, b: FloatArray): Float64Array {
  return Float64Array.from(a, (value, i) => value - b[i]);
}

/** Rows that are orthonormal, uniformly distributed: Gram-Schmidt, twice, on normal numbers. */
export function orthogonal(n: number, random: Random): Float64Array {
  const q = random.normals(n * n);
  for (let i = 0; i < n; i++) {
    const row = q.subarray(i * n, (i + 1) * n);
    for (let pass = 0; pass < 2; pass++) {
      for (let j = 0; j < i; j++) {
        const other = q.subarray(j * n, (j + 1) * n);
        let dot = 0;
        for (let k = 0; k < n; k++) dot += row[k] * other[k];
        for (let k = 0; k < n; k++) row[k] -= dot * other[k];
      }
      const norm = frobenius(row);
      for (let k = 0; k < n; k++) row[k] /= norm;
    }
  }
  return q;
}

/** `Q' diag(spectrum) Q` for a random orthogonal Q. */
export function withSpectrum(spectrum: number[], random: Random): Float64Array {
  const n = spectrum.length;
  const q = orthogonal(n, random);
  const scaled = q.map((value, k) => value * spectrum[Math.floor(k / n)]);
  return product(transpose(q, n, n), scaled, n, n, n);
}

/** Spectra between 1/cond and 1, named as LAPACK's generators name them. */
export const spectra: Record<string, (n: number, cond: number, random: Random) => number[]> = {
  oneBig: (n, cond) => Array.from({ length: n }, (_, i) => (i === 0 ? 1 : 1 / cond)),
  oneSmall: (n, cond) => Array.from({ length: n }, (_, i) => (i === n - 1 && n > 1 ? 1 / cond : 1)),
  geometric: (n, cond) => Array.from({ length: n }, (_, i) => cond ** (-i / Math.max(1, n - 1))),
  arithmetic: (n, cond) => Array.from({ length: n }, (_, i) => 1 - (i / Math.max(1, n - 1)) * (1 - 1 / cond)),
  logUniform: (n, cond, random) =>
    Array.from({ length: n }, (_, i) => (i === 0 ? 1 : i === 1 ? 1 / cond : cond ** -random.uniform())),
};

function gram(rows: Float64Array, n: number, damping: number): Float64Array {
  const m = rows.length / n;
  const a = product(transpose(rows, m, n), rows, n, m, n);
  let trace = 0;
  for (let i = 0; i < n; i++) trace += a[i * n + i];
  for (let i = 0; i < n; i++) a[i * n + i] += (damping * trace) / n;
  return a;
}

/** Families of positive definite matrices, each for any n. */
export const families: Record<string, (n: number, dtype: Dtype, random: Random) => Float64Array> = {
  'condition 2': (n, _, random) => withSpectrum(spectra.geometric(n, 2, random), random),
  'one big eigenvalue': (n, dtype, random) =>
    withSpectrum(spectra.oneBig(n, Math.sqrt(0.1 / epsilon[dtype]), random), random),
  'one small eigenvalue': (n, dtype, random) =>
    withSpectrum(spectra.oneSmall(n, Math.sqrt(0.1 / epsilon[dtype]), random), random),
  'geometric spectrum': (n, dtype, random) =>
    withSpectrum(spectra.geometric(n, Math.sqrt(0.1 / epsilon[dtype]), random), random),
  'arithmetic spectrum': (n, dtype, random) =>
    withSpectrum(spectra.arithmetic(n, Math.sqrt(0.1 / epsilon[dtype]), random), random),
  'log-uniform spectrum': (n, dtype, random) =>
    withSpectrum(spectra.logUniform(n, Math.sqrt(0.1 / epsilon[dtype]), random), random),
  'Hilbert, damped': (n) => fromEntries(n, (i, j) => 1 / (i + j + 1) + (i === j ? 1e-3 : 0)),
  Lehmer: (n) => fromEntries(n, (i, j) => (Math.min(i, j) + 1) / (Math.max(i, j) + 1)),
  'min(i, j)': (n) => fromEntries(n, (i, j) => Math.min(i, j) + 1),
  '0.9^|i-j|': (n) => fromEntries(n, (i, j) => 0.9 ** Math.abs(i - j)),
  'tridiagonal (2, -1)': (n) => fromEntries(n, (i, j) => (i === j ? 2 : Math.abs(i - j) === 1 ? -1 : 0)),
  'Gram of rank n/4, damped': (n, _, random) => gram(random.normals(Math.max(1, n >> 2) * n), n, 1e-2),
  'ReLU features with a bias': (n, _, random) =>
    gram(
      Float64Array.from({ length: 2 * n * n }, (_, k) =>
        k % n === n - 1 ? 1 : Math.max(0, random.normal()),
      ),
      n,
      1e-3,
    ),
  graded: (n, _, random) => {
    const base = withSpectrum(spectra.geometric(n, 10, random), random);
    const grade = (i: number) => 100 ** (-i / Math.max(1, n - 1));
    return base.map((value, k) => value * grade(Math.floor(k / n)) * grade(k % n));
  },
  'tiny scale': (n, dtype, random) =>
    withSpectrum(spectra.geometric(n, 100, random), random).map(
      (value) => value * (dtype === 'float32' ? 1e-18 : 1e-150),
    ),
  'huge scale': (n, dtype, random) =>
    withSpectrum(spectra.geometric(n, 100, random), random).map(
      (value) => value * (dtype === 'float32' ? 1e18 : 1e150),
    ),
  'block diagonal': (n) =>
    fromEntries(n, (i, j) => (Math.floor(i / 3) === Math.floor(j / 3) ? (i === j ? 2 : 0.5) : 0)),
};
