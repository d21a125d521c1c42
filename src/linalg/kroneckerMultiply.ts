import { floatArray, many, outputs, sameCount, sameForm, squareSize, type OneOrMany } from './batch';
import type { FloatArray, KroneckerJob, MatrixForm } from './jobs';
import { perform, requireOptions, type CallOptions, type Outcome } from './outcome';

export interface KroneckerOptions<M extends OneOrMany = OneOrMany> extends CallOptions {
  /** How the left matrices are given: 'full' (default), 'lower' triangle of a symmetric one, or 'diagonal' as a vector. */
  leftForm?: MatrixForm;
  rightForm?: MatrixForm;
  /** Where to write, in the form of `v`; must not overlap an input. Default: new arrays. */
  out?: M;
}

/**
 * `left V right`, the product of a Kronecker product and a vector: with inverse factors, `A^-1 V G^-1` is the K-FAC direction for the
 * gradient V of a kernel of shape [in, out].
 *
 * @param left m by m, @param v m by n, @param right n by n; all row-major and of one dtype; or arrays of as many of each
 * @returns m by n, in the form of `v`
 * @throws NatgradError ERR_NATGRAD_SHAPE, ERR_NATGRAD_TYPE, ERR_NATGRAD_BUFFER, ERR_NATGRAD_ARGUMENT
 *
 * @example
 * const direction = kroneckerMultiply(inverse(a, {damping}), gradient, inverse(g, {damping}));
 */
export function kroneckerMultiply<M extends OneOrMany, O extends KroneckerOptions<M>>(
  left: OneOrMany,
  v: M,
  right: OneOrMany,
  options?: O,
): Outcome<M, O> {
  requireOptions<KroneckerOptions>(options, ['leftForm', 'rightForm', 'out']);
  const inputs = many<OneOrMany>(v) as FloatArray[];
  const out = outputs(
    inputs,
    inputs.map((input) => floatArray('v', input).length),
    options?.out,
  );
  const lefts = many(left);
  const rights = many(right);
  sameCount('left', lefts.length, 'v', inputs.length);
  sameCount('right', rights.length, 'v', inputs.length);
  const leftForm = options?.leftForm ?? 'full';
  const rightForm = options?.rightForm ?? 'full';
  const plans = inputs.map((input, i): [[KroneckerJob]] => [
    [
      {
        op: 'kronecker',
        left: lefts[i],
        leftSize: sizeOf('left', lefts[i], leftForm),
        leftForm,
        right: rights[i],
        rightSize: sizeOf('right', rights[i], rightForm),
        rightForm,
        input,
        out: out[i],
      },
    ],
  ]);
  return perform('kroneckerMultiply', plans, sameForm<M>(v, out), options);
}

function sizeOf(name: string, matrix: FloatArray, form: MatrixForm): number {
  return form === 'diagonal' ? floatArray(name, matrix).length : squareSize(name, matrix);
}
