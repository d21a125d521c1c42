import * as tf from '@tensorflow/tfjs';

import type { Host } from './host';
import { requireDtype, requireFloatVariables } from './check';

/**
 * The host for every backend that is read by `dataSync` and written by giving a variable a new tensor.
 *
 * On cpu this copies nothing that need not be: `dataSync` hands out the live storage and `tf.tensor` adopts its array. `update`
 * writes to a new array even there, never into the live one, because an array that somebody got from `dataSync` is that storage
 * too, and no reference count tells.
 */
export class DataHost implements Host {
  constructor(
    readonly backendName: string,
    readonly zeroCopy: boolean,
  ) {}

  lend<T>(work: () => T): T {
    return work();
  }

  read(tensor: tf.Tensor): Float32Array {
    requireDtype(tensor, 'float32');
    return tensor.dataSync<'float32'>();
  }

  readIndices(tensor: tf.Tensor): Int32Array {
    requireDtype(tensor, 'int32');
    return tensor.dataSync<'int32'>();
  }

  create(shape: number[], fill: (values: Float32Array) => void): tf.Tensor {
    const values = this.allocate(tf.util.sizeFromShape(shape));
    fill(values);
    return tf.tensor(values, shape, 'float32');
  }

  update(variables: tf.Variable[], write: (values: Float32Array[]) => void): void {
    requireFloatVariables(variables);
    const values = this.lend(() =>
      variables.map((variable) => {
        const copy = this.allocate(variable.size);
        copy.set(this.read(variable));
        return copy;
      }),
    );
    write(values);
    variables.forEach((variable, i) => {
      const next = tf.tensor(values[i], variable.shape, 'float32');
      variable.assign(next);
      next.dispose();
    });
  }

  /** Zeros that are to become the values of a tensor. */
  protected allocate(length: number): Float32Array {
    return new Float32Array(length);
  }
}
