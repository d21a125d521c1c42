/**
 * From tensors of the tape to the plain arrays that curvature blocks take: activations, output gradients and scores of one batch.
 *
 * Arrays are the host's views wherever it has them, so they hold only until the next tfjs call: jobs made from them must be run or
 * submitted (which copies them) before that.
 */
import type * as tf from '@tensorflow/tfjs';

import type { Activation, CurvatureBlock, Rows, Statistics } from '../curvature/block';
import type { WeightedAverage } from '../curvature/curvature';
import type { Precision } from '../curvature/factor';
import type { Host } from '../host/host';
import type { FloatArray } from '../linalg/jobs';
import type { Layer, Use } from '../tape/types';

/** A layer of the tape with the block that approximates its part of the Fisher matrix. */
export interface LayerBlock {
  layer: Layer;
  block: CurvatureBlock;
  average: WeightedAverage;
}

/** The tensors whose gradients a block's statistics are made of: outputs of its uses, or its variables themselves. */
export function gradientTargets({ layer, block }: LayerBlock): tf.Tensor[] {
  return block.needs === 'scores' ? layer.variables : layer.uses.map((use) => use.output);
}

/** What the inputs of the layer were; undefined for blocks that do not ask. */
export function readActivations(
  { layer, block }: LayerBlock,
  host: Host,
  precision: Precision,
): Activation[] | undefined {
  if (block.needs === 'scores') return undefined;
  return layer.uses.map((use) => readActivation(layer, use, host, precision));
}

function readActivation(layer: Layer, use: Use, host: Host, precision: Precision): Activation {
  const activation = use.activation!;
  if (layer.kind === 'embedding') return { indices: host.readIndices(activation) };
  const data = inPrecision(host.read(activation), precision);
  if (use.geometry) return { data, geometry: use.geometry };
  return { data, rows: data.length / layer.inputSize, columns: layer.inputSize };
}

/** Turns the gradients of {@link gradientTargets}, in the same order, into statistics. A missing gradient is one that is zero. */
export function readGradients(
  { layer, block }: LayerBlock,
  gradients: (tf.Tensor | null | undefined)[],
  examples: number,
  host: Host,
  precision: Precision,
): Statistics {
  const read = (i: number, size: number): FloatArray => {
    const gradient = gradients[i];
    return inPrecision(gradient ? host.read(gradient) : new Float32Array(size), precision);
  };
  if (block.needs === 'scores') {
    return { examples, scores: layer.variables.map((variable, i) => read(i, variable.size)) };
  }
  const outputGradients = layer.uses.map((use, i): Rows => {
    return { data: read(i, use.rows * layer.outputSize), rows: use.rows, columns: layer.outputSize };
  });
  return { examples, outputGradients };
}

/** Every array that must be finite before the statistics may enter a factor. */
export function arraysOf(statistics: Statistics): FloatArray[] {
  const arrays = [...(statistics.scores ?? [])];
  for (const activation of statistics.activations ?? [])
    if ('data' in activation) arrays.push(activation.data);
  for (const rows of statistics.outputGradients ?? []) arrays.push(rows.data);
  return arrays;
}

/** The array itself, or a float64 copy of it. */
export function inPrecision(values: Float32Array, precision: Precision): FloatArray {
  return precision === 'float32' ? values : Float64Array.from(values);
}
