import type { FloatArray, ProductJob } from '../../linalg/jobs';

type How = Partial<
  Pick<ProductJob, 'scale' | 'keep' | 'count' | 'transposeLeft' | 'transposeRight' | 'outLast'>
>;

/** `out = scale left right + keep out` for [rows, inner, columns]; by default `out = left right`. */
export function product(
  [rows, inner, columns]: [number, number, number],
  left: FloatArray,
  right: FloatArray,
  out: FloatArray,
  how: How = {},
): ProductJob {
  return { op: 'product', left, right, rows, inner, columns, scale: 1, keep: 0, out, ...how };
}
