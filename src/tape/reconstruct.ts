import type * as tf from '@tensorflow/tfjs';

import { host } from '../host/currentHost';
import type { ConvGeometry } from '../linalg/jobs';
import { RationalFunction } from '../linalg/reference/rational';
import type { Layer, RationalCall, Use } from './types';

/**
 * The gradient of every variable of a layer, rebuilt from what goes into its uses and what comes back at their outputs:
 *
 *     dense: sum a' g    bias: sum of the rows of g    embedding: rows of g added at their indices    scaleShift: sum of xhat * g
 *     rational: sum of g dy/da_i and of g dy/db_j
 *
 * with patches for a in convolutions, and for g in transposed ones (whose kernel is used transposed), in float64. It is what a layer's activations and output gradients are worth: equal to
 * autodiff where the layer was understood.
 *
 * @param outputGradients for every use, the gradient at its output, in any shape of [rows, out]; null where it is zero
 * @returns for every variable, its gradient in row-major order; null for a layer of kind 'other'
 */
export function weightGradients(
  layer: Layer,
  outputGradients: readonly (tf.Tensor | null)[],
): (Float64Array | null)[] {
  const results = layer.variables.map((variable) =>
    layer.kind === 'other' ? null : new Float64Array(variable.size),
  );
  layer.uses.forEach((use, i) => {
    const gradient = outputGradients[i];
    if (!gradient) return;
    // A copy, because the view of one tensor does not survive the reading of the next.
    const g = host().read(gradient).slice();
    if (use.rational) {
      addCoefficients(layer, use, use.rational, g, results);
      return;
    }
    layer.roles.forEach((role, j) => {
      const result = results[j];
      if (!result) return;
      if (role === 'bias' || role === 'beta') addRows(g, result);
      else addKernel(layer, use, g, result);
    });
  });
  return results;
}

function addKernel(layer: Layer, use: Use, g: Float32Array, result: Float64Array): void {
  const activation = use.activation!;
  if (layer.kind === 'embedding') {
    const indices = host().readIndices(activation);
    const width = g.length / indices.length;
    indices.forEach((index, row) => {
      for (let j = 0; j < width; j++) result[index * width + j] += g[row * width + j];
    });
    return;
  }
  const a = host().read(activation);
  if (layer.kind === 'scaleShift') {
    for (let i = 0; i < a.length; i++) result[i % result.length] += a[i] * g[i];
  } else if (layer.kind === 'conv2dTranspose') {
    addProduct(patches(g, use.outputGeometry!), a, a.length / layer.inputSize, result);
  } else if (layer.kind === 'depthwiseConv2d') {
    addDepthwise(patches(a, use.geometry!), g, use.geometry!, result);
  } else {
    const rows = use.geometry ? patches(a, use.geometry) : a;
    if (use.transposed) addProduct(g, rows, use.rows, result);
    else addProduct(rows, g, use.rows, result, use.columns?.begin, layer.outputSize);
  }
}

function addCoefficients(
  { roles }: Layer,
  use: Use,
  { version, groups, inner, numeratorSize, denominatorSize, noise, ...tensors }: RationalCall,
  g: Float32Array,
  results: (Float64Array | null)[],
): void {
  const [x, a, b] = [use.activation!, tensors.numerator, tensors.denominator].map((tensor) =>
    host().read(tensor).slice(),
  );
  const size = numeratorSize + denominatorSize;
  const derivatives = new Float64Array(size);
  for (let group = 0; group < groups; group++) {
    const factor = Float64Array.from({ length: size }, (_, k) => noise?.[group * size + k] ?? 1);
    const numerator = factor.subarray(0, numeratorSize).map((f, i) => f * a[group * numeratorSize + i]);
    const denominator = factor.subarray(numeratorSize).map((f, j) => f * b[group * denominatorSize + j]);
    const y = new RationalFunction(version, numerator, denominator);
    for (let i = 0; i < x.length; i++) {
      if (Math.floor(i / inner) % groups !== group) continue;
      y.differentiate(x[i], derivatives);
      roles.forEach((role, j) => {
        const [from, count] = role === 'numerator' ? [0, numeratorSize] : [numeratorSize, denominatorSize];
        for (let k = 0; k < count; k++) {
          results[j]![group * count + k] += g[i] * factor[from + k] * derivatives[from + k];
        }
      });
    }
  }
}

function addRows(g: Float32Array, result: Float64Array): void {
  for (let i = 0; i < g.length; i++) result[i % result.length] += g[i];
}

/** result += left' right, with the columns of the product beginning at `begin` of the `stride` columns of the result. */
function addProduct(
  left: ArrayLike<number>,
  right: ArrayLike<number>,
  rows: number,
  result: Float64Array,
  begin = 0,
  stride = right.length / rows,
): void {
  const [height, width] = [left.length / rows, right.length / rows];
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < height; i++) {
      const value = left[row * height + i];
      for (let j = 0; j < width; j++) result[i * stride + begin + j] += value * right[row * width + j];
    }
  }
}

/** Kernel [height, width, channels, multiplier]: every channel has products of its own. */
function addDepthwise(
  rows: Float64Array,
  g: Float32Array,
  geometry: ConvGeometry,
  result: Float64Array,
): void {
  const { channels, kernelHeight, kernelWidth } = geometry;
  const patch = kernelHeight * kernelWidth * channels;
  const multiplier = result.length / patch;
  for (let row = 0; row * patch < rows.length; row++) {
    for (let i = 0; i < patch; i++) {
      const from = (row * channels + (i % channels)) * multiplier;
      for (let m = 0; m < multiplier; m++) result[i * multiplier + m] += rows[row * patch + i] * g[from + m];
    }
  }
}

/** The patches of an image batch as rows, flattened in the order (kernelHeight, kernelWidth, channels); zeros beyond the edges. */
function patches(images: ArrayLike<number>, geometry: ConvGeometry): Float64Array {
  const { batch, inHeight, inWidth, channels, kernelHeight, kernelWidth, outHeight, outWidth } = geometry;
  const rows = new Float64Array(batch * outHeight * outWidth * kernelHeight * kernelWidth * channels);
  let at = 0;
  for (let n = 0; n < batch; n++) {
    for (let oy = 0; oy < outHeight; oy++) {
      for (let ox = 0; ox < outWidth; ox++) {
        for (let ky = 0; ky < kernelHeight; ky++) {
          const y = oy * geometry.strideHeight + ky * geometry.dilationHeight - geometry.padTop;
          for (let kx = 0; kx < kernelWidth; kx++, at += channels) {
            const x = ox * geometry.strideWidth + kx * geometry.dilationWidth - geometry.padLeft;
            if (y < 0 || y >= inHeight || x < 0 || x >= inWidth) continue;
            const from = ((n * inHeight + y) * inWidth + x) * channels;
            for (let c = 0; c < channels; c++) rows[at + c] = images[from + c];
          }
        }
      }
    }
  }
  return rows;
}
