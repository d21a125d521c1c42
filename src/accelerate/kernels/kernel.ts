import type * as tf from '@tensorflow/tfjs';
import type { Memory } from '../memory';
import type { NativeKernels } from '../native';

/** One call of a tfjs kernel. */
export interface Call<Inputs, Attributes> {
  /** tfjs's own types leave open whether a required input is there; its engine has seen to it that it is. */
  inputs: { [Name in keyof Inputs]: tf.TensorInfo };
  attrs: Attributes;
  memory: Memory;
  native: NativeKernels;
}

/**
 * A native replacement of a tfjs kernel. It returns `null` for what it does not take on (another dtype or data format, shapes that
 * do not fit), and then the kernel it replaced is called, so that behaviour and error messages stay tfjs's.
 */
export type Kernel<Inputs, Attributes> = (call: Call<Inputs, Attributes>) => tf.TensorInfo | null;

export const allFloat32 = (...tensors: tf.TensorInfo[]) => tensors.every(({ dtype }) => dtype === 'float32');

export const sameShape = (a: readonly number[], b: readonly number[]) =>
  a.length === b.length && a.every((dimension, axis) => dimension === b[axis]);

/**
 * Whether a tensor of `shape`, broadcast to `outShape`, repeats itself from one end of the result to the other: a single number, or
 * the last dimensions of the result in full.
 */
export function repeats(shape: number[], outShape: number[]): boolean {
  const first = shape.findIndex((dimension) => dimension !== 1);
  if (first < 0) return shape.length <= outShape.length;
  const tail = shape.slice(first);
  return shape.length <= outShape.length && sameShape(tail, outShape.slice(-tail.length));
}
