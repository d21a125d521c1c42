import * as tf from '@tensorflow/tfjs';

import { NatgradError } from '../errors';
import { untaped } from './engine';
import type { Distribution } from './types';

/** A tensor that the user declared to be a head, with a copy that outlives the user's own tidies. */
export interface Observation {
  tensor: tf.Tensor;
  copy: tf.Tensor;
  distribution: Distribution;
  weights?: tf.Tensor;
}

export interface ObserveOptions {
  /**
   * What the loss of every row (all axes but the last) is multiplied with, so that the loss is the mean over the rows of `weight * -log p`:
   * zero where a row is masked, and above 1 elsewhere if the loss is a mean over those that are not. As many elements as there are rows,
   * none negative. Rows of layers enter means by the weight of the rows that they belong to. Default: 1 for every row.
   */
  weights?: tf.Tensor;
}

const distributions: readonly string[] = [
  'categorical',
  'bernoulli',
  'gaussian',
  'gaussianWithVariance',
] satisfies Distribution[];

/** Where observations go while a recording runs the user's function. */
let current: Observation[] | null = null;

/**
 * Declares, inside a hand-written loss, that a tensor parameterises the predictive distribution. A loss with declared tensors is
 * not searched for others. Outside of training it does nothing.
 *
 * ```ts
 * optimizer.minimize(() => myLoss(observe(model.apply(x) as tf.Tensor, 'categorical'), y));
 * ```
 *
 * @param tensor logits of 'categorical' [..., classes] (last axis) or 'bernoulli' [..., outputs], means of 'gaussian' [..., outputs], or
 *   means and then positive variances of 'gaussianWithVariance' [..., 2 * outputs]: two outputs are joined for it, as in
 *   `observe(tf.concat([means, variances], -1), 'gaussianWithVariance')`, whether or not the loss goes on with the joined tensor
 * @returns `tensor` itself
 * @throws NatgradError ERR_NATGRAD_TYPE if `tensor` or `weights` is no float32 tensor; ERR_NATGRAD_ARGUMENT for another distribution
 */
export function observe<T extends tf.Tensor>(
  tensor: T,
  distribution: Distribution,
  { weights }: ObserveOptions = {},
): T {
  requireFloats(tensor, 'tensor');
  if (weights !== undefined) requireFloats(weights, 'weights');
  if (!distributions.includes(distribution)) {
    throw new NatgradError(
      'ERR_NATGRAD_ARGUMENT',
      `observe: distribution was ${JSON.stringify(distribution)}; give one of ${distributions.join(', ')}.`,
    );
  }
  if (current) {
    const copyOf = (original: tf.Tensor) => untaped(() => tf.keep(original.clone()));
    current.push({ tensor, copy: copyOf(tensor), distribution, weights: weights && copyOf(weights) });
  }
  return tensor;
}

function requireFloats(tensor: unknown, name: string): void {
  if (tensor instanceof tf.Tensor && tensor.dtype === 'float32') return;
  throw new NatgradError(
    'ERR_NATGRAD_TYPE',
    `observe: ${name} must be a float32 tensor but was ${describe(tensor)}.`,
  );
}

/** Runs `f`, collecting in `observations` what it observes. The caller disposes the copies. */
export function observing<T>(observations: Observation[], f: () => T): T {
  const outer = current;
  current = observations;
  try {
    return f();
  } finally {
    current = outer;
  }
}

function describe(value: unknown): string {
  return value instanceof tf.Tensor ? `one of dtype ${value.dtype}` : `${typeof value}`;
}
