import * as tf from '@tensorflow/tfjs';
import { filterInfo, geometry } from './geometry';
import { allFloat32, sameShape, type Kernel } from './kernel';

/** The geometry of a depthwise convolution, or `null` where shapes do not fit or tfjs refuses. */
function depthwiseInfo(
  xShape: number[],
  filterShape: number[],
  attrs: Pick<tf.DepthwiseConv2dNativeAttrs, 'strides' | 'pad' | 'dimRoundingMode'>,
  dilations: number | [number, number],
): tf.backend_util.Conv2DInfo | null {
  if (!tf.backend_util.eitherStridesOrDilationsAreOne(attrs.strides, dilations)) return null;
  return filterInfo(xShape, filterShape, attrs, dilations, true);
}

export const depthwiseConv2d: Kernel<tf.DepthwiseConv2dNativeInputs, tf.DepthwiseConv2dNativeAttrs> = ({
  inputs: { x, filter },
  attrs,
  memory,
  native,
}) => {
  if (!allFloat32(x, filter)) return null;
  const dilations = attrs.dilations as number | [number, number] | undefined;
  const info = depthwiseInfo(x.shape, filter.shape, attrs, dilations ?? 1);
  if (info === null) return null;
  return memory.create(info.outShape, (y) => {
    if (y.length === 0) return;
    native.depthwise(geometry(info), filter.shape[3], memory.floats(x), memory.floats(filter), y);
  });
};

/** The gradients know no dilation: tfjs does not define them for one. */
const undilated = (dilations: number | [number, number] | undefined) =>
  dilations === undefined || tf.backend_util.tupleValuesAreOne(dilations);

export const depthwiseConv2dBackpropFilter: Kernel<
  tf.DepthwiseConv2dNativeBackpropFilterInputs,
  tf.DepthwiseConv2dNativeBackpropFilterAttrs
> = ({ inputs: { x, dy }, attrs, memory, native }) => {
  if (!allFloat32(x, dy) || !undilated(attrs.dilations)) return null;
  const info = depthwiseInfo(x.shape, attrs.filterShape, attrs, 1);
  if (info === null || !sameShape(info.outShape, dy.shape)) return null;
  return memory.create(attrs.filterShape, (dFilter) => {
    if (dFilter.length === 0) return;
    native.depthwiseFilterGradient(
      geometry(info),
      attrs.filterShape[3],
      memory.floats(x),
      memory.floats(dy),
      dFilter,
    );
  });
};

export const depthwiseConv2dBackpropInput: Kernel<
  tf.DepthwiseConv2dNativeBackpropInputInputs,
  tf.DepthwiseConv2dNativeBackpropInputAttrs
> = ({ inputs: { dy, filter }, attrs, memory, native }) => {
  if (!allFloat32(dy, filter) || !undilated(attrs.dilations)) return null;
  const info = depthwiseInfo(attrs.inputShape, filter.shape, attrs, 1);
  if (info === null || !sameShape(info.outShape, dy.shape)) return null;
  return memory.create(info.inShape, (dx) => {
    if (dx.length === 0) return;
    native.depthwiseInputGradient(
      geometry(info),
      filter.shape[3],
      memory.floats(dy),
      memory.floats(filter),
      dx,
    );
  });
};
