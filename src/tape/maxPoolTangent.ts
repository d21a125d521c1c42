import * as tf from '@tensorflow/tfjs';

import type { KernelAttributes } from './attributes';

/** One spatial axis of a pooling: how wide its windows are and where they lie. */
interface Axis {
  window: number;
  stride: number;
  padBefore: number;
  padAfter: number;
  outputs: number;
}

/**
 * The direction of a max-pooling's output: in every window that of the element which is its maximum. Of several equal ones it is the
 * first, as in the gradients of tfjs's backends.
 *
 * Windows are looked at offset by offset: the elements at one offset of all windows are one strided slice of the padded input.
 *
 * @param x input [batch, ...spatial, channels] with two or three spatial axes
 * @param y output of the pooling
 * @param dx direction in x
 * @param attributes those of the kernel MaxPool or MaxPool3D
 */
export function maxPoolTangent(
  x: tf.Tensor,
  y: tf.Tensor,
  dx: tf.Tensor,
  attributes: KernelAttributes,
): tf.Tensor {
  const axes = axesOf(x, attributes);
  const paddings = [none, ...axes.map(({ padBefore, padAfter }) => [padBefore, padAfter]), none];
  const padded = tf.pad(x, paddings as [number, number][], -Infinity);
  const direction = tf.pad(dx, paddings as [number, number][]);

  let open = tf.onesLike(y);
  let result = tf.zerosLike(y);
  for (const offset of offsets(axes.map(({ window }) => window))) {
    const at = (tensor: tf.Tensor) => everyWindow(tensor, axes, offset, y.shape);
    const chosen = tf.mul(open, tf.cast(tf.equal(at(padded), y), 'float32'));
    result = tf.add(result, tf.mul(chosen, at(direction)));
    open = tf.sub(open, chosen);
  }
  return result;
}

const none = [0, 0];

/** The elements that all windows have at `offset`. */
function everyWindow(tensor: tf.Tensor, axes: Axis[], offset: number[], shape: number[]): tf.Tensor {
  const last = shape.length - 1;
  const begin = [0, ...offset, 0];
  const end = axes.map(({ outputs, stride }, i) => offset[i] + (outputs - 1) * stride + 1);
  const strides = [1, ...axes.map(({ stride }) => stride), 1];
  return tf.stridedSlice(tensor, begin, [shape[0], ...end, shape[last]], strides);
}

/** All combinations of offsets within a window, the last axis fastest. */
function offsets(windows: number[]): number[][] {
  return windows.reduce<number[][]>(
    (found, window) => found.flatMap((head) => Array.from({ length: window }, (_, i) => [...head, i])),
    [[]],
  );
}

function axesOf(x: tf.Tensor, { filterSize, strides, pad, dimRoundingMode }: KernelAttributes): Axis[] {
  const args = [filterSize, strides, 1, pad, dimRoundingMode] as const;
  if (x.rank === 5) {
    const compute = tf.backend_util.computePool3DInfo as (...from: unknown[]) => tf.backend_util.Conv3DInfo;
    const info = compute(x.shape, ...args);
    const [, depth, height, width] = x.shape as number[];
    const { front, back, top, bottom, left, right } = info.padInfo;
    return [
      axis(info.filterDepth, info.strideDepth, front, back, info.outDepth, depth),
      axis(info.filterHeight, info.strideHeight, top, bottom, info.outHeight, height),
      axis(info.filterWidth, info.strideWidth, left, right, info.outWidth, width),
    ];
  }
  const compute = tf.backend_util.computePool2DInfo as (...from: unknown[]) => tf.backend_util.Conv2DInfo;
  const info = compute(x.shape, ...args);
  const [, height, width] = x.shape as number[];
  const { top, bottom, left, right } = info.padInfo;
  return [
    axis(info.filterHeight, info.strideHeight, top, bottom, info.outHeight, height),
    axis(info.filterWidth, info.strideWidth, left, right, info.outWidth, width),
  ];
}

function axis(
  window: number,
  stride: number,
  padBefore: number,
  padAfter: number,
  outputs: number,
  length: number,
): Axis {
  // Rounding up the number of outputs can let the last window reach further than the padding.
  const reach = (outputs - 1) * stride + window - padBefore - length;
  return { window, stride, padBefore, padAfter: Math.max(padAfter, reach), outputs };
}
