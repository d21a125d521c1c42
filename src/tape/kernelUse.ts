import * as tf from '@tensorflow/tfjs';

import type { ConvGeometry } from '../linalg/jobs';
import type { Attributes, KernelAttributes } from './attributes';
import { untaped } from './engine';
import { rationalKernel, type RationalAttributes } from './rationalKernel';
import type { Layer, LayerKind, RationalCall, TapeNode, Use } from './types';
import { endsIn } from './uses';
import type { VariableUse } from './uses';

/** What a variable does in one of its uses. */
export interface Classified {
  kind: LayerKind;
  role: Layer['roles'][number];
  node: TapeNode;
  use: Use;
  inputSize: number;
  outputSize: number;
  /** For a bias: what it is added to. Undefined where the node that adds it is the kernel's own. */
  addedTo?: tf.Tensor;
}

/** Keeps a tensor until the recording is over. */
export type Keep = (tensor: tf.Tensor) => tf.Tensor;

/** What a node does with a variable, or in words why that is not known. */
export function classify(variableUse: VariableUse, attributes: Attributes, keep: Keep): Classified | string {
  const { node, input, view } = variableUse;
  if (view.obstacle !== undefined) return view.obstacle;
  switch (`${node.kernelName}.${input}`) {
    case 'BatchMatMul.b':
      return product(variableUse, node.inputs.a, node.inputs.b, attributes.of(node));
    case 'fusedMatMul__op.1':
      return product(variableUse, node.inputs[0], node.inputs[1], attributes.of(node));
    case 'Conv2D.filter':
      return convolution(variableUse, 'conv2d', node.saved![0], node.inputs.filter, attributes.of(node));
    case 'fusedConv2d__op.1':
      return convolution(variableUse, 'conv2d', node.saved![1], node.inputs[1], attributes.of(node));
    case 'DepthwiseConv2dNative.filter':
      return convolution(
        variableUse,
        'depthwiseConv2d',
        node.saved![0],
        node.inputs.filter,
        attributes.of(node),
      );
    case 'Conv2DBackpropInput.filter':
      return transposedConvolution(variableUse, attributes.of(node));
    case 'GatherV2.x':
      return lookup(variableUse, attributes.of(node));
    case 'FusedBatchNorm.scale':
      return scaling(variableUse, () => keep(normalised(node, attributes.of(node))));
    case 'FusedBatchNorm.offset':
      return shift(variableUse, 'beta');
    case 'Multiply.a':
      return node.inputs.a.id === node.inputs.b.id
        ? 'it is squared'
        : scaling(variableUse, () => node.saved![1]);
    case 'Multiply.b':
      return scaling(variableUse, () => node.saved![0]);
    case 'Add.a':
      return shift(variableUse, 'bias', node.inputs.b);
    case 'Add.b':
      return shift(variableUse, 'bias', node.inputs.a);
    case 'fusedMatMul__op.2':
    case 'fusedConv2d__op.2':
      return shift(variableUse, 'bias');
    case `${rationalKernel}.numerator`:
      return coefficients(variableUse, 'numerator', attributes.of(node));
    case `${rationalKernel}.denominator`:
      return coefficients(variableUse, 'denominator', attributes.of(node));
    default:
      return `it is the input '${input}' of ${node.kernelName}`;
  }
}

/** z = a W, or z = a W'. */
function product(
  { node, view }: VariableUse,
  left: tf.Tensor,
  right: tf.Tensor,
  attributes: KernelAttributes | undefined,
): Classified | string {
  if (!attributes || attributes.transposeA || (attributes.activation ?? 'linear') !== 'linear') {
    return 'it is part of a product that is not understood';
  }
  if (left.id === right.id) return 'it is multiplied by itself';
  if (view.tiled || right.shape.slice(0, -2).some((size) => size !== 1)) return 'it is a batch of matrices';
  const [rows, columns] = right.shape.slice(-2);
  const transposed = view.transposed !== Boolean(attributes.transposeB);
  if (transposed && view.columns) return 'a block of its columns is used transposed';
  const [inputSize, width] = attributes.transposeB ? [columns, rows] : [rows, columns];
  const output = node.outputs[0];
  const use: Use = { activation: node.saved![0], output, rows: output.size / width };
  if (transposed) use.transposed = true;
  if (view.columns) use.columns = view.columns;
  return { kind: 'dense', role: 'kernel', node, use, inputSize, outputSize: width };
}

