import type * as tf from '@tensorflow/tfjs';

/**
 * How this package reads and writes the memory of the tfjs backend that is running.
 *
 * cpu and wasm hand out their own storage without a copy, for reading and for filling new tensors. So does tensorflow within `lend`, where
 * the addon can register an op with it; every other backend is read by `dataSync` and filled from arrays.
 */
export interface Host {
  /** The tfjs backend this is for, as `tf.getBackend()` names it. */
  readonly backendName: string;
  /** Whether `read` hands out the backend's own storage (within `lend`), and `create` fills it. */
  readonly zeroCopy: boolean;

  /**
   * Runs `work` and returns what it does. Only inside may `read` hand out storage that must be given back, which happens at its end: the
   * arrays are then empty. May be nested.
   */
  lend<T>(work: () => T): T;

  /**
   * The values of a float32 tensor, row-major. May be the backend's live storage: never write to it, and never hold it across a
   * tfjs call (an allocation may move the heap of wasm).
   */
  read(tensor: tf.Tensor): Float32Array;

  /** The same for int32 tensors (embedding indices). */
  readIndices(tensor: tf.Tensor): Int32Array;

  /** A new float32 tensor whose values `fill` writes; it starts as zeros. */
  create(shape: number[], fill: (values: Float32Array) => void): tf.Tensor;

  /**
   * Gives variables new values: `write` changes `values[i]`, which starts as a copy of those of `variables[i]`, and what it leaves there is
   * assigned. If it throws, the variables stay as they were. No tfjs call may be made inside `write`.
   */
  update(variables: tf.Variable[], write: (values: Float32Array[]) => void): void;
}
