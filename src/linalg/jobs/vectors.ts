/** Jobs that go over arrays element by element. */
import type { FloatArray } from './arrays';

/** `out[i] = input[i] * diagonal[i]`; the report's `dot` is the inner product of input and out. */
export interface ScaleJob {
  op: 'scale';
  diagonal: FloatArray;
  input: FloatArray;
  out: FloatArray;
}

/**
 * One pass over a variable: `velocity = momentum * velocity + step * direction`, then `weights = shrink * weights + velocity`.
 * Without a velocity: `weights = shrink * weights + step * direction`.
 */
export interface UpdateJob {
  op: 'update';
  weights: FloatArray;
  direction: FloatArray;
  velocity?: FloatArray;
  momentum: number;
  step: number;
  shrink: number;
}

/** `out[i] = sum over terms of scale * data[i]`; `out` may be the data of a term. */
export interface CombineJob {
  op: 'combine';
  terms: { data: FloatArray; scale: number }[];
  out: FloatArray;
}

/**
 * 'multiply': `out[i] = left[i] * (right[i] + offset)`; 'divide': `out[i] = left[i] / (right[i] + offset)`. `out` may be `left` or `right`.
 * The report's `dot` is the inner product of left (as it was) and out.
 */
export interface ElementwiseJob {
  op: 'elementwise';
  how: 'multiply' | 'divide';
  left: FloatArray;
  right: FloatArray;
  offset: number;
  out: FloatArray;
}

/** Nothing but the report's `dot`: the inner product of the two. */
export interface DotJob {
  op: 'dot';
  left: FloatArray;
  right: FloatArray;
}
