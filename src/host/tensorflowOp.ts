import * as tf from '@tensorflow/tfjs';

import { loadAddon } from '../linalg/loader';

/** What natgrad.node exports under `tensorflow`. */
interface TensorMemory {
  /** Registers the op with the TensorFlow that is loaded; its name, or an empty one and why there is none. */
  register(): { op: string; obstacle: string };
  /** Runs `work`, and then detaches every view that was made in it. */
  lend<T>(work: () => T): T;
  /** The memory of the tensor that `execute` executes the op with; only inside `lend`. */
  view(execute: () => void): Float32Array;
  /** An array of zeros that TensorFlow adopts as the memory of a tensor, rather than copying it. */
  aligned(length: number): Float32Array;
}

/** What this file uses of tfjs-node's backend; it is public there, though not in the types of tfjs-core. */
interface TensorFlowBackend {
  executeMultipleOutputs(
    name: string,
    attributes: object[],
    inputs: tf.Tensor[],
    outputs: number,
  ): tf.Tensor[];
}

/**
 * The addon's own op in the TensorFlow of tfjs-node, which lends the memory of tensors to JavaScript. The package of tfjs-node has no way
 * to do that, but TensorFlow's C API lets a library of the same process register ops.
 */
export class TensorFlowOp {
  private constructor(
    private readonly memory: TensorMemory,
    private readonly name: string,
  ) {}

  /**
   * Registers the op, once per process, and tries it out; otherwise why it cannot be used. It is not looked for where the environment
   * variable NATGRAD_TENSORFLOW_OP is `0`.
   */
  static find(): { op: TensorFlowOp } | { op: undefined; obstacle: string } {
    if (process.env.NATGRAD_TENSORFLOW_OP === '0') {
      return { op: undefined, obstacle: 'NATGRAD_TENSORFLOW_OP is 0' };
    }
    const { addon } = loadAddon();
    if (!addon) return { op: undefined, obstacle: 'there is no addon' };
    const { tensorflow } = addon as unknown as { tensorflow: TensorMemory };
    const { op: name, obstacle } = tensorflow.register();
    if (!name) return { op: undefined, obstacle };
    const op = new TensorFlowOp(tensorflow, name);
    try {
      if (op.works()) return { op };
      return { op: undefined, obstacle: 'it gave other values than tfjs-node' };
    } catch (error) {
      return { op: undefined, obstacle: error instanceof Error ? error.message : String(error) };
    }
  }

  /** Runs `work`, inside which `view` may be called, and takes all views back at its end. */
  lend<T>(work: () => T): T {
    return this.memory.lend(work);
  }

  /** The memory of a float32 tensor, to be read only. */
  view(tensor: tf.Tensor): Float32Array {
    const backend = tf.backend() as unknown as TensorFlowBackend;
    return this.memory.view(() => backend.executeMultipleOutputs(this.name, [], [tensor], 0));
  }

  /** An array of zeros of which `tf.tensor` makes a tensor without a copy. It must not be written to once that is done. */
  array(length: number): Float32Array {
    return this.memory.aligned(length);
  }

  private works(): boolean {
    const values = this.array(3);
    values.set([1, -2, 0.5]);
    const tensor = tf.tensor(values, [3], 'float32');
    try {
      return this.lend(() => this.view(tensor).every((value, i) => value === values[i]));
    } finally {
      tensor.dispose();
    }
  }
}
