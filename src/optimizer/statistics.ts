/**
 * From tensors of the tape to the plain arrays that curvature blocks take: activations, output gradients and scores of one batch.
 *
 * Arrays are the host's views wherever it has them, so they hold only until the next tfjs call: jobs made from them must be run or
 * submitted (which copies them) before that.
 */
import type * as tf from '@tensorflow/tfjs';

import {
  rowsOf,
  type Activation,
  type BackwardPass,
  type OutputGradients,
  type Statistics,
} from '../curvature/block';
import type { WeightedAverage } from '../curvature/curvature';
import type { Precision } from '../curvature/shared/factor';
import type { Covered } from '../curvature/structure';
import { effectiveShare, rowWeights, type OutputWeights } from '../fisher/rowWeights';
import type { Host } from '../host/host';
import type { FloatArray } from '../linalg/jobs';
import type { Layer, Nonlinearity, Use } from '../tape/types';

/** A block with the layers of the tape that it covers, in its order. */
export interface LayerBlock extends Covered {
  average: WeightedAverage;
  /** Per layer and use, where the block wants to know: what the outputs go through next. */
  nonlinearities: Nonlinearity[][][];
}

/** The tensors whose gradients a block's statistics are made of, per layer: outputs of its uses, its variables, both or neither. */
export function gradientTargets({ layers, block }: LayerBlock): tf.Tensor[] {
  return layers.flatMap((layer, part) => {
    const { outputGradients, scores } = block.needs[part];
    return [
      ...(outputGradients ? layer.uses.map((use) => use.output) : []),
      ...(scores ? layer.variables : []),
    ];
  });
}

/**
 * Per layer of a block, what is known from the forward pass; `passes` is empty still.
 *
 * @param outputs what the rows of the outputs count
 */
export function readForward(
  { layers, block, nonlinearities }: LayerBlock,
  { examples, outputs }: { examples: number; outputs: OutputWeights },
  host: Host,
  precision: Precision,
): Statistics[] {
  return layers.map((layer, part) => {
    const { activations, weights, responses } = block.needs[part];
    return {
      examples,
      ...(outputs.length > 0 && { effectiveExamples: examples * effectiveShare(outputs) }),
      passes: [],
      ...(activations
        ? {
            activations: layer.uses.map((use) =>
              weighted(readActivation(layer, use, host, precision), outputs),
            ),
          }
        : {}),
      ...(weights
        ? { weights: layer.variables.map((variable) => inPrecision(host.read(variable), precision)) }
        : {}),
      ...(responses
        ? {
            responses: nonlinearities[part].map((use) =>
              use.map(({ values, ...rest }) =>
                values ? { ...rest, values: inPrecision(host.read(values), precision) } : rest,
              ),
            ),
          }
        : {}),
    };
  });
}

function weighted(activation: Activation, outputs: OutputWeights): Activation {
  const weights = rowWeights(outputs, rowsOf(activation));
  return weights ? { ...activation, weights } : activation;
}

function readActivation(layer: Layer, use: Use, host: Host, precision: Precision): Activation {
  const activation = use.activation!;
  if (layer.kind === 'embedding') return { indices: host.readIndices(activation) };
  const data = inPrecision(host.read(activation), precision);
  if (use.geometry) return { data, geometry: use.geometry };
  const rows = { data, rows: data.length / layer.inputSize, columns: layer.inputSize };
  if (!use.rational) return rows;
  const { numerator, denominator, noise } = use.rational;
  return {
    ...rows,
    numerator: inPrecision(host.read(numerator), precision),
    denominator: inPrecision(host.read(denominator), precision),
    ...(noise ? { noise: inPrecision(noise, precision) } : {}),
  };
}

/**
 * Per layer of a block one backward pass, from the gradients of {@link gradientTargets} in the same order. A missing gradient is one that
 * is zero.
 */
export function readPass(
  { layers, block }: LayerBlock,
  gradients: (tf.Tensor | null | undefined)[],
  how: { weight: number; gradientScale: number },
  host: Host,
  precision: Precision,
): BackwardPass[] {
  let next = 0;
  const read = (size: number): FloatArray => {
    const gradient = gradients[next++];
    return inPrecision(gradient ? host.read(gradient) : new Float32Array(size), precision);
  };
  return layers.map((layer, part) => {
    const { outputGradients, scores } = block.needs[part];
    const pass: BackwardPass = { ...how };
    if (outputGradients) {
      pass.outputGradients = layer.uses.map(({ rows, columns, output, outputGeometry }): OutputGradients => ({
        data: read(output.size),
        rows,
        columns: output.size / rows,
        ...(columns ? { begin: columns.begin } : {}),
        ...(outputGeometry ? { patches: outputGeometry } : {}),
      }));
    }
    if (scores) pass.scores = layer.variables.map((variable) => read(variable.size));
    return pass;
  });
}

/** Every array that must be finite before the statistics may enter a factor. */
export function arraysOf({ activations = [], responses = [], passes }: Statistics): FloatArray[] {
  const inputs = activations.flatMap((activation) => ('data' in activation ? [activation.data] : []));
  const gradients = passes.flatMap(({ outputGradients = [], scores = [] }) => [
    ...outputGradients.map(({ data }) => data),
    ...scores,
  ]);
  const values = responses.flat().flatMap((response) => (response.values ? [response.values] : []));
  return [...inputs, ...values, ...gradients];
}

/** The array itself, or a float64 copy of it. */
export function inPrecision(values: Float32Array, precision: Precision): FloatArray {
  return precision === 'float32' ? values : Float64Array.from(values);
}
