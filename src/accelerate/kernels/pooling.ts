import * as tf from '@tensorflow/tfjs';
import { geometry, isProper } from './geometry';
import type { NativeKernels } from '../native';
import { allFloat32, sameShape, type Kernel } from './kernel';

type Windows = ReturnType<typeof geometry>;

type PoolAttributes = Pick<tf.MaxPoolAttrs, 'filterSize' | 'strides' | 'pad' | 'dimRoundingMode'>;

/** The geometry of a pooling, or `null` where shapes do not fit. */
function poolInfo(xShape: number[], attrs: PoolAttributes): tf.backend_util.Conv2DInfo | null {
  if (xShape.length !== 4) return null;
  const info = tf.backend_util.computePool2DInfo(
    xShape as [number, number, number, number],
    attrs.filterSize,
    attrs.strides,
    1,
    attrs.pad,
    attrs.dimRoundingMode,
  );
  return isProper(info) ? info : null;
}

/** tfjs hands back its input where a window of one element changes nothing, and so do we, by leaving it to tfjs. */
const changesNothing = (info: tf.backend_util.Conv2DInfo) =>
  info.filterHeight === 1 && info.filterWidth === 1 && sameShape(info.inShape, info.outShape);

/** A pooling kernel, given what it makes of its windows. */
const pool =
  (
    compute: (native: NativeKernels, windows: Windows, x: Float32Array, y: Float32Array) => void,
  ): Kernel<tf.MaxPoolInputs, PoolAttributes> =>
  ({ inputs: { x }, attrs, memory, native }) => {
    if (!allFloat32(x)) return null;
    const info = poolInfo(x.shape, attrs);
    if (info === null || changesNothing(info)) return null;
    return memory.create(info.outShape, (y) => {
      if (y.length > 0) compute(native, geometry(info), memory.floats(x), y);
    });
  };

export const maxPool = pool((native, windows, x, y) => native.maxPool(windows, x, y));

export const avgPool = pool((native, windows, x, y) => native.averagePool(windows, x, y));

/** The gradient of a pooling kernel by its input, given how a window hands back what it gets. */
const poolGrad =
  (
    compute: (
      native: NativeKernels,
      windows: Windows,
      x: () => Float32Array,
      dy: Float32Array,
      dx: Float32Array,
    ) => void,
  ): Kernel<tf.MaxPoolGradInputs, PoolAttributes> =>
  ({ inputs: { dy, input }, attrs, memory, native }) => {
    if (!allFloat32(dy, input)) return null;
    const info = poolInfo(input.shape, attrs);
    if (info === null || !sameShape(info.outShape, dy.shape)) return null;
    return memory.create(input.shape, (dx) => {
      if (dx.length > 0) compute(native, geometry(info), () => memory.floats(input), memory.floats(dy), dx);
    });
  };

export const maxPoolGrad = poolGrad((native, windows, x, dy, dx) =>
  native.maxPoolGradient(windows, x(), dy, dx),
);

export const avgPoolGrad = poolGrad((native, windows, _, dy, dx) =>
  native.averagePoolGradient(windows, dy, dx),
);
