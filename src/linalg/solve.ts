import { NatgradError } from '../errors';
import {
  allocate,
  floatArray,
  many,
  outputs,
  sameCount,
  sameForm,
  squareSize,
  type OneOrMany,
} from './batch';
import type { Damped, FloatArray, InverseJob, KroneckerJob } from './jobs';
import { perform, requireOptions, type CallOptions, type Outcome } from './outcome';

export interface SolveOptions<M extends OneOrMany = OneOrMany> extends CallOptions {
  /** Default 0. */
  damping?: number;
  /** Where to write, in the form of the right-hand side; must not overlap an input. Default: new arrays. */
  out?: M;
}

/**
 * Solves `(M + damping I) X = B` for symmetric positive definite M, by multiplication with the Cholesky inverse.
 *
 * @param matrices n by n, row-major, only the lower triangle is read; or an array of such matrices
 * @param b n by k, row-major, in the same form; k may be 1
 * @returns X, in the form of `b`
 * @throws NatgradError ERR_NATGRAD_NOT_POSITIVE_DEFINITE, ERR_NATGRAD_NOT_FINITE, ERR_NATGRAD_SHAPE, ERR_NATGRAD_TYPE,
 *   ERR_NATGRAD_BUFFER, ERR_NATGRAD_ARGUMENT
 *
 * @example
 * solve(new Float64Array([2, 0, 1, 2]), new Float64Array([3, 3])); // [1, 1]
 */
export function solve<M extends OneOrMany, O extends SolveOptions<M>>(
  matrices: OneOrMany,
  b: M,
  options?: O,
): Outcome<M, O> {
  requireOptions<SolveOptions>(options, ['damping', 'out']);
  const list = many(matrices);
  const sides = many<OneOrMany>(b) as FloatArray[];
  sameCount('matrices', list.length, 'b', sides.length);
  const out = outputs(
    sides,
    sides.map((side) => floatArray('b', side).length),
    options?.out,
  );
  const plans = list.map((matrix, i): [[InverseJob], [KroneckerJob]] => {
    const inverse = inverseJob('matrix', matrix, { damping: options?.damping ?? 0 });
    const columns = inverse.size === 0 ? 0 : sides[i].length / inverse.size;
    if (!Number.isInteger(columns)) {
      throw new NatgradError(
        'ERR_NATGRAD_SHAPE',
        `b has ${sides[i].length} elements, which are not whole columns of ${inverse.size}`,
      );
    }
    const identity = allocate(matrix, columns).fill(1);
    return [
      [inverse],
      [product(inverse, { out: identity, size: columns, form: 'diagonal' }, sides[i], out[i])],
    ];
  });
  return perform('solve', plans, sameForm<M>(b, out), options);
}

/**
 * The K-FAC direction of a gradient, `(A + pi sqrt(damping) I)^-1 V (G + sqrt(damping) / pi I)^-1` with the factored Tikhonov damping of
 * Martens & Grosse (2015, section 6.3), `pi = sqrt((tr A / m) / (tr G / n))`.
 *
 * @param a m by m factors, row-major, only the lower triangle is read
 * @param v m by n gradients, of kernels of shape [in, out]
 * @param g n by n factors; all of one dtype, or arrays of as many of each
 * @returns m by n, in the form of `v`
 * @throws as {@link solve}
 *
 * @example
 * const direction = kroneckerSolve(activationFactor, gradient, outputGradientFactor, {damping: 0.03});
 */
export function kroneckerSolve<M extends OneOrMany, O extends SolveOptions<M>>(
  a: OneOrMany,
  v: M,
  g: OneOrMany,
  options?: O,
): Outcome<M, O> {
  requireOptions<SolveOptions>(options, ['damping', 'out']);
  const lefts = many(a);
  const rights = many(g);
  const inputs = many<OneOrMany>(v) as FloatArray[];
  sameCount('a', lefts.length, 'v', inputs.length);
  sameCount('g', rights.length, 'v', inputs.length);
  const out = outputs(
    inputs,
    inputs.map((input) => floatArray('v', input).length),
    options?.out,
  );
  const damping = options?.damping ?? 0;
  const plans = inputs.map((input, i): [InverseJob[], [KroneckerJob]] => {
    const [left, right] = [lefts[i], rights[i]];
    const leftPartner = { matrix: left, size: squareSize('a', left) };
    const rightPartner = { matrix: right, size: squareSize('g', right) };
    const paired = leftPartner.size > 0 && rightPartner.size > 0;
    const leftInverse = inverseJob('a', left, paired ? { damping, partner: rightPartner } : { damping });
    const rightInverse = inverseJob('g', right, paired ? { damping, partner: leftPartner } : { damping });
    const side = { out: rightInverse.out, size: rightInverse.size, form: 'full' as const };
    return [[leftInverse, rightInverse], [product(leftInverse, side, input, out[i])]];
  });
  return perform('kroneckerSolve', plans, sameForm<M>(v, out), options);
}

function inverseJob(name: string, matrix: FloatArray, damped: Damped): InverseJob {
  const size = squareSize(name, matrix);
  return { op: 'inverse', matrix, size, out: allocate(matrix, size * size), ...damped };
}

function product(
  left: { out: FloatArray; size: number },
  right: { out: FloatArray; size: number; form: 'full' | 'diagonal' },
  input: FloatArray,
  out: FloatArray,
): KroneckerJob {
  return {
    op: 'kronecker',
    left: left.out,
    leftSize: left.size,
    leftForm: 'full',
    right: right.out,
    rightSize: right.size,
    rightForm: right.form,
    input,
    out,
  };
}
