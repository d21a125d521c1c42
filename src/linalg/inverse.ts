import { NatgradError } from '../errors';
import { many, outputs, sameCount, sameForm, squareSize, stackCount, type OneOrMany } from './batch';
import type { FloatArray } from './jobs';
import { perform, requireOptions, type CallOptions, type Outcome } from './outcome';

export interface InverseOptions<M extends OneOrMany = OneOrMany> extends CallOptions {
  /** Added to the diagonal before inverting; default 0. */
  damping?: number;
  /** That every array is a stack of matrices of this size, one after the other. Default: every array is one matrix. */
  size?: number;
  /**
   * Full inverses of matrices nearby, such as earlier results, in the form of the input and not with `size`: for matrices larger than 64 by
   * 64 the addon then begins with Newton's iteration from there, and goes back to Cholesky where that does not converge as it should. That
   * is 12 to 32 n^3 operations in the place of n^3, all of them products of matrices: for devices that are slow at anything else, not for
   * processors. They must be symmetric positive definite, which is not checked. Default: none.
   */
  start?: OneOrMany;
  /** Where to write, in the form of the input; must not overlap it, nor `start`. Default: new arrays. */
  out?: M;
}

/**
 * Inverse of symmetric positive definite matrices, `(M + damping I)^-1`, by Cholesky.
 *
 * @param matrices one n by n matrix, row-major, of which only the lower triangle is read; or an array of such matrices, of one dtype each
 *   and any sizes, which are inverted at the same time on several threads. With `size`, stacks of matrices in the place of single ones:
 *   for many small matrices, several times as fast as an array of them
 * @returns full, exactly symmetric matrices in the dtype of the input
 * @throws NatgradError ERR_NATGRAD_NOT_POSITIVE_DEFINITE, ERR_NATGRAD_NOT_FINITE, ERR_NATGRAD_SHAPE, ERR_NATGRAD_TYPE,
 *   ERR_NATGRAD_BUFFER, ERR_NATGRAD_ARGUMENT
 *
 * @example
 * inverse(new Float64Array([2, 0, 1, 2])); // [0.667, -0.333, -0.333, 0.667]: the 0 above the diagonal is not read
 *
 * @example
 * // A stack of two matrices of size 2, as a tensor of shape [2, 2, 2] holds it.
 * inverse(new Float64Array([2, 0, 0, 2, 4, 0, 0, 4]), { size: 2 }); // [0.5, 0, 0, 0.5, 0.25, 0, 0, 0.25]
 */
export function inverse<M extends OneOrMany, O extends InverseOptions<M>>(
  matrices: M,
  options?: O,
): Outcome<M, O> {
  requireOptions<InverseOptions>(options, ['damping', 'size', 'start', 'out']);
  const list = many<OneOrMany>(matrices) as Float32Array[];
  const shapes = list.map((matrix) =>
    options?.size === undefined
      ? { size: squareSize('matrix', matrix) }
      : { size: options.size, count: stackCount('matrix', matrix, options.size) },
  );
  const out = outputs(
    list,
    list.map((matrix) => matrix.length),
    options?.out,
  );
  const damping = options?.damping ?? 0;
  const starts = startsOf(options, list.length);
  const plans = list.map((matrix, i) => {
    const start = starts && { start: starts[i] };
    return [[{ op: 'inverse' as const, matrix, ...shapes[i], damping, ...start, out: out[i] }]];
  });
  return perform('inverse', plans, sameForm<M>(matrices, out), options);
}

function startsOf({ start, size }: InverseOptions = {}, count: number): FloatArray[] | null {
  if (start === undefined) return null;
  if (size !== undefined) {
    throw new NatgradError(
      'ERR_NATGRAD_ARGUMENT',
      'start goes with single matrices; leave size out, or start.',
    );
  }
  const starts = many<FloatArray>(start);
  sameCount('matrices', count, 'start', starts.length);
  return starts;
}
