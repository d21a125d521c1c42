/**
 * Iterations for the square roots and inverse roots of a symmetric positive definite matrix, each as its source gives it, in float64.
 * They serve as the oracle for the faster forms in the native core.
 */

import { choleskyInverse } from './cholesky';
import {
  affine,
  distanceToIdentity,
  eigenvalueBound,
  frobeniusNorm,
  identity,
  multiply,
  symmetrise,
} from './dense';

/** When to stop: the residual to reach, and the number of iterations not to exceed. */
export interface Limits {
  tolerance: number;
  maxIterations: number;
}

export interface Iterated {
  result: Float64Array;
  iterations: number;
  converged: boolean;
}

/** Bounds of the eigenvalues: above, the cheapest of three norms; below, `1 / |M^-1|_F`. Null if not positive definite. */
export function eigenvalueInterval(matrix: Float64Array, size: number): { low: number; high: number } | null {
  const inverse = choleskyInverse(matrix, size);
  return inverse && { low: 1 / frobeniusNorm(inverse), high: eigenvalueBound(matrix, size) };
}

/**
 * `M^(-1/2)` by the product form of the Denman-Beavers iteration (Cheng, Higham, Kenney & Laub 2001) with the scaling that is best
 * for the interval [l, u] the eigenvalues of M are known to lie in:
 *
 *   mu^2 = 1 / sqrt(l u),  Y <- mu Y (I + M^-1 / mu^2) / 2,  M <- I/2 + (mu^2 M + M^-1 / mu^2) / 4,  from Y = I,
 *
 * after which the eigenvalues of M lie in [1, 1/2 + (a + 1/a) / 4], a = l mu^2. The count of steps follows from the interval alone.
 */
export function denmanBeavers(matrix: Float64Array, size: number, limits: Limits): Iterated | null {
  const interval = eigenvalueInterval(matrix, size);
  if (!interval) return null;
  let { low, high } = interval;
  let m = matrix;
  let y = identity(size);
  let iterations = 0;
  while (high / low - 1 > limits.tolerance && iterations < limits.maxIterations) {
    const inverse = choleskyInverse(m, size);
    if (!inverse) return null;
    const mu2 = 1 / Math.sqrt(low * high);
    const mu = Math.sqrt(mu2);
    y = symmetrise(multiply(y, affine(inverse, size, 0.5 / mu, 0.5 * mu), size, size, size), size);
    m = m.map((value, i) => (mu2 * value + inverse[i] / mu2) / 4);
    for (let i = 0; i < size; i++) m[i * size + i] += 0.5;
    const a = low * mu2;
    low = 1;
    high = 0.5 + (a + 1 / a) / 4;
    iterations++;
  }
  // The interval is now [1, high] unless no step was taken, where Y still lacks the scale of M.
  if (iterations === 0) y = identity(size, (low * high) ** -0.25);
  return { result: y, iterations, converged: high / low - 1 <= limits.tolerance };
}

/** Coefficients of the step `T = constant I + slope E`. */
type Step = { constant: number; slope: number };

/**
 * The coupled Newton-Schulz iteration (Higham, Functions of Matrices, equation 6.35): with s >= the largest eigenvalue, from
 * Y = M / s, Z = I: `T = t(Z Y), Y <- Y T, Z <- T Z`; then `M^(1/2) = sqrt(s) Y` and `M^(-1/2) = Z / sqrt(s)`.
 * Without the scaling it converges to a root that is not positive when an eigenvalue is above 3.
 */
function coupled(
  matrix: Float64Array,
  size: number,
  limits: Limits,
  steps: (s: number) => () => Step,
): Iterated & { root: Float64Array } {
  const s = eigenvalueBound(matrix, size);
  const next = steps(s);
  let y = affine(matrix, size, 1 / s, 0);
  let z = identity(size);
  let iterations = 0;
  for (;;) {
    const e = multiply(z, y, size, size, size);
    const converged = distanceToIdentity(e, size) / Math.sqrt(size) <= limits.tolerance;
    if (converged || iterations >= limits.maxIterations) {
      return {
        result: symmetrise(affine(z, size, 1 / Math.sqrt(s), 0), size),
        root: symmetrise(affine(y, size, Math.sqrt(s), 0), size),
        iterations,
        converged,
      };
    }
    const { constant, slope } = next();
    const t = affine(e, size, slope, constant);
    y = multiply(y, t, size, size, size);
    z = multiply(t, z, size, size, size);
    iterations++;
  }
}

/** Coupled Newton-Schulz with the classic step `T = (3 I - E) / 2`. */
export function newtonSchulz(matrix: Float64Array, size: number, limits: Limits) {
  return coupled(matrix, size, limits, () => () => ({ constant: 1.5, slope: -0.5 }));
}

/**
 * Coupled Newton-Schulz with the cubic that is nearest to 1 on the known interval [a, b] of the square roots of E's eigenvalues (Chen &
 * Chow 2014; CANS, Grishina et al. 2025): `x -> alpha x (3 e^2 - x^2)`, `e^2 = (a^2 + a b + b^2) / 3`,
 * `alpha = 2 / (2 e^3 + a^2 b + a b^2)`, which maps [a, b] to [1 - d, 1 + d] with `1 + d = 2 alpha e^3`.
 */
export function newtonSchulzMinimax(matrix: Float64Array, size: number, limits: Limits) {
  const interval = eigenvalueInterval(matrix, size);
  if (!interval) return null;
  return coupled(matrix, size, limits, (s) => {
    let a = Math.sqrt(interval.low / s);
    let b = 1;
    return () => {
      const e2 = (a * a + a * b + b * b) / 3;
      const e3 = e2 * Math.sqrt(e2);
      const alpha = 2 / (2 * e3 + a * b * (a + b));
      b = 2 * alpha * e3;
      a = 2 - b;
      return { constant: 3 * alpha * e2, slope: -alpha };
    };
  });
}

/**
 * `M^(-1/p)` by the coupled Newton iteration (Iannazzo 2006; Anil et al. 2020): from `z = (p + 1) / (2 |M|_F)`, X = z^(1/p) I, N = z M:
 * `T = (1 + 1/p) I - N / p, X <- X T, N <- T^p N` until `max |N - I|` is within the tolerance.
 */
export function coupledNewton(matrix: Float64Array, size: number, p: number, limits: Limits): Iterated {
  const z = (p + 1) / (2 * frobeniusNorm(matrix));
  let x = identity(size, z ** (1 / p));
  let n = affine(matrix, size, z, 0);
  let iterations = 0;
  for (;;) {
    const largest = affine(n, size, 1, -1).reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const converged = largest <= limits.tolerance;
    if (converged || iterations >= limits.maxIterations) {
      return { result: symmetrise(x, size), iterations, converged };
    }
    const t = affine(n, size, -1 / p, 1 + 1 / p);
    x = multiply(x, t, size, size, size);
    for (let i = 0; i < p; i++) n = multiply(t, n, size, size, size);
    n = symmetrise(n, size);
    iterations++;
  }
}
