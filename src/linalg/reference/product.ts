import type { FloatArray, ProductJob, Report } from '../jobs';
import { multiply, transpose } from './dense';
import { report } from './report';

/** `scale left right + keep out`, for every matrix of a stack. */
export function product(job: ProductJob): Report {
  const { rows, inner, columns, count = 1, scale, keep, out } = job;
  if (out.length === 0) return report();
  const matrix = (stack: FloatArray, k: number, height: number, width: number, transposed = false) => {
    const held = stack.subarray(k * height * width, (k + 1) * height * width);
    return transposed ? transpose(held, width, height) : held;
  };
  for (let k = 0; k < count; k++) {
    const result = multiply(
      matrix(job.left, k, rows, inner, job.transposeLeft),
      matrix(job.right, k, inner, columns, job.transposeRight),
      rows,
      inner,
      columns,
    );
    const to = out.subarray(k * rows * columns, (k + 1) * rows * columns);
    for (let i = 0; i < to.length; i++) to[i] = scale * result[i] + (keep === 0 ? 0 : keep * to[i]);
  }
  return report();
}
