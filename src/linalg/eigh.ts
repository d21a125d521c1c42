import { allocate, many, sameForm, squareSize, type OneOrMany } from './batch';
import type { FloatArray } from './jobs';
import { perform, requireOptions, type CallOptions, type Outcome } from './outcome';

/** `matrix = vectors diag(values) vectors'`. */
export interface Eigendecomposition<T extends FloatArray = FloatArray> {
  /** n eigenvalues, ascending. */
  values: T;
  /** n by n, row-major; column k is the eigenvector of `values[k]`, of norm 1. */
  vectors: T;
}

/** The decompositions of what `eigh` was given: of one matrix, or of each of several. */
export type Decomposed<M> = M extends FloatArray
  ? Eigendecomposition<M>
  : M extends (infer T extends FloatArray)[]
    ? Eigendecomposition<T>[]
    : never;

/**
 * Eigenvalues and eigenvectors of symmetric matrices.
 *
 * @param matrices one n by n matrix, row-major, of which only the lower triangle is read; or an array of such matrices
 * @throws NatgradError ERR_NATGRAD_NOT_FINITE, ERR_NATGRAD_NOT_CONVERGED, ERR_NATGRAD_SHAPE, ERR_NATGRAD_TYPE, ERR_NATGRAD_BUFFER
 *
 * @example
 * const {values, vectors} = eigh(new Float64Array([2, 1, 1, 2])); // values: [1, 3]
 */
export function eigh<M extends OneOrMany, O extends CallOptions>(
  matrices: M,
  options?: O,
): Outcome<Decomposed<M>, O> {
  requireOptions<CallOptions>(options, []);
  const list = many<OneOrMany>(matrices) as Float32Array[];
  const results = list.map((matrix) => {
    const size = squareSize('matrix', matrix);
    return { values: allocate(matrix, size), vectors: allocate(matrix, size * size) };
  });
  const plans = list.map((matrix, i) => [
    [{ op: 'eigh' as const, matrix, size: results[i].values.length, ...results[i] }],
  ]);
  return perform('eigh', plans, sameForm<Decomposed<M>>(matrices, results), options);
}
