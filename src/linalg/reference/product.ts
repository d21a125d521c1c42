import type { FloatArray, ProductJob, Report } from '../jobs';
import { multiply, transpose } from './dense';
import { report } from './report';

/** `scale left right + keep out`, for every matrix of a stack; the last row of a single one may lie apart. */
export function product(job: ProductJob): Report {
  const { rows, inner, columns, count = 1, scale, keep, out, outLast } = job;
  if (rows === 0 || columns === 0) return report();
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
    const add = (to: FloatArray, from: FloatArray) => {
      for (let i = 0; i < to.length; i++) to[i] = scale * from[i] + (keep === 0 ? 0 : keep * to[i]);
    };
    const together = (rows - (outLast ? 1 : 0)) * columns;
    add(out.subarray(k * together, (k + 1) * together), result);
    if (outLast) add(outLast, result.subarray(together));
  }
  return report();
}
