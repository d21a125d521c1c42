import * as tf from '@tensorflow/tfjs';

import { NatgradError, shown } from '../errors';

/** @throws NatgradError ERR_NATGRAD_TYPE if the tensor has another dtype. */
export function requireDtype(tensor: tf.Tensor, dtype: 'float32' | 'int32'): void {
  if (tensor.dtype === dtype) return;
  throw new NatgradError(
    'ERR_NATGRAD_TYPE',
    `tensor has dtype ${tensor.dtype} but must be ${dtype}; convert it with tensor.cast('${dtype}').`,
  );
}

/**
 * Layers of tfjs have weights that are no tf.Variables but hold them.
 *
 * @throws NatgradError ERR_NATGRAD_TYPE for what is no array of tf.Variable
 */
export function requireVariables(variables: unknown, argument: string): asserts variables is tf.Variable[] {
  if (Array.isArray(variables) && variables.every((each) => each instanceof tf.Variable)) return;
  const found = Array.isArray(variables) ? 'an array of something else' : shown(variables);
  throw new NatgradError(
    'ERR_NATGRAD_TYPE',
    `${argument} is ${found}; give an array of tf.Variable: those of a model are model.trainableWeights.map((weight) => weight.read()).`,
  );
}

/** @throws NatgradError ERR_NATGRAD_TYPE if one of the variables is not float32. */
export function requireFloatVariables(variables: tf.Variable[]): void {
  for (const { name, dtype } of variables) {
    if (dtype !== 'float32') {
      throw new NatgradError(
        'ERR_NATGRAD_TYPE',
        `variable '${name}' has dtype ${dtype}; only float32 variables can be trained, so make it float32 or not trainable.`,
      );
    }
  }
}
