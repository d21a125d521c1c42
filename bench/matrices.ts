/** Numbers in [-1, 1), the same in every run (linear congruential, Knuth's MMIX constants cut to 32 bits by Numerical Recipes). */
export function uniform(length: number, seed = 1): Float32Array {
  let state = seed >>> 0;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(1664525, state) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

/**
 * A symmetric n by n matrix with eigenvalues from 1 down to 1 / `condition`, in a geometric series: a diagonal one between two
 * reflections, H D H with H = I - v v', |v|^2 = 2. Rounded to float32.
 */
export function positiveDefinite(n: number, condition: number): Float32Array {
  const random = uniform(n, n);
  const norm = Math.hypot(...random);
  const v = Float64Array.from(random, (value) => (Math.SQRT2 * value) / norm);
  const values = Float64Array.from(v, (_, i) => condition ** (n > 1 ? -i / (n - 1) : 0));
  const middle = v.reduce((sum, value, i) => sum + value * value * values[i], 0);
  const matrix = new Float32Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      matrix[i * n + j] = (i === j ? values[i] : 0) + v[i] * v[j] * (middle - values[i] - values[j]);
    }
  }
  return matrix;
}

/** |a - b| / |b| in the Frobenius norm. */
export function relativeError(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let error = 0;
  let size = 0;
  for (let i = 0; i < b.length; i++) {
    error += (a[i] - b[i]) ** 2;
    size += b[i] ** 2;
  }
  return Math.sqrt(error / size);
}
