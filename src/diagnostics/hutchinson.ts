import { NatgradError, requireKeys } from '../errors';
import { randomStream } from '../fisher/random';

export interface HutchinsonOptions {
  /** How many vectors are drawn, at least two. Default 32. */
  samples?: number;
  /** Of the vectors. Default 0. */
  seed?: number;
}

export interface TraceEstimate {
  trace: number;
  /** The standard deviation of `trace`, estimated from the samples; it falls as their root. */
  standardError: number;
}

/**
 * The trace of a symmetric matrix from its values on random vectors (M. Hutchinson, "A stochastic estimator of the trace of the influence
 * matrix for Laplacian smoothing splines", 1990): with independent signs v_i = +-1
 *
 *     E v'M v = tr M,   Var v'M v = 2 sum of M_ij^2 over i != j,
 *
 * so that a diagonal matrix needs one vector, and no other distribution of independent v_i has a smaller variance.
 *
 * @param form v'M v for a vector of `size` signs
 * @throws NatgradError ERR_NATGRAD_ARGUMENT if size is no positive integer, samples is none from 2 on, or for an unknown option; ERR_NATGRAD_NOT_FINITE if a value
 *   of form is not finite
 */
export function hutchinson(
  form: (vector: Float64Array) => number,
  size: number,
  options: HutchinsonOptions = {},
): TraceEstimate {
  requireKeys(options, ['samples', 'seed'], 'options');
  const { samples = 32, seed = 0 } = options;
  requireCount('size', size, 1);
  requireCount('samples', samples, 2);
  const random = randomStream(seed, 0);
  const values = Array.from({ length: samples }, () => {
    const value = form(Float64Array.from({ length: size }, () => (random.uniform() < 0.5 ? -1 : 1)));
    if (Number.isFinite(value)) return value;
    throw new NatgradError(
      'ERR_NATGRAD_NOT_FINITE',
      `form gave ${value} for a vector; give it a finite matrix.`,
    );
  });
  const trace = values.reduce((sum, value) => sum + value, 0) / samples;
  const squares = values.reduce((sum, value) => sum + (value - trace) ** 2, 0);
  return { trace, standardError: Math.sqrt(squares / (samples - 1) / samples) };
}

function requireCount(name: string, value: number, least: number): void {
  if (Number.isSafeInteger(value) && value >= least) return;
  throw new NatgradError(
    'ERR_NATGRAD_ARGUMENT',
    `${name} is ${value}; give ${least === 1 ? 'a positive integer' : `an integer from ${least} on`}.`,
  );
}
