import * as tf from '@tensorflow/tfjs';
import { accelerate } from '../../src/accelerate';
import { expectSameAsPlainCpu, randomTensor } from './support';

describe('addition', () => {
  it('of equal shapes, and of a bias of any shape that repeats, equals that of the plain cpu backend', async () => {
    const pairs = [
      [[7], [7]],
      [[3, 5], [5]],
      [[3, 5], []],
      [[5], [3, 5]],
      [
        [3, 5],
        [1, 5],
      ],
      [[4, 6, 6, 3], [3]],
      [
        [40, 26, 3],
        [26, 3],
      ],
      [[2, 300], [300]],
      [[9, 200], [200]],
      [[0, 5], [5]],
      [[3, 1], [1]],
      [[], []],
    ];
    for (const [a, b] of pairs)
      await expectSameAsPlainCpu(() => tf.add(randomTensor(a, 1), randomTensor(b, 2)));
  });

  it('that broadcasts otherwise is left to tfjs', async () => {
    const pairs = [
      [
        [3, 5],
        [3, 1],
      ],
      [
        [3, 1],
        [1, 5],
      ],
      [
        [2, 1, 4],
        [3, 1],
      ],
    ];
    for (const [a, b] of pairs) {
      await expectSameAsPlainCpu(() => tf.add(randomTensor(a, 1), randomTensor(b, 2)), { left: [tf.Add] });
    }
  });
});

describe('sums', () => {
  it('over the first dimensions equal those of the plain cpu backend', async () => {
    const cases: [number[], number[]][] = [
      [[1, 1], [0]],
      [[50, 10], [0]],
      [
        [5, 26, 26, 8],
        [0, 1, 2],
      ],
      [
        [7, 3, 130],
        [0, 1],
      ],
      [[2000, 3], [0]],
      [[3, 4, 5], [-3]],
      [
        [3, 4, 5],
        [1, 0],
      ],
      [[0, 4], [0]],
      [[4, 0], [0]],
    ];
    for (const [shape, axes] of cases) {
      for (const keepDims of [false, true]) {
        await expectSameAsPlainCpu(() => tf.sum(randomTensor(shape, 1), axes, keepDims));
      }
    }
  });

  it('of many numbers of one sign are as accurate as sums in float64', async () => {
    await expectSameAsPlainCpu(() => tf.sum(randomTensor([300000, 2], 1).add(3), 0), { tolerance: 1e-6 });
  });

  it('over other dimensions are left to tfjs', async () => {
    for (const axes of [[1], [0, 1], [0, 2]]) {
      await expectSameAsPlainCpu(() => tf.sum(randomTensor(axes[1] === 2 ? [3, 4, 5] : [3, 4], 1), axes), {
        left: [tf.Sum],
      });
    }
  });
});

describe('copies on the wasm backend', () => {
  it('share memory that lives until the last of them is disposed of', async () => {
    await tf.setBackend('wasm');
    const restore = accelerate();
    const before = tf.memory();
    const original = tf.tensor1d([1, 2, 3]);
    const copy = original.clone();
    const cast = original.cast('float32');
    expect(copy.dataId).toBe(original.dataId);
    expect(cast.dataId).toBe(original.dataId);
    original.dispose();
    cast.dispose();
    expect(Array.from(copy.dataSync())).toEqual([1, 2, 3]);
    copy.dispose();
    expect(tf.memory().numTensors).toBe(before.numTensors);
    expect(tf.memory().numDataBuffers).toBe(before.numDataBuffers);
    expect(tf.memory().numBytes).toBe(before.numBytes);
    restore();
  });

  it('of variables keep their values when the variable is assigned anew', async () => {
    await tf.setBackend('wasm');
    const restore = accelerate();
    const variable = tf.variable(tf.tensor1d([1, 2]));
    const before = variable.clone();
    variable.assign(tf.tensor1d([3, 4]));
    expect(Array.from(before.dataSync())).toEqual([1, 2]);
    expect(Array.from(variable.dataSync())).toEqual([3, 4]);
    restore();
  });

  it('of strings are left to tfjs', async () => {
    await tf.setBackend('wasm');
    const restore = accelerate();
    expect(tf.tensor1d(['a', 'b']).clone().dataSync()).toEqual(['a', 'b']);
    restore();
  });
});
