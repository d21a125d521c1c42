import * as tf from '@tensorflow/tfjs';

/** What `tf.backend_util` computes of a convolution or a pooling, with the padding resolved. */
type WindowInfo = Pick<
  tf.backend_util.Conv2DInfo,
  | 'batchSize'
  | 'inHeight'
  | 'inWidth'
  | 'inChannels'
  | 'filterHeight'
  | 'filterWidth'
  | 'strideHeight'
  | 'strideWidth'
  | 'dilationHeight'
  | 'dilationWidth'
  | 'outHeight'
  | 'outWidth'
  | 'padInfo'
>;

/** A geometry as the addon takes it: the fields of its `ConvGeometry` in their order. */
export function geometry(info: WindowInfo): Int32Array {
  return new Int32Array([
    info.batchSize,
    info.inHeight,
    info.inWidth,
    info.inChannels,
    info.filterHeight,
    info.filterWidth,
    info.strideHeight,
    info.strideWidth,
    info.dilationHeight,
    info.dilationWidth,
    info.padInfo.top,
    info.padInfo.left,
    info.outHeight,
    info.outWidth,
  ]);
}

/** What tfjs computes of a convolution, or `null` where the shapes do not fit; whether it is one per channel decides the output channels. */
export function filterInfo(
  xShape: number[],
  filterShape: number[],
  attrs: Pick<tf.Conv2DAttrs, 'strides' | 'pad' | 'dimRoundingMode'>,
  dilations: number | [number, number],
  depthwise: boolean,
): tf.backend_util.Conv2DInfo | null {
  if (xShape.length !== 4 || filterShape.length !== 4 || xShape[3] !== filterShape[2]) return null;
  const info = tf.backend_util.computeConv2DInfo(
    xShape as [number, number, number, number],
    filterShape as [number, number, number, number],
    attrs.strides,
    dilations,
    attrs.pad,
    attrs.dimRoundingMode,
    depthwise,
  );
  return isProper(info) ? info : null;
}

/** Whether the window fits the image at all; tfjs has its own complaints where it does not. */
export const isProper = ({ outShape }: tf.backend_util.Conv2DInfo) =>
  outShape.every((dimension) => Number.isInteger(dimension) && dimension >= 0);
