import type { FloatArray, Job } from '../../linalg/jobs';

/** `out = left right`, elementwise; `out` may be one of the two. */
export function multiplyJob(left: FloatArray, right: FloatArray, out: FloatArray): Job {
  return { op: 'elementwise', how: 'multiply', left, right, offset: 0, out };
}

/** `out = sum over terms of scale array`; `out` may be the array of a term. */
export function combineJob(terms: [scale: number, array: FloatArray][], out: FloatArray): Job {
  return { op: 'combine', terms: terms.map(([scale, data]) => ({ scale, data })), out };
}
