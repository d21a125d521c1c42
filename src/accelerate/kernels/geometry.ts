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

/** Whether the window fits the image at all; tfjs has its own complaints where it does not. */
export const isProper = ({ outShape }: tf.backend_util.Conv2DInfo) =>
  outShape.every((dimension) => Number.isInteger(dimension) && dimension >= 0);
