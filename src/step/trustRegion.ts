import { NatgradError, shown } from '../errors';
import { conjugateGradients, dot, type ConjugateGradientsResult, type Pieces } from './conjugateGradients';
import { requireNonNegative, requirePositive } from './schedule';

export interface TrustRegionOptions {
  /** Largest KL divergence, averaged over the examples, between the predictions before and after a step. Default 0.01. */
  maxKl?: number;
  /** Products with the Fisher matrix per step. Default 10. */
  iterations?: number;
  /** Lengths that are tried, each 0.8 of the one before. Default 10. */
  backtracks?: number;
  /** Added to the Fisher matrix for the solution of F x = gradient. Default 0.1. */
  damping?: number;
}

/** What measuring a tried step gives. */
export interface Measurement {
  /** Mean over the examples of KL(before || after). */
  kl: number;
  loss: number;
}

/** How a step within a trust region went. */
export interface TrustRegionReport {
  /** Measured KL divergence of the accepted step; 0 where none was. */
  kl: number;
  /** Of the step on the boundary of the region, what fraction was taken: 0.8^j, or 0 where none was accepted. */
  fraction: number;
  /** |gradient - (F + damping I) x| / |gradient| after the last iteration of conjugate gradients. */
  residual: number;
}

const SHORTENING = 0.8;

const DEFAULTS = { maxKl: 0.01, iterations: 10, backtracks: 10, damping: 0.1 };

/** @throws NatgradError ERR_NATGRAD_TYPE or ERR_NATGRAD_ARGUMENT for anything the option `trustRegion` does not take */
export function requireTrustRegion(options: TrustRegionOptions | null): Required<TrustRegionOptions> | null {
  if (options === null) return null;
  if (typeof options !== 'object') {
    throw new NatgradError(
      'ERR_NATGRAD_TYPE',
      `trustRegion is ${shown(options)}; give an object, e.g. {maxKl: 0.01}, or null.`,
    );
  }
  for (const key of Object.keys(options)) {
    if (!(key in DEFAULTS))
      refuse(`trustRegion.${key} is not an option`, `use ${Object.keys(DEFAULTS).join(', ')}`);
  }
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const resolved: Required<TrustRegionOptions> = { ...DEFAULTS, ...given };
  requirePositive(resolved.maxKl, 'trustRegion.maxKl');
  requireNonNegative(resolved.damping, 'trustRegion.damping');
  for (const key of ['iterations', 'backtracks'] as const) {
    if (!Number.isSafeInteger(resolved[key]) || resolved[key] < 1) {
      refuse(`trustRegion.${key} is ${resolved[key]}`, 'give a positive integer');
    }
  }
  return resolved;
}

/**
 * The longest step of steepest descent in the geometry of the predictions: against the gradient g, and so long that the KL divergence
 * it causes is `maxKl` to second order (J. Schulman, S. Levine, P. Moritz, M. Jordan and P. Abbeel, "Trust region policy
 * optimization", ICML 2015, appendix C).
 *
 *     (F + damping I) x = g,  delta = -sqrt(2 maxKl / x'F x) x,  so that 1/2 delta'F delta = maxKl
 *
 * @param multiply F v of the exact Fisher matrix
 * @returns delta, and how well x solves its equation; delta is 0 where g or x'F x is
 */
export function boundaryStep(
  multiply: (vector: Float64Array[]) => Pieces,
  gradient: Pieces,
  { maxKl, iterations, damping }: Pick<Required<TrustRegionOptions>, 'maxKl' | 'iterations' | 'damping'>,
): { step: Float64Array[]; solution: ConjugateGradientsResult } {
  const damped = (vector: Float64Array[]): Pieces => {
    const product = multiply(vector);
    return vector.map((piece, i) => piece.map((value, at) => product[i][at] + damping * value));
  };
  const solution = conjugateGradients(damped, gradient, { iterations, tolerance: 1e-10 });
  const x = solution.solution;
  const curvature = dot(x, multiply(x));
  const length = curvature > 0 ? Math.sqrt((2 * maxKl) / curvature) : 0;
  return { step: x.map((piece) => piece.map((value) => -length * value)), solution };
}

/**
 * Shortens a step until the predictions have moved by no more than `maxKl` and the loss is no higher than before: the first of 0.8^j,
 * j = 0 … `backtracks` - 1, of which `measure` says so (Schulman et al. 2015, appendix C).
 *
 * @param measure the network with that fraction of the step taken
 * @returns the fraction, or 0 if none is good, and what was measured of it
 */
export function backtrack(
  measure: (fraction: number) => Measurement,
  lossBefore: number,
  { maxKl, backtracks }: Pick<Required<TrustRegionOptions>, 'maxKl' | 'backtracks'>,
): { fraction: number; kl: number } {
  for (let j = 0; j < backtracks; j++) {
    const fraction = SHORTENING ** j;
    const { kl, loss } = measure(fraction);
    if (kl <= maxKl && loss <= lossBefore) return { fraction, kl };
  }
  return { fraction: 0, kl: 0 };
}

function refuse(what: string, remedy: string): never {
  throw new NatgradError('ERR_NATGRAD_ARGUMENT', `${what}; ${remedy}.`);
}
