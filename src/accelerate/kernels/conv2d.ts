import * as tf from '@tensorflow/tfjs';
import { epilogue, noEpilogue } from './epilogue';
import { filterInfo, geometry } from './geometry';
import { allFloat32, sameShape, type Call, type Kernel } from './kernel';
import type { Memory } from '../memory';
import type { EpilogueArguments } from '../native';

type ConvolutionInfo = tf.backend_util.Conv2DInfo;

/** The geometry of a convolution, or `null` for another data format or shapes that do not fit. */
function convolutionInfo(
  xShape: number[],
  filterShape: number[],
  attrs: Pick<tf.Conv2DAttrs, 'strides' | 'pad' | 'dataFormat' | 'dimRoundingMode'>,
  dilations: number | [number, number],
): ConvolutionInfo | null {
  if ((attrs.dataFormat ?? 'NHWC') !== 'NHWC') return null;
  return filterInfo(xShape, filterShape, attrs, dilations, false);
}

function convolve(
  { inputs, attrs, memory, native }: Call<tf.Conv2DInputs, tf.Conv2DAttrs>,
  epilogueFor: (outShape: number[]) => ((memory: Memory) => EpilogueArguments) | null,
): tf.TensorInfo | null {
  const { x, filter } = inputs;
  if (!allFloat32(x, filter)) return null;
  const dilations = attrs.dilations as number | [number, number] | undefined;
  const info = convolutionInfo(x.shape, filter.shape, attrs, dilations ?? 1);
  if (info === null) return null;
  const finish = epilogueFor(info.outShape);
  if (finish === null) return null;
  return memory.create(info.outShape, (y) => {
    if (y.length === 0) return;
    native.conv2d(
      geometry(info),
      info.outChannels,
      memory.floats(x),
      memory.floats(filter),
      y,
      ...finish(memory),
    );
  });
}

export const conv2d: Kernel<tf.Conv2DInputs, tf.Conv2DAttrs> = (call) =>
  convolve(call, () => () => noEpilogue);

/** Convolution, plus bias, through an activation. */
export const fusedConv2d: Kernel<tf.FusedConv2DInputs, tf.FusedConv2DAttrs> = (call) =>
  convolve(call, (outShape) => epilogue(call.inputs, call.attrs, outShape));

export const conv2dBackpropFilter: Kernel<tf.Conv2DBackpropFilterInputs, tf.Conv2DBackpropFilterAttrs> = ({
  inputs: { x, dy },
  attrs,
  memory,
  native,
}) => {
  if (!allFloat32(x, dy)) return null;
  const info = convolutionInfo(x.shape, attrs.filterShape, attrs, 1);
  if (info === null || !sameShape(info.outShape, dy.shape)) return null;
  return memory.create(attrs.filterShape, (dFilter) => {
    if (dFilter.length === 0) return;
    native.conv2dFilterGradient(
      geometry(info),
      info.outChannels,
      memory.floats(x),
      memory.floats(dy),
      dFilter,
    );
  });
};

export const conv2dBackpropInput: Kernel<tf.Conv2DBackpropInputInputs, tf.Conv2DBackpropInputAttrs> = ({
  inputs: { dy, filter },
  attrs,
  memory,
  native,
}) => {
  if (!allFloat32(dy, filter)) return null;
  const info = convolutionInfo(attrs.inputShape, filter.shape, attrs, 1);
  if (info === null || !sameShape(info.outShape, dy.shape)) return null;
  return memory.create(info.inShape, (dx) => {
    if (dx.length === 0) return;
    native.conv2dInputGradient(
      geometry(info),
      info.outChannels,
      memory.floats(dy),
      memory.floats(filter),
      dx,
    );
  });
};
