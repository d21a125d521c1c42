import * as tf from '@tensorflow/tfjs';
import { geometry, isProper } from './geometry';
import { allFloat32, sameShape, type Kernel } from './kernel';

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

export const maxPool: Kernel<tf.MaxPoolInputs, tf.MaxPoolAttrs> = ({
  inputs: { x },
  attrs,
  memory,
  native,
}) => {
  if (!allFloat32(x)) return null;
  const info = poolInfo(x.shape, attrs);
  if (info === null || changesNothing(info)) return null;
  return memory.create(info.outShape, (y) => {
    if (y.length > 0) native.maxPool(geometry(info), memory.floats(x), y);
  });
};

export const maxPoolGrad: Kernel<tf.MaxPoolGradInputs, tf.MaxPoolGradAttrs> = ({
  inputs: { dy, input },
  attrs,
  memory,
  native,
}) => {
  if (!allFloat32(dy, input)) return null;
  const info = poolInfo(input.shape, attrs);
  if (info === null || !sameShape(info.outShape, dy.shape)) return null;
  return memory.create(input.shape, (dx) => {
    if (dx.length > 0) native.maxPoolGradient(geometry(info), memory.floats(input), memory.floats(dy), dx);
  });
};

export const avgPool: Kernel<tf.AvgPoolInputs, tf.AvgPoolAttrs> = ({
  inputs: { x },
  attrs,
  memory,
  native,
}) => {
  if (!allFloat32(x)) return null;
  const info = poolInfo(x.shape, attrs);
  if (info === null || changesNothing(info)) return null;
  return memory.create(info.outShape, (y) => {
    if (y.length > 0) native.averagePool(geometry(info), memory.floats(x), y);
  });
};

export const avgPoolGrad: Kernel<tf.AvgPoolGradInputs, tf.AvgPoolGradAttrs> = ({
  inputs: { dy, input },
  attrs,
  memory,
  native,
}) => {
  if (!allFloat32(dy, input)) return null;
  const info = poolInfo(input.shape, attrs);
  if (info === null || !sameShape(info.outShape, dy.shape)) return null;
  return memory.create(input.shape, (dx) => {
    if (dx.length > 0) native.averagePoolGradient(geometry(info), memory.floats(dy), dx);
  });
};
