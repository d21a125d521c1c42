import type { FloatArray, KroneckerJob, MatrixForm, Report } from '../jobs';
import { multiply, symmetricFromLower, transpose } from './dense';
import { report } from './report';

/** `left V right`: a Kronecker product times a vector, `vec(L V R) = (R x L) vec(V)` for symmetric R, column stacking. */
export function kronecker(job: KroneckerJob): Report {
  const { leftSize, rightSize, input, inputLast, out, outLast } = job;
  const v = new Float64Array(leftSize * rightSize);
  v.set(input);
  if (inputLast) v.set(inputLast, input.length);
  const left = explicit(job.left, leftSize, job.leftForm, job.leftTransposed);
  const right = explicit(job.right, rightSize, job.rightForm, job.rightTransposed);
  const half = multiply(left, v, leftSize, leftSize, rightSize);
  const result = multiply(half, right, leftSize, rightSize, rightSize);
  let dot = 0;
  for (let i = 0; i < v.length; i++) dot += v[i] * result[i];
  out.set(result.subarray(0, out.length));
  outLast?.set(result.subarray(out.length));
  return report({ dot });
}

function explicit(matrix: FloatArray, size: number, form: MatrixForm, transposed = false): FloatArray {
  if (form === 'full') return transposed ? transpose(matrix, size, size) : matrix;
  if (form === 'lower') return symmetricFromLower(matrix, size);
  const full = new Float64Array(size * size);
  for (let i = 0; i < size; i++) full[i * size + i] = matrix[i];
  return full;
}
