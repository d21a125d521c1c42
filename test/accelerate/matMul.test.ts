import * as tf from '@tensorflow/tfjs';
import { accelerate } from '../../src/accelerate';
import {
  backends,
  evaluate,
  expectClose,
  expectSameAsPlainCpu,
  randomTensor,
  relativeError,
  runKernel,
} from './support';

const transposed = (shape: number[], transpose: boolean) =>
  transpose ? [...shape.slice(0, -2), shape[shape.length - 1], shape[shape.length - 2]] : shape;

describe('matrix products', () => {
  const pairs: [number[], number[]][] = [
    [
      [1, 1],
      [1, 1],
    ],
    [
      [2, 3],
      [3, 5],
    ],
    [
      [7, 1],
      [1, 4],
    ],
    [
      [50, 33],
      [33, 17],
    ],
    [
      [3, 2, 4],
      [3, 4, 5],
    ],
    [
      [3, 2, 4],
      [4, 5],
    ],
    [
      [2, 4],
      [3, 4, 5],
    ],
    [
      [1, 2, 4],
      [3, 4, 5],
    ],
    [
      [2, 3, 2, 4],
      [2, 3, 4, 5],
    ],
    [
      [2, 1, 3, 4],
      [1, 1, 4, 5],
    ],
    [
      [0, 3],
      [3, 5],
    ],
    [
      [2, 0],
      [0, 5],
    ],
    [
      [2, 3],
      [3, 0],
    ],
    [
      [0, 2, 3],
      [0, 3, 4],
    ],
  ];

  it.each(pairs)('of %j by %j equal those of the plain cpu backend, in every transposition', async (a, b) => {
    for (const transposeA of [false, true]) {
      for (const transposeB of [false, true]) {
        await expectSameAsPlainCpu(() =>
          runKernel(
            tf.BatchMatMul,
            { a: randomTensor(transposed(a, transposeA), 1), b: randomTensor(transposed(b, transposeB), 2) },
            { transposeA, transposeB },
          ),
        );
      }
    }
  });

  it('broadcast batches on both sides as an explicitly tiled product does', async () => {
    const product = (tile: boolean) => () => {
      const a = randomTensor([2, 1, 3, 4], 3);
      const b = randomTensor([1, 3, 4, 5], 4);
      return tile ? tf.matMul(tf.tile(a, [1, 3, 1, 1]), tf.tile(b, [2, 1, 1, 1])) : tf.matMul(a, b);
    };
    const expected = await evaluate('cpu', product(true));
    const restore = accelerate();
    for (const backend of backends) expectClose(await evaluate(backend, product(false)), expected, 1e-6);
    restore();
  });

  it('take float32 tensors that were cast from int32 or bool and still hold those arrays', async () => {
    await expectSameAsPlainCpu(
      () => [
        tf.matMul(tf.tensor([1, 2, 3, -4], [2, 2], 'int32').toFloat(), randomTensor([2, 3], 5)),
        tf.matMul(tf.tensor([1, 0, 1, 1], [2, 2], 'bool').toFloat(), randomTensor([2, 3], 6)),
      ],
      { left: [tf.Cast] },
    );
  });

  it('carry a NaN to just the results that depend on it', async () => {
    await expectSameAsPlainCpu(() => tf.matMul(tf.tensor2d([NaN, 1, 2, 3], [2, 2]), randomTensor([2, 3], 7)));
  });
});

describe('fused matrix products', () => {
  const activations = ['linear', 'relu', 'relu6', 'elu', 'sigmoid', 'leakyrelu', 'prelu'];

  it.each(activations)('with bias and %s equal those of the plain cpu backend', async (activation) => {
    for (const [batch, rows, inner, columns] of [
      [1, 5, 7, 3],
      [1, 50, 20, 33],
      [3, 1, 4, 1],
      [0, 2, 3, 4],
      [1, 2, 0, 3],
    ]) {
      for (const biasShape of [null, [columns], [1], [1, columns]]) {
        await expectSameAsPlainCpu(() =>
          runKernel(
            tf._FusedMatMul,
            {
              a: randomTensor([batch, rows, inner], 1).mul(5),
              b: randomTensor([batch, inner, columns], 2),
              ...(biasShape && { bias: randomTensor(biasShape, 3) }),
              ...(activation === 'prelu' && { preluActivationWeights: randomTensor([columns], 4) }),
            },
            { transposeA: false, transposeB: false, activation, leakyreluAlpha: 0.3 },
          ),
        );
      }
    }
  });

  it('broadcast slopes and biases of every shape that repeats over the rows', async () => {
    for (const shape of [[], [4], [3, 4], [1, 1, 4], [2, 3, 4]]) {
      await expectSameAsPlainCpu(() =>
        runKernel(
          tf._FusedMatMul,
          {
            a: randomTensor([2, 3, 5], 1),
            b: randomTensor([2, 5, 4], 2),
            bias: randomTensor(shape, 3),
            preluActivationWeights: randomTensor(shape, 4),
          },
          { transposeA: false, transposeB: false, activation: 'prelu' },
        ),
      );
    }
  });

  it('multiply broadcast batches in both transpositions and finish them with bias and activation', async () => {
    const product = (tile: boolean) => () => {
      const a = randomTensor([2, 1, 4, 3], 3);
      const b = randomTensor([1, 3, 5, 4], 4);
      const bias = randomTensor([5], 5);
      if (!tile) {
        const attrs = { transposeA: true, transposeB: true, activation: 'relu' };
        return runKernel(tf._FusedMatMul, { a, b, bias }, attrs);
      }
      return tf.relu(tf.matMul(tf.tile(a, [1, 3, 1, 1]), tf.tile(b, [2, 1, 1, 1]), true, true).add(bias));
    };
    const expected = await evaluate('cpu', product(true));
    const restore = accelerate();
    for (const backend of backends) expectClose(await evaluate(backend, product(false)), expected, 1e-6);
    restore();
  });

  it('let a NaN through relu', async () => {
    await expectSameAsPlainCpu(() =>
      tf.fused.matMul({ a: tf.tensor2d([[NaN], [-1]]), b: tf.tensor2d([[1, 2]]), activation: 'relu' }),
    );
  });
});

it('a relative error is zero for equal arrays and counts a missing NaN as infinite', () => {
  expect(relativeError(Float32Array.of(1, NaN), Float32Array.of(1, NaN))).toBe(0);
  expect(relativeError(Float32Array.of(1, 2), Float32Array.of(1, NaN))).toBe(Infinity);
  expect(relativeError(Float32Array.of(1.5, 2), Float32Array.of(1, 2))).toBe(0.25);
});
