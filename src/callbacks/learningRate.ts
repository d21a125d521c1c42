/**
 * The learning rate of any optimizer of tfjs. The class has none; its optimizers have a field that they read in every step, most of them one
 * that TypeScript calls protected, and those that keep it elsewhere as well have a setter.
 */
import type * as tf from '@tensorflow/tfjs';

import { NatgradError } from '../errors';
import { requireNonNegative } from '../step/schedule';

interface WithLearningRate {
  learningRate?: unknown;
  setLearningRate?: (learningRate: number) => void;
}

/**
 * The learning rate of the next step.
 *
 * @throws NatgradError ERR_NATGRAD_STATE if the optimizer has none, or chooses it itself
 */
export function learningRateOf(optimizer: tf.Optimizer): number {
  const { learningRate } = optimizer as WithLearningRate;
  if (typeof learningRate === 'number') return learningRate;
  if (typeof learningRate === 'function') {
    return (learningRate as (step: number) => number)(optimizer.iterations);
  }
  throw noLearningRate(optimizer, learningRate);
}

/**
 * Sets the learning rate of the steps that follow.
 *
 * @param argument what the value is called in messages
 * @throws NatgradError ERR_NATGRAD_ARGUMENT unless it is finite and at least 0; ERR_NATGRAD_STATE if the optimizer has none
 */
export function setLearningRate(optimizer: tf.Optimizer, value: number, argument: string): void {
  requireNonNegative(value, argument);
  learningRateOf(optimizer);
  const settable = optimizer as WithLearningRate;
  if (settable.setLearningRate !== undefined) settable.setLearningRate(value);
  else settable.learningRate = value;
}

function noLearningRate(optimizer: tf.Optimizer, found: unknown): NatgradError {
  const why = typeof found === 'string' ? `leaves its learning rate to '${found}'` : 'has no learning rate';
  return new NatgradError(
    'ERR_NATGRAD_STATE',
    `The optimizer ${optimizer.getClassName()} ${why}; leave out the callback, or make the optimizer with a number as learningRate.`,
  );
}
