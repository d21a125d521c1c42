import * as tf from '@tensorflow/tfjs';
import type { BackendName } from './memory';
import { add } from './kernels/add';
import { conv2d, conv2dBackpropFilter, conv2dBackpropInput, fusedConv2d } from './kernels/conv2d';
import {
  depthwiseConv2d,
  depthwiseConv2dBackpropFilter,
  depthwiseConv2dBackpropInput,
} from './kernels/depthwise';
import type { Kernel } from './kernels/kernel';
import { batchMatMul, fusedMatMul } from './kernels/matMul';
import { avgPool, avgPoolGrad, maxPool, maxPoolGrad } from './kernels/pooling';
import { cast, identity } from './kernels/share';
import { sum } from './kernels/sum';
import { unsortedSegmentSum } from './kernels/segmentSum';

/** A replacement as the registry keeps it, its inputs and attributes being those of the tfjs kernel it is listed under. */
export type AnyKernel = Kernel<tf.NamedTensorInfoMap, tf.NamedAttrMap>;

const of = <Inputs, Attributes>(kernel: Kernel<Inputs, Attributes>) => kernel as unknown as AnyKernel;

const everywhere: [string, AnyKernel][] = [
  [tf.BatchMatMul, of(batchMatMul)],
  [tf._FusedMatMul, of(fusedMatMul)],
  [tf.Conv2D, of(conv2d)],
  [tf.FusedConv2D, of(fusedConv2d)],
  [tf.Conv2DBackpropFilter, of(conv2dBackpropFilter)],
  [tf.Conv2DBackpropInput, of(conv2dBackpropInput)],
  [tf.DepthwiseConv2dNative, of(depthwiseConv2d)],
  [tf.DepthwiseConv2dNativeBackpropFilter, of(depthwiseConv2dBackpropFilter)],
  [tf.DepthwiseConv2dNativeBackpropInput, of(depthwiseConv2dBackpropInput)],
  [tf.MaxPool, of(maxPool)],
  [tf.MaxPoolGrad, of(maxPoolGrad)],
  [tf.AvgPool, of(avgPool)],
  [tf.AvgPoolGrad, of(avgPoolGrad)],
  [tf.UnsortedSegmentSum, of(unsortedSegmentSum)],
  [tf.Add, of(add)],
  [tf.Sum, of(sum)],
];

/** Which tfjs kernels of a backend are replaced, and by what. */
export const catalogue: Readonly<Record<BackendName, ReadonlyMap<string, AnyKernel>>> = {
  cpu: new Map(everywhere),
  wasm: new Map([...everywhere, [tf.Identity, of(identity)], [tf.Cast, of(cast)]]),
};
