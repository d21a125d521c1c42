import type { FloatArray, KroneckerJob, MatrixForm } from '../../linalg/jobs';

/** One of the two matrices that a layer's kernel is multiplied with, from the left or from the right. */
export interface Operand {
  matrix: FloatArray;
  size: number;
  form: MatrixForm;
  /** Multiply by the transpose; only of a full matrix. */
  transposed?: boolean;
}

/**
 * `out = left V right`, with V the variables of a layer: its kernel, and its bias, if there is one, as one more row. The report's `dot` is the
 * inner product of the two.
 */
export function kroneckerJob(
  left: Operand,
  right: Operand,
  [kernel, bias]: FloatArray[],
  [outKernel, outBias]: FloatArray[],
): KroneckerJob {
  return {
    op: 'kronecker',
    left: left.matrix,
    leftSize: left.size,
    leftForm: left.form,
    leftTransposed: left.transposed,
    right: right.matrix,
    rightSize: right.size,
    rightForm: right.form,
    rightTransposed: right.transposed,
    input: kernel,
    inputLast: bias,
    out: outKernel,
    outLast: outBias,
  };
}
