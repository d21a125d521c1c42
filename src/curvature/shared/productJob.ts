import type { FloatArray, ProductJob } from '../../linalg/jobs';

/** `out = scale left right + keep out` for [rows, inner, columns]. */
export function product(
  [rows, inner, columns]: [number, number, number],
  left: FloatArray,
  right: FloatArray,
  out: FloatArray,
  { scale = 1, keep = 0 } = {},
): ProductJob {
  return { op: 'product', left, right, rows, inner, columns, scale, keep, out };
}
