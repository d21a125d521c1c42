import type * as tf from '@tensorflow/tfjs';

import { NatgradError } from '../errors';
import type { Host } from '../host/host';
import type { Head, Recording } from '../tape/types';
import { bernoulli } from './bernoulli';
import type { HeadValues } from './estimator';
import type { Likelihood } from './likelihood';
import type { FisherSettings } from './options';

/** A tensor of the tape that parameterises a predictive distribution, and which distribution that is. */
export interface LikelihoodHead {
  likelihood: Likelihood;
  parameters: tf.Tensor;
  probabilities?: tf.Tensor;
  rows: number;
  columns: number;
  /** The loss of a row is `scale * -log p`. */
  scale: number;
  /** What the loss of each row is multiplied with beside that; see `observe`. */
  weights?: tf.Tensor;
}

/**
 * The predictive distributions of a recorded loss: those recognised in the graph, or the one that `fisher.output` points at. The last
 * axis of a tensor is its columns and all others are rows; a vector is one row of logits for categorical, and rows of one column
 * otherwise. The scale is that of tfjs's losses: `meanSquaredError`, `binaryCrossentropy` and `sigmoidCrossEntropy` are means over the
 * columns, `categoricalCrossentropy` and `softmaxCrossEntropy` are -log p itself.
 *
 * Empty where nothing was recognised and nothing was said: the caller decides what to do without.
 *
 * @throws NatgradError ERR_NATGRAD_LIKELIHOOD if `fisher.output` picks no layer, or if the loss was recognised as another distribution
 *   than `fisher.distribution`
 */
export function likelihoodHeads(
  recording: Pick<Recording, 'heads' | 'layers'>,
  settings: FisherSettings,
): LikelihoodHead[] {
  const heads = settings.isOutput
    ? outputHeads(recording, settings.isOutput)
    : recording.heads.map(recognised(settings));
  return heads.map(({ parameters, probabilities, weights, distribution }) => {
    const likelihood =
      settings.ownLikelihood ?? settings.likelihoodOf(distribution ?? settings.distribution!);
    const columns = columnsOf(parameters, likelihood.distribution);
    // tfjs averages the cross entropies of a row's sigmoid outputs, so such a loss is 1/columns of -log p.
    const scale = likelihood === bernoulli ? 1 / columns : 1;
    const rows = parameters.size / columns;
    return { likelihood, parameters, probabilities, rows, columns, scale, weights };
  });
}

/** What the heads of a recording say, as arrays of their own. */
export function headValues(
  recording: Pick<Recording, 'readable'>,
  heads: readonly LikelihoodHead[],
  host: Host,
): HeadValues[] {
  const copyOf = (tensor: tf.Tensor | undefined) => tensor && host.read(tensor).slice();
  return heads.map(({ parameters, probabilities, weights, ...head }) => ({
    ...head,
    parameters: copyOf(recording.readable(parameters)),
    probabilities: copyOf(probabilities),
    weights: copyOf(weights),
  }));
}

type Candidate = Pick<Head, 'parameters' | 'probabilities' | 'weights'> & {
  distribution?: Head['distribution'];
};

function outputHeads(
  { layers }: Pick<Recording, 'layers'>,
  isOutput: (name: string) => boolean,
): Candidate[] {
  const picked = layers.filter((layer) => layer.variables.some((variable) => isOutput(variable.name)));
  if (picked.length === 0) {
    const names = layers.flatMap((layer) => layer.variables.map((variable) => variable.name));
    throw new NatgradError(
      'ERR_NATGRAD_LIKELIHOOD',
      `fisher.output picks none of the variables that the loss uses; they are ${names.join(', ')}.`,
    );
  }
  return picked.flatMap((layer) => layer.uses.map((use) => ({ parameters: use.output })));
}

function recognised({ distribution: wanted }: FisherSettings): (head: Head) => Candidate {
  return (head) => {
    if (wanted !== undefined && wanted !== head.distribution) {
      throw new NatgradError(
        'ERR_NATGRAD_LIKELIHOOD',
        `fisher.distribution is '${wanted}' but the loss was recognised as '${head.distribution}'; leave it out, or name the output's layer with fisher.output.`,
      );
    }
    return head;
  };
}

function columnsOf({ shape }: tf.Tensor, distribution: string): number {
  if (shape.length === 0) return 1;
  if (shape.length === 1 && (distribution === 'gaussian' || distribution === 'bernoulli')) return 1;
  return shape[shape.length - 1];
}
