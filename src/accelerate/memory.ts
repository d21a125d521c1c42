import * as tf from '@tensorflow/tfjs';

/** The tfjs backends whose storage a native kernel can reach without a copy. */
export type BackendName = 'cpu' | 'wasm';

/** The storage of one tfjs backend, as a kernel sees it. */
export interface Memory {
  /**
   * The values of a float32 tensor, row-major: the backend's own storage, to be read only and forgotten before the next tfjs call.
   */
  floats(tensor: tf.TensorInfo): Float32Array;

  /** The same for an int32 tensor. */
  integers(tensor: tf.TensorInfo): Int32Array;

  /**
   * A new float32 tensor whose values `fill` writes, every one of them: they are not zero to begin with. Take the views of the
   * inputs inside `fill`, since making room for the result may move the heap of wasm.
   */
  create(shape: number[], fill: (values: Float32Array) => void): tf.TensorInfo;

  /** A tensor with the storage of another one; `null` for strings, whose storage is not the backend's. */
  share(tensor: tf.TensorInfo): tf.TensorInfo | null;
}

/** What we use of tfjs's cpu backend. */
interface CpuBackend {
  data: { get(dataId: object): { values: tf.TypedArray } };
  makeTensorInfo(shape: number[], dtype: 'float32', values: Float32Array): tf.TensorInfo;
  incRef(dataId: object): void;
}

/** What we use of tfjs's wasm backend. */
interface WasmBackend {
  makeOutput(shape: number[], dtype: 'float32'): tf.TensorInfo;
  typedArrayFromHeap(tensor: tf.TensorInfo): tf.TypedArray;
  disposeData(dataId: object): boolean;
  incRef(dataId: object): void;
}

function share(
  backend: CpuBackend | WasmBackend,
  { dataId, shape, dtype }: tf.TensorInfo,
): tf.TensorInfo | null {
  if (dtype === 'string') return null;
  backend.incRef(dataId);
  return { dataId, shape, dtype };
}

class CpuMemory implements Memory {
  constructor(private readonly backend: CpuBackend) {}

  /** A float32 tensor cast from int32 or bool keeps the array it was cast from, so that one has to be converted. */
  floats(tensor: tf.TensorInfo): Float32Array {
    const { values } = this.backend.data.get(tensor.dataId);
    return values instanceof Float32Array ? values : Float32Array.from(values);
  }

  integers(tensor: tf.TensorInfo): Int32Array {
    const { values } = this.backend.data.get(tensor.dataId);
    return values instanceof Int32Array ? values : Int32Array.from(values);
  }

  create(shape: number[], fill: (values: Float32Array) => void): tf.TensorInfo {
    const values = new Float32Array(tf.util.sizeFromShape(shape));
    fill(values);
    return this.backend.makeTensorInfo(shape, 'float32', values);
  }

  share(tensor: tf.TensorInfo): tf.TensorInfo | null {
    return share(this.backend, tensor);
  }
}

class WasmMemory implements Memory {
  constructor(private readonly backend: WasmBackend) {}

  floats(tensor: tf.TensorInfo): Float32Array {
    return this.backend.typedArrayFromHeap(tensor) as Float32Array;
  }

  integers(tensor: tf.TensorInfo): Int32Array {
    return this.backend.typedArrayFromHeap(tensor) as Int32Array;
  }

  create(shape: number[], fill: (values: Float32Array) => void): tf.TensorInfo {
    const result = this.backend.makeOutput(shape, 'float32');
    try {
      fill(this.floats(result));
    } catch (error) {
      this.backend.disposeData(result.dataId);
      throw error;
    }
    return result;
  }

  share(tensor: tf.TensorInfo): tf.TensorInfo | null {
    return share(this.backend, tensor);
  }
}

const memories = new WeakMap<object, Memory>();

/** The memory of a running tfjs backend, the object that tfjs hands to its kernels. */
export function memoryOf(name: BackendName, backend: object): Memory {
  let memory = memories.get(backend);
  if (memory === undefined) {
    memory =
      name === 'cpu'
        ? new CpuMemory(backend as CpuBackend)
        : new WasmMemory(backend as unknown as WasmBackend);
    memories.set(backend, memory);
  }
  return memory;
}
