import * as tf from '@tensorflow/tfjs';

import { NatgradError } from '../../src/errors';
import { host } from '../../src/host/currentHost';
import { DataHost } from '../../src/host/dataHost';
import { TensorFlowHost } from '../../src/host/tensorflowHost';
import { WasmHost } from '../../src/host/wasmHost';
import { backends, useBackend } from '../support/backends';

function memory(): number[] {
  const { numTensors, numBytes, numDataBuffers } = tf.memory();
  return [numTensors, numBytes, numDataBuffers];
}

/** Adds `amount` to every value through the host. */
function add(amount: number, ...variables: tf.Variable[]): void {
  host().update(variables, (arrays) => {
    for (const array of arrays) for (let i = 0; i < array.length; i++) array[i] += amount;
  });
}

function codeOf(work: () => unknown): string | undefined {
  try {
    work();
  } catch (error) {
    return error instanceof NatgradError ? error.code : String(error);
  }
  return undefined;
}

const hosts: Record<string, new (...args: never[]) => object> = {
  cpu: DataHost,
  wasm: WasmHost,
  tensorflow: TensorFlowHost,
};

describe.each(backends)('on the %s backend', (name) => {
  beforeAll(() => useBackend(name));
  afterEach(() => tf.disposeVariables());

  test('the host is that of the backend, is without copies, and is made once', () => {
    expect(host()).toBeInstanceOf(hosts[name]);
    expect(host().backendName).toBe(name);
    expect(host().zeroCopy).toBe(true);
    expect(host()).toBe(host());
  });

  test('read gives the values of a tensor row by row', () => {
    const matrix = tf.tensor2d([
      [1, 2, 3],
      [4, 5, 6],
    ]);
    const transposed = matrix.transpose();
    expect([...host().read(matrix)]).toEqual([1, 2, 3, 4, 5, 6]);
    expect([...host().read(transposed)]).toEqual([1, 4, 2, 5, 3, 6]);
    tf.dispose([matrix, transposed]);
  });

  test('read does not copy: two reads see the same memory', () => {
    const tensor = tf.ones([64, 64]).add(0);
    host().lend(() => {
      const [one, other] = [host().read(tensor), host().read(tensor)];
      expect(one.buffer).toBe(other.buffer);
      expect(one.byteOffset).toBe(other.byteOffset);
    });
    tensor.dispose();
  });

  test('readIndices gives int32 values and refuses floats, as read refuses indices', () => {
    const indices = tf.tensor1d([3, 1, 2], 'int32');
    const floats = tf.tensor1d([3, 1, 2]);
    expect(host().readIndices(indices)).toEqual(Int32Array.of(3, 1, 2));
    expect(codeOf(() => host().readIndices(floats))).toBe('ERR_NATGRAD_TYPE');
    expect(codeOf(() => host().read(indices))).toBe('ERR_NATGRAD_TYPE');
    tf.dispose([indices, floats]);
  });

  test('reading a disposed tensor is an error', () => {
    const tensor = tf.tensor1d([1]);
    tensor.dispose();
    expect(() => host().read(tensor)).toThrow(/disposed/);
  });

  test('create hands out zeros and keeps what is written', () => {
    // Freed memory that is not zero is what a careless allocation would hand out again.
    for (let i = 0; i < 20; i++) tf.ones([2, 3]).dispose();
    const before = memory();
    let seen: number[] = [];
    const tensor = host().create([2, 3], (values) => {
      seen = [...values];
      values.set([1, 2, 3, 4, 5, 6]);
    });
    expect(seen).toEqual([0, 0, 0, 0, 0, 0]);
    expect(tensor.shape).toEqual([2, 3]);
    expect([...tensor.dataSync()]).toEqual([1, 2, 3, 4, 5, 6]);
    expect([...tensor.square().dataSync()]).toEqual([1, 4, 9, 16, 25, 36]);
    tf.dispose(tensor);
    expect(memory()[0] - before[0]).toBe(1); // only the square
  });

  test('create makes scalars and empty tensors too, and releases its tensor if filling throws', () => {
    const before = memory();
    const scalar = host().create([], (values) => values.fill(4));
    const empty = host().create([0, 3], () => {});
    expect(scalar.dataSync()[0]).toBe(4);
    expect(empty.dataSync()).toHaveLength(0);
    tf.dispose([scalar, empty]);
    expect(() =>
      host().create([2], () => {
        throw new Error('no values');
      }),
    ).toThrow('no values');
    expect(memory()).toEqual(before);
  });

  test('update changes all variables, over and over, in constant memory', () => {
    const variables = [tf.variable(tf.zeros([2, 2])), tf.variable(tf.scalar(1)), tf.variable(tf.ones([3]))];
    add(1, ...variables);
    const before = memory();
    for (let i = 0; i < 9; i++) add(1, ...variables);
    expect(memory()).toEqual(before);
    expect(variables.map((variable) => [...variable.dataSync()])).toEqual([
      [10, 10, 10, 10],
      [11],
      [11, 11, 11],
    ]);
    expect(variables.map((variable) => variable.shape)).toEqual([[2, 2], [], [3]]);
  });

  test('update changes neither the array nor the tensor that a variable was made from', () => {
    const array = Float32Array.of(1, 2, 3);
    const initial = tf.tensor1d(array);
    const variable = tf.variable(initial);
    add(1, variable);
    add(1, variable);
    expect([...array]).toEqual([1, 2, 3]);
    expect([...initial.dataSync()]).toEqual([1, 2, 3]);
    expect([...variable.dataSync()]).toEqual([3, 4, 5]);
    initial.dispose();
  });

  test('update changes no clone, no reshaped view and no array from dataSync, whenever they were taken', () => {
    const variable = tf.variable(tf.tensor1d([1, 2]));
    for (let step = 0; step < 3; step++) {
      const expected = [1 + step, 2 + step];
      const clone = variable.clone();
      const reshaped = variable.reshape([2, 1]);
      const array = variable.dataSync();
      add(1, variable);
      expect([...clone.dataSync()]).toEqual(expected);
      expect([...reshaped.dataSync()]).toEqual(expected);
      expect([...array]).toEqual(expected);
      tf.dispose([clone, reshaped]);
      expect([...variable.dataSync()]).toEqual([2 + step, 3 + step]);
    }
  });

  test('two variables that share storage are told apart', () => {
    const one = tf.variable(tf.tensor1d([1, 2]));
    const other = tf.variable(one);
    add(1, one);
    expect([...other.dataSync()]).toEqual([1, 2]);
    host().update([one, other], ([first, second]) => {
      first.fill(7);
      second.fill(8);
    });
    expect([...one.dataSync(), ...other.dataSync()]).toEqual([7, 7, 8, 8]);
  });

  test('a variable that tfjs assigns in between is updated from its new value', () => {
    const variable = tf.variable(tf.tensor1d([1, 2]));
    add(1, variable);
    const assigned = tf.tensor1d([10, 20]);
    variable.assign(assigned);
    add(1, variable);
    expect([...assigned.dataSync()]).toEqual([10, 20]);
    expect([...variable.dataSync()]).toEqual([11, 21]);
    assigned.dispose();
  });

  test('nothing leaks if write throws', () => {
    const initial = tf.tensor1d([1, 2]);
    const variable = tf.variable(initial);
    const before = memory();
    const update = () =>
      host().update([variable], () => {
        throw new Error('no update');
      });
    expect(update).toThrow('no update');
    expect(memory()).toEqual(before);
    expect([...variable.dataSync()]).toEqual([1, 2]);
    initial.dispose();
  });

  test('update refuses a variable that is not float32, by name, before anything is written', () => {
    const good = tf.variable(tf.tensor1d([1]), true, 'good');
    const bad = tf.variable(tf.tensor1d([1], 'int32'), true, 'counter');
    const write = jest.fn();
    expect(() => host().update([good, bad], write)).toThrow(/'counter' has dtype int32/);
    expect(codeOf(() => host().update([bad], write))).toBe('ERR_NATGRAD_TYPE');
    expect(write).not.toHaveBeenCalled();
  });

  test('updates are what the next operations of tfjs see', () => {
    const variable = tf.variable(tf.eye(2));
    add(1, variable);
    add(1, variable);
    const product = tf.tidy(() => tf.matMul(tf.ones([1, 2]), variable));
    expect([...product.dataSync()]).toEqual([5, 5]);
    product.dispose();
  });
});