function convolution(
  { node, view }: VariableUse,
  kind: 'conv2d' | 'depthwiseConv2d',
  activation: tf.Tensor,
  filter: tf.Tensor,
  attributes: KernelAttributes | undefined,
): Classified | string {
  if (
    !attributes ||
    (attributes.dataFormat ?? 'NHWC') !== 'NHWC' ||
    (attributes.activation ?? 'linear') !== 'linear'
  ) {
    return 'it is part of a convolution that is not understood';
  }
  if (view.transposed || view.columns || view.tiled)
    return 'it is changed before it is used as a convolution kernel';
  const output = node.outputs[0];
  const geometry = geometryOf(activation, filter, kind === 'depthwiseConv2d', attributes);
  const patch = geometry.kernelHeight * geometry.kernelWidth * geometry.channels;
  const outputSize = output.shape[output.shape.length - 1];
  const use: Use = { activation, output, rows: output.size / outputSize, geometry };
  // A patch of one pixel is the pixel: the convolution is a product of matrices, and no patches need be gathered.
  if (
    kind === 'conv2d' &&
    patch === geometry.channels &&
    use.rows === geometry.batch * geometry.inHeight * geometry.inWidth
  ) {
    delete use.geometry;
    return { kind: 'dense', role: 'kernel', node, use, inputSize: patch, outputSize };
  }
  return { kind, role: 'kernel', node, use, inputSize: patch, outputSize };
}

/** z is the image whose convolution would have a for its output gradient: every pixel of a adds a patch a W' to it. */
function transposedConvolution(
  { node, view }: VariableUse,
  attributes: KernelAttributes | undefined,
): Classified | string {
  if (!attributes || (attributes.dataFormat ?? 'NHWC') !== 'NHWC') {
    return 'it is part of a transposed convolution that is not understood';
  }
  if (view.transposed || view.columns || view.tiled)
    return 'it is changed before it is used as a convolution kernel';
  const [output] = node.outputs;
  const [activation, filter] = node.saved!;
  const outputGeometry = geometryOf(output, filter, false, attributes);
  const { channels, kernelHeight, kernelWidth } = outputGeometry;
  return {
    kind: 'conv2dTranspose',
    role: 'kernel',
    node,
    use: { activation, output, rows: output.size / channels, outputGeometry, transposed: true },
    inputSize: activation.shape[activation.shape.length - 1],
    outputSize: kernelHeight * kernelWidth * channels,
  };
}

function geometryOf(
  x: tf.Tensor,
  filter: tf.Tensor,
  depthwise: boolean,
  attributes: KernelAttributes,
): ConvGeometry {
  const info = tf.backend_util.computeConv2DInfo(
    x.shape as [number, number, number, number],
    filter.shape as [number, number, number, number],
    attributes.strides as [number, number] | number,
    (attributes.dilations as [number, number] | number | undefined) ?? 1,
    attributes.pad as 'valid' | 'same' | number,
    attributes.dimRoundingMode as 'floor' | 'round' | 'ceil' | undefined,
    depthwise,
  );
  return {
    batch: info.batchSize,
    inHeight: info.inHeight,
    inWidth: info.inWidth,
    channels: info.inChannels,
    kernelHeight: info.filterHeight,
    kernelWidth: info.filterWidth,
    strideHeight: info.strideHeight,
    strideWidth: info.strideWidth,
    dilationHeight: info.dilationHeight,
    dilationWidth: info.dilationWidth,
    padTop: info.padInfo.top,
    padLeft: info.padInfo.left,
    outHeight: info.outHeight,
    outWidth: info.outWidth,
  };
}

