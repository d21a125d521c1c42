/**
 * Optimizer state as the named tensors that tfjs saves with a model, and back.
 *
 * tfjs stores float32 and int32 but no float64, so a float64 array is saved as the int32 words of its bits: nothing is rounded.
 */
import * as tf from '@tensorflow/tfjs';

import { NatgradError } from '../errors';
import type { FloatArray, Report } from '../linalg/jobs';

/** Values by name, as tfjs's optimizers give and take them with `getWeights`, `setWeights` and `applyGradients`. */
export type NamedTensors = Awaited<ReturnType<tf.Optimizer['getWeights']>>;

/** A part of an optimizer with something that a checkpoint holds. */
export interface Stateful {
  /** Live arrays, by names that no other part has. */
  state(): Record<string, FloatArray>;
  /** Takes back what `state` gave, from among what all parts gave. */
  load(state: Record<string, FloatArray>): void;
}

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

/**
 * Every state of an optimizer of natgrad begins with the number of steps and counts those that were skipped.
 *
 * @throws NatgradError ERR_NATGRAD_STATE for anything else
 */
export function requireState(named: NamedTensors): void {
  const names = Array.isArray(named) ? named.map(({ name }) => name) : [];
  if (names[0] === 'iter' && names.includes('skippedSteps')) return;
  throw new NatgradError(
    'ERR_NATGRAD_STATE',
    'weightValues is no state of an optimizer of natgrad; give what getWeights of one with the same options gave.',
  );
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

/** What installing a refresh looks at in its reports, as numbers. */
export function packReports(reports: Report[]): Float64Array {
  return Float64Array.from(
    reports.flatMap(({ status, retries, minEigenvalue, damping }) => [
      status === 'ok' ? 1 : 0,
      retries,
      minEigenvalue,
      damping,
    ]),
  );
}

/** The reports that `packReports` packed; a job that failed counts as `notFinite`. */
export function unpackReports(packed: FloatArray): Report[] {
  return Array.from({ length: packed.length / 4 }, (_, i) => {
    const [ok, retries, minEigenvalue, damping] = packed.subarray(4 * i, 4 * i + 4);
    const status = ok === 1 ? 'ok' : 'notFinite';
    return {
      status,
      retries,
      minEigenvalue,
      damping,
      residual: NaN,
      iterations: 0,
      converged: ok === 1,
      dot: 0,
    };
  });
}
