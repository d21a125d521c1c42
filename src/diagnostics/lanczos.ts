import { NatgradError, requireKeys } from '../errors';
import { randomStream } from '../fisher/random';
import { eigh } from '../linalg/eigh';
import { dot } from './vectors';

export interface LanczosOptions {
  /** Products with the matrix. Default 50, and never more than the size. */
  steps?: number;
  /** Of the starting vector. Default 0. */
  seed?: number;
}

/** Eigenvalues of the Krylov space of a random vector, and how much of that vector lies with each. */
export interface RitzValues {
  /**
   * Ascending. The outermost are near the extreme eigenvalues of the matrix first; with as many steps as there are different eigenvalues they
   * are those.
   */
  values: Float64Array;
  /**
   * They add up to 1: sum of weights[k] f(values[k]) estimates trace(f(M)) / size, and the weights over the values are the density of the
   * spectrum.
   */
  weights: Float64Array;
}

/** What products with a matrix in float64 leave of a vector that lies in the space of earlier ones, in units of its largest eigenvalue. */
const rounding = 1e-10;

/**
 * The spectrum of a symmetric matrix from its products with vectors (C. Lanczos 1950; for densities G. Golub and J. Welsch 1969, and
 * S. Ubaru, J. Chen and Y. Saad, "Fast estimation of tr(f(A)) via stochastic Lanczos quadrature", 2017), with every new vector made
 * orthogonal to all earlier ones twice, so that no eigenvalue comes out twice by rounding.
 *
 * @param multiply M v, of `size` elements; it may return one array again and again
 * @throws NatgradError ERR_NATGRAD_ARGUMENT for sizes or steps that are no positive integers and for an unknown option; ERR_NATGRAD_NOT_FINITE if a product is not finite
 */
export function lanczos(
  multiply: (vector: Float64Array) => ArrayLike<number>,
  size: number,
  options: LanczosOptions = {},
): RitzValues {
  requireKeys(options, ['steps', 'seed'], 'options');
  const { steps = 50, seed = 0 } = options;
  for (const [name, value] of Object.entries({ size, steps })) {
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new NatgradError('ERR_NATGRAD_ARGUMENT', `${name} is ${value}; give a positive integer.`);
    }
  }
  const random = randomStream(seed, 0);
  let next = scaled(Float64Array.from({ length: size }, () => random.normal()));
  const basis: Float64Array[] = [];
  const diagonal: number[] = [];
  const beside: number[] = [];
  let largest = 0;
  while (basis.length < Math.min(steps, size)) {
    const current = next;
    basis.push(current);
    const product = Float64Array.from(multiply(current));
    const alpha = dot(current, product);
    if (!Number.isFinite(alpha)) {
      throw new NatgradError(
        'ERR_NATGRAD_NOT_FINITE',
        'A product of multiply is not finite; give it a finite matrix.',
      );
    }
    diagonal.push(alpha);
    for (let pass = 0; pass < 2; pass++) {
      for (const vector of basis) {
        const along = dot(vector, product);
        for (let i = 0; i < size; i++) product[i] -= along * vector[i];
      }
    }
    const beta = Math.sqrt(dot(product, product));
    largest = Math.max(largest, Math.abs(alpha), beta);
    // The Krylov space is exhausted: what is left is rounding.
    if (beta <= rounding * largest) break;
    beside.push(beta);
    next = product.map((value) => value / beta);
  }
  const n = diagonal.length;
  const tridiagonal = new Float64Array(n * n);
  diagonal.forEach((value, i) => (tridiagonal[i * (n + 1)] = value));
  for (let i = 1; i < n; i++) tridiagonal[i * n + i - 1] = tridiagonal[(i - 1) * n + i] = beside[i - 1];
  const { values, vectors } = eigh(tridiagonal);
  return { values, weights: vectors.slice(0, n).map((value) => value * value) };
}

function scaled(vector: Float64Array): Float64Array {
  const length = Math.sqrt(dot(vector, vector));
  return vector.map((value) => value / length);
}