test('on wasm the matrix product sees the new values, although it packs and keeps its right-hand sides', async () => {
  await tf.setBackend('wasm');
  const x = tf.ones([16, 8]);
  const variable = tf.tidy(() => tf.variable(tf.ones([8, 6])));
  const product = () => tf.tidy(() => tf.matMul(x, variable as unknown as tf.Tensor2D).dataSync()[0]);
  expect(product()).toBe(8);
  add(1, variable);
  expect(product()).toBe(16);
  tf.dispose([x, variable]);
});

test('on wasm arrays are taken after the last allocation, so a growing heap does not detach them', async () => {
  await tf.setBackend('wasm');
  // Shared storage makes update allocate 3 x 24 MB, more than the 16 MB heap that the module starts with has left.
  const tensors = [0, 1, 2].map((value) => tf.fill([6e6], value));
  const variables = tensors.map((tensor) => tf.variable(tensor));
  add(1, ...variables);
  expect(variables.map((variable) => variable.slice([6e6 - 1]).dataSync()[0])).toEqual([1, 2, 3]);
  expect(tensors.map((tensor) => tensor.slice([6e6 - 1]).dataSync()[0])).toEqual([0, 1, 2]);
  tf.dispose([tensors, variables]);
});

test('any other synchronous backend is read and written by copies', async () => {
  tf.copyRegisteredKernels('cpu', 'other');
  tf.registerBackend('other', () => tf.findBackendFactory('cpu')());
  await tf.setBackend('other');
  expect(host()).toBeInstanceOf(DataHost);
  expect(host().zeroCopy).toBe(false);
  const variable = tf.variable(tf.tensor1d([1, 2]));
  add(1, variable);
  expect([...variable.dataSync()]).toEqual([2, 3]);
  variable.dispose();
  await tf.setBackend('cpu');
  tf.removeBackend('other');
});

test('webgpu, which cannot be read synchronously in Node, is refused with what to do instead', async () => {
  tf.registerBackend('webgpu', () => tf.findBackendFactory('cpu')());
  await tf.setBackend('webgpu');
  expect(codeOf(host)).toBe('ERR_NATGRAD_BACKEND');
  expect(() => host()).toThrow(/setBackend/);
  await tf.setBackend('cpu');
  tf.removeBackend('webgpu');
});
