/** Jobs that multiply matrices. */
import type { FloatArray } from './arrays';

/** How a symmetric matrix is held: all of it, its lower triangle only (a factor), or its diagonal as a vector. */
export type MatrixForm = 'full' | 'lower' | 'diagonal';

/**
 * `out = left * V * right` with V the `leftSize` by `rightSize` matrix whose rows are those of `input` followed, if given, by the
 * single row `inputLast` (the bias under its kernel); `outLast` goes with it. The report's `dot` is the inner product of V and
 * the result.
 */
export interface KroneckerJob {
  op: 'kronecker';
  left: FloatArray;
  leftSize: number;
  leftForm: MatrixForm;
  /** Multiply by the transpose of a full `left`, of a full `right`. Default false. */
  leftTransposed?: boolean;
  right: FloatArray;
  rightSize: number;
  rightForm: MatrixForm;
  rightTransposed?: boolean;
  input: FloatArray;
  inputLast?: FloatArray;
  out: FloatArray;
  outLast?: FloatArray;
}

/**
 * `out = scale * left * right + keep * out`, with `left` of `rows` by `inner`, `right` of `inner` by `columns`; a transposed one is held as
 * the transpose of that. With `count`, all three are stacks of so many matrices. With `outLast`, which goes with no stack, the last row of
 * the result lies there (that of a bias, beside its kernel).
 */
export interface ProductJob {
  op: 'product';
  left: FloatArray;
  right: FloatArray;
  rows: number;
  inner: number;
  columns: number;
  transposeLeft?: boolean;
  transposeRight?: boolean;
  /** Default 1. */
  count?: number;
  scale: number;
  /** With 0, what `out` holds is not read. */
  keep: number;
  out: FloatArray;
  outLast?: FloatArray;
}
