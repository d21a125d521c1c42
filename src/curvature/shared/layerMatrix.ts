/** The variables of a layer as one matrix, [a~ | out] with the bias as the last row, or [out, in] where the kernel is used transposed. */
import type { FloatArray, Job } from '../../linalg/jobs';

export interface MatrixShape {
  rows: number;
  columns: number;
  /** Whether the last row is a variable of its own. */
  bias: boolean;
}

/** The parts of a matrix that are the arrays of the variables. */
export function variableParts(matrix: FloatArray, { rows, columns, bias }: MatrixShape): FloatArray[] {
  if (!bias) return [matrix];
  const kernel = (rows - 1) * columns;
  return [matrix.subarray(0, kernel), matrix.subarray(kernel)];
}

/** Jobs that copy the arrays of the variables into one matrix. */
export function gatherJobs(variables: FloatArray[], matrix: FloatArray, shape: MatrixShape): Job[] {
  return variableParts(matrix, shape).map((part, i) => copyJob(variables[i], part));
}

/** Jobs that copy one matrix to the arrays of the variables. */
export function scatterJobs(matrix: FloatArray, variables: FloatArray[], shape: MatrixShape): Job[] {
  return variableParts(matrix, shape).map((part, i) => copyJob(part, variables[i]));
}

export function copyJob(from: FloatArray, to: FloatArray): Job {
  return { op: 'combine', terms: [{ data: from, scale: 1 }], out: to };
}
