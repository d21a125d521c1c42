import * as tf from '@tensorflow/tfjs';

import type { Host } from './host';
import { requireDtype, requireFloatVariables } from './check';

/** What this file uses of the wasm backend; all of it is public there, though not in the types of tfjs-core. */
interface WasmBackend {
  makeOutput(shape: number[], dtype: 'float32'): tf.TensorInfo;
  typedArrayFromHeap(tensor: tf.TensorInfo): Float32Array | Int32Array | Uint8Array;
}

/**
 * The host for the wasm backend: views of the wasm heap, without a copy in either direction.
 *
 * A view must be taken after every allocation it is to survive, since an allocation may grow the heap and detach all views.
 * A variable gets new storage at every update, as it does from tfjs's own optimizers, because its storage is not only its own: clones
 * and reshaped tensors share it, and the backend's matrix product keeps a packed copy of every right-hand side for as long as its
 * storage lives.
 */
export class WasmHost implements Host {
  readonly backendName = 'wasm';
  readonly zeroCopy = true;

  lend<T>(work: () => T): T {
    return work();
  }

  read(tensor: tf.Tensor): Float32Array {
    requireDtype(tensor, 'float32');
    return viewOf(tensor) as Float32Array;
  }

  readIndices(tensor: tf.Tensor): Int32Array {
    requireDtype(tensor, 'int32');
    return viewOf(tensor) as Int32Array;
  }

  create(shape: number[], fill: (values: Float32Array) => void): tf.Tensor {
    const tensor = allocate(shape);
    try {
      fill((viewOf(tensor) as Float32Array).fill(0));
    } catch (error) {
      tensor.dispose();
      throw error;
    }
    return tensor;
  }

  update(variables: tf.Variable[], write: (values: Float32Array[]) => void): void {
    requireFloatVariables(variables);
    variables.forEach(assertAlive);
    const replacements = variables.map((variable) => allocate(variable.shape));
    try {
      write(
        variables.map((variable, i) => {
          const values = viewOf(replacements[i]) as Float32Array;
          values.set(viewOf(variable));
          return values;
        }),
      );
      variables.forEach((variable, i) => variable.assign(replacements[i]));
    } finally {
      tf.dispose(replacements);
    }
  }
}

function backend(): WasmBackend {
  return tf.backend() as unknown as WasmBackend;
}

function viewOf(tensor: tf.Tensor): Float32Array | Int32Array | Uint8Array {
  assertAlive(tensor);
  return backend().typedArrayFromHeap(tensor);
}

/** Lets a disposed tensor fail with tfjs's own message rather than inside the backend. */
function assertAlive(tensor: tf.Tensor): void {
  (tensor as unknown as { throwIfDisposed(): void }).throwIfDisposed();
}

/** A tensor whose values are whatever the heap held. */
function allocate(shape: number[]): tf.Tensor {
  return tf.engine().makeTensorFromTensorInfo(backend().makeOutput(shape, 'float32'));
}
