/**
 * Optimizer state as the named tensors that tfjs saves with a model, and back.
 *
 * tfjs stores float32 and int32 but no float64, so a float64 array is saved as the int32 words of its bits: nothing is rounded.
 */
import * as tf from '@tensorflow/tfjs';

import { NatgradError } from '../errors';
import type { FloatArray } from '../linalg/jobs';

export type NamedTensors = Awaited<ReturnType<tf.Optimizer['getWeights']>>;

/** A float32 tensor [n] for float32 values, an int32 tensor [2 n] for float64 ones. */
export function toTensor(values: FloatArray): tf.Tensor {
  const copy = values.slice();
  return copy.BYTES_PER_ELEMENT === 4
    ? tf.tensor1d(copy as Float32Array, 'float32')
    : tf.tensor1d(new Int32Array(copy.buffer), 'int32');
}

/** The values that `toTensor` wrote; a copy. */
export function fromTensor(tensor: tf.Tensor): FloatArray {
  if (tensor.dtype === 'int32') return new Float64Array(tensor.dataSync<'int32'>().slice().buffer);
  return tensor.dataSync<'float32'>().slice();
}

/** Copies saved arrays into the live ones of the same names, which must all be there with the same lengths. */
export function fill(
  live: Record<string, FloatArray>,
  saved: Record<string, FloatArray>,
  what: string,
): void {
  for (const [name, array] of Object.entries(live)) {
    const values = saved[name];
    if (values?.length !== array.length) {
      throw new NatgradError(
        'ERR_NATGRAD_STATE',
        `The saved state of ${what} has ${values ? `${values.length} elements` : 'nothing'} for '${name}' where ` +
          `${array.length} are needed; load it into an optimizer with the same options and a model with the same layers.`,
      );
    }
    array.set(values);
  }
}

/** The entries whose names start with `prefix`, without it. */
export function withPrefix<T>(prefix: string, entries: Record<string, T>): Record<string, T> {
  return Object.fromEntries(
    Object.entries(entries).flatMap(([name, value]) =>
      name.startsWith(prefix) ? [[name.slice(prefix.length), value]] : [],
    ),
  );
}