/** z = rows of W picked by indices. */
function lookup({ node, view }: VariableUse, attributes: KernelAttributes | undefined): Classified | string {
  const table = node.inputs.x;
  if (
    !attributes ||
    attributes.axis !== 0 ||
    attributes.batchDims ||
    view.transposed ||
    view.columns ||
    view.tiled
  ) {
    return 'it is not looked up by rows';
  }
  const [x, indices] = node.saved!;
  const use: Use = { activation: indices, output: node.outputs[0], rows: indices.size };
  return {
    kind: 'embedding',
    role: 'table',
    node,
    use,
    inputSize: table.shape[0],
    outputSize: x.size / table.shape[0],
  };
}

/** z = gamma * xhat: the variable belongs to the last axes of z and the rows are all others. */
function scaling({ node, view }: VariableUse, xhat: () => tf.Tensor): Classified | string {
  const output = node.outputs[0];
  const obstacle = notByRows(output, view);
  if (obstacle !== undefined) return obstacle;
  const activation = xhat();
  if (activation.size !== output.size) return 'it scales values that are repeated';
  const size = tf.util.sizeFromShape(view.shape);
  return {
    kind: 'scaleShift',
    role: 'gamma',
    node,
    use: { activation, output, rows: output.size / size },
    inputSize: size,
    outputSize: size,
  };
}

/** z = P(a) / Q(a), the variable being the coefficients of P or Q. */
function coefficients(
  { node, view }: VariableUse,
  role: 'numerator' | 'denominator',
  attributes: KernelAttributes | undefined,
): Classified | string {
  if (!attributes || view.transposed || view.columns || view.tiled) {
    return 'its coefficients are changed before they are used in a rational function';
  }
  const { version, groups, inner, noise } = attributes as unknown as RationalAttributes;
  const [x, numerator, denominator] = node.saved!;
  const output = node.outputs[0];
  const size = groups * inner;
  const rational: RationalCall = {
    version,
    groups,
    inner,
    numeratorSize: numerator.size / groups,
    denominatorSize: denominator.size / groups,
    numerator,
    denominator,
  };
  if (noise) rational.noise = Float32Array.from(noise);
  const use: Use = { activation: x, output, rows: output.size / size, rational };
  return { kind: 'rational', role, node, use, inputSize: size, outputSize: size };
}

/** z = x + b. */
function shift({ node, view }: VariableUse, role: 'bias' | 'beta', addedTo?: tf.Tensor): Classified | string {
  const output = node.outputs[0];
  const obstacle = notByRows(output, view);
  if (obstacle !== undefined) return obstacle;
  const size = tf.util.sizeFromShape(view.shape);
  return {
    kind: 'bias',
    role,
    node,
    use: { output, rows: output.size / size },
    inputSize: 0,
    outputSize: size,
    addedTo,
  };
}

function notByRows(output: tf.Tensor, view: VariableUse['view']): string | undefined {
  if (view.transposed || view.columns) return 'it is changed before it is added or multiplied';
  return endsIn(output.shape, view.shape)
    ? undefined
    : 'its axes are not the last ones of what it is added to or multiplied with';
}

/** xhat = (x - mean) / sqrt(variance + epsilon), S. Ioffe and C. Szegedy, "Batch normalization", 2015, algorithm 1. */
function normalised(node: TapeNode, attributes: KernelAttributes | undefined): tf.Tensor {
  const [x, mean, variance] = node.saved!;
  const epsilon = (attributes?.varianceEpsilon as number | undefined) ?? 1e-3;
  return untaped(() => tf.tidy(() => tf.mul(tf.sub(x, mean), tf.rsqrt(tf.add(variance, epsilon)))));
}
