import * as tf from '@tensorflow/tfjs';

import { NatgradError } from '../errors';
import { untaped } from './engine';
import type { Distribution } from './types';

/** A tensor that the user declared to be a head, with a copy that outlives the user's own tidies. */
export interface Observation {
  tensor: tf.Tensor;
  copy: tf.Tensor;
  distribution: Distribution;
}

const distributions: readonly string[] = ['categorical', 'bernoulli', 'gaussian'] satisfies Distribution[];

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
 * @param tensor logits of 'categorical' [..., classes] (last axis) or 'bernoulli' [..., outputs], means of 'gaussian' [..., outputs]
 * @returns `tensor` itself
 * @throws NatgradError ERR_NATGRAD_TYPE if `tensor` is no float32 tensor; ERR_NATGRAD_ARGUMENT for another distribution
 */
export function observe<T extends tf.Tensor>(tensor: T, distribution: Distribution): T {
  if (!(tensor instanceof tf.Tensor) || tensor.dtype !== 'float32') {
    throw new NatgradError(
      'ERR_NATGRAD_TYPE',
      `observe: tensor must be a float32 tensor but was ${describe(tensor)}.`,
    );
  }
  if (!distributions.includes(distribution)) {
    throw new NatgradError(
      'ERR_NATGRAD_ARGUMENT',
      `observe: distribution was ${JSON.stringify(distribution)}; give one of ${distributions.join(', ')}.`,
    );
  }
  if (current) current.push({ tensor, copy: untaped(() => tf.keep(tensor.clone())), distribution });
  return tensor;
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
