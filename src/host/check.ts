import type * as tf from '@tensorflow/tfjs';

import { NatgradError } from '../errors';

/** @throws NatgradError ERR_NATGRAD_TYPE if the tensor has another dtype. */
export function requireDtype(tensor: tf.Tensor, dtype: 'float32' | 'int32'): void {
  if (tensor.dtype === dtype) return;
  throw new NatgradError(
    'ERR_NATGRAD_TYPE',
    `tensor has dtype ${tensor.dtype} but must be ${dtype}; convert it with tensor.cast('${dtype}').`,
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
