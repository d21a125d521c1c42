/**
 * The score of every example by itself, for layers z = a~ W: the gradient of its own un-averaged loss,
 *
 *     S_n = sum_r a~_{n,r} g_{n,r}',
 *
 * over the rows r that belong to example n: its positions, and its rows in every use of the layer. From them comes the exact Fisher
 * matrix of a batch, `F = sum over passes of weight / N sum_n vec(S_n) vec(S_n)'`.
 *
 * Where the loss has several terms per example (time steps) but a layer is applied to fewer rows, or to several layers' different numbers
 * of rows, the examples are the largest groups of consecutive rows that all of them share. The scores of the terms of a group are then
 * added before the outer product: with drawn targets, or with the random signs of the exact estimator, their cross terms have mean zero.
 */
import type { FloatArray, ScoresJob } from '../../linalg/jobs';
import type { Layer } from '../../tape/types';
import {
  gradientRows,
  rowsOf,
  type BackwardPass,
  type BlockShape,
  type Rows,
  type RowsOrPatches,
  type Statistics,
} from '../block';
import { whyNotKroneckerFactored } from '../kronecker/factoredLayer';
import { shapeOf, type CommonOptions } from '../structure';

/** What must be known of a layer to form scores. */
export interface ScoredLayer {
  shape: BlockShape;
  /** Length of an input row or patch, without the homogeneous coordinate; the number of indices of an embedding. */
  inputSize: number;
  outputSize: number;
  /** Whether the second variable is the bias. */
  bias: boolean;
  /** The kernel is [out, in] and used transposed, as that of a transposed convolution; never with a bias. */
  transposed: boolean;
}

/** The reason why the scores of single examples cannot be formed for a layer, or an empty string. */
export function whyNoScores(layer: Layer, common: CommonOptions): string {
  return whyNotKroneckerFactored(layer, { ...common, maxFactorSize: Infinity });
}

/** A layer that nothing prevents. */
export function scoredLayer(layer: Layer): ScoredLayer {
  const { inputSize, outputSize } = layer;
  return {
    shape: shapeOf(layer),
    inputSize,
    outputSize,
    bias: layer.variables.length > 1,
    transposed: layer.uses[0].transposed ?? false,
  };
}

/** Elements of a score: those of the kernel, then those of the bias. */
export function scoreSize({ inputSize, outputSize, bias }: ScoredLayer): number {
  return (inputSize + Number(bias)) * outputSize;
}

/** How many examples there are whose scores can be told apart in all of these layers. */
export function countExamples(statistics: readonly Statistics[]): number {
  const counts = statistics.flatMap(({ examples, activations }) => [examples, ...activations!.map(rowsOf)]);
  return counts.reduce(greatestCommonDivisor);
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/** What scores of a pass are multiplied with so that F is the sum of their outer products. */
export function scoreScale({ weight, gradientScale }: BackwardPass, { examples }: Statistics): number {
  return gradientScale * Math.sqrt(weight / examples);
}

/** The inputs of every use of a layer; indices become one-hot rows, in the precision of the gradients. */
export function inputsOf({ inputSize }: ScoredLayer, { activations, passes }: Statistics): RowsOrPatches[] {
  return activations!.map((activation, use) => {
    if (!('indices' in activation)) return activation;
    const { indices } = activation;
    const single = passes[0].outputGradients![use].data instanceof Float32Array;
    const data = new (single ? Float32Array : Float64Array)(indices.length * inputSize);
    indices.forEach((index, row) => (data[row * inputSize + index] = 1));
    return { data, rows: indices.length, columns: inputSize };
  });
}

/** One job per use, to run one after the other: `out[n] = scale S_n` for each of `examples`. */
export function scoreJobs(
  { bias, transposed }: ScoredLayer,
  inputs: readonly RowsOrPatches[],
  { outputGradients }: BackwardPass,
  how: { examples: number; scale: number; out: FloatArray },
): ScoresJob[] {
  return inputs.map((input, use) => {
    const gradient = outputGradients![use];
    const [activation, outputGradient] = transposed
      ? [gradientRows(gradient), input as Rows]
      : [input, gradient];
    return { op: 'scores', activation, outputGradient, homogeneous: bias, keep: use === 0 ? 0 : 1, ...how };
  });
}
