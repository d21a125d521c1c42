import * as tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-wasm';

import { engine } from '../../src/tape/engine';
import type * as selfTest from '../../src/tape/selfTest';
import { values } from './nets';
import { backends } from '../support/backends';

/** A self-test that has not run yet. */
function fresh(): typeof selfTest {
  let loaded: typeof selfTest;
  jest.isolateModules(() => {
    jest.doMock('@tensorflow/tfjs', () => tf);
    loaded = jest.requireActual<typeof selfTest>('../../src/tape/selfTest');
  });
  return loaded!;
}

function state(): unknown[] {
  const { numTensors, numBytes, numDataBuffers } = tf.memory();
  const { activeTape, gradientDepth, kernelDepth, registeredVariables } = engine().state;
  return [
    numTensors,
    numBytes,
    numDataBuffers,
    activeTape?.length,
    gradientDepth,
    kernelDepth,
    Object.keys(registeredVariables),
  ];
}

test.each(backends)('the tape can be read on %s, and trying it leaves nothing behind', async (backend) => {
  await tf.setBackend(backend);
  const before = state();
  const { tapeWorks } = fresh();
  expect(tapeWorks()).toBe(true);
  expect(state()).toEqual(before);
});

test('it runs once per backend', async () => {
  await tf.setBackend('cpu');
  const { tapeWorks } = fresh();
  tapeWorks();
  const kernels = jest.spyOn(engine(), 'runKernel');
  expect(tapeWorks()).toBe(true);
  expect(kernels).not.toHaveBeenCalled();
  await tf.setBackend('wasm');
  expect(tapeWorks()).toBe(true);
  expect(kernels).toHaveBeenCalled();
  kernels.mockRestore();
  delete (tf.engine() as Partial<ReturnType<typeof tf.engine>>).runKernel;
});

test('it does not disturb a gradient computation in progress', async () => {
  await tf.setBackend('cpu');
  const x = values([3], 1);
  const { tapeWorks } = fresh();
  const gradient = tf.grad((input) => {
    const squared = input.square();
    const before = state();
    expect(tapeWorks()).toBe(true);
    expect(state()).toEqual(before);
    return squared.sum();
  })(x);
  expect(gradient.dataSync()).toEqual(x.mul(2).dataSync());
});

test('it fails, and does not throw, where the tape has another form', async () => {
  await tf.setBackend('cpu');
  const before = state();
  // A tfjs whose tape names its products differently, as a future one may.
  const target = tf.engine() as unknown as {
    addTapeNode: (name: string, ...rest: unknown[]) => void;
  };
  const { addTapeNode } = target;
  target.addTapeNode = (name, ...rest) => {
    addTapeNode.call(target, name === 'BatchMatMul' ? 'MatMulV9' : name, ...rest);
  };
  try {
    expect(fresh().tapeWorks()).toBe(false);
  } finally {
    delete (target as Partial<typeof target>).addTapeNode;
  }
  expect(state()).toEqual(before);
});
