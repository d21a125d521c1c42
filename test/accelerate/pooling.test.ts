import * as tf from '@tensorflow/tfjs';
import { expectSameAsPlainCpu, randomTensor, runKernel } from './support';

interface Case {
  x: [number, number, number, number];
  filterSize: [number, number];
  strides: [number, number];
  pad: 'same' | 'valid' | number | [number, number][];
  dimRoundingMode?: 'floor' | 'round' | 'ceil';
}

const cases: Case[] = [
  { x: [1, 2, 2, 1], filterSize: [2, 2], strides: [2, 2], pad: 'valid' },
  { x: [3, 8, 6, 5], filterSize: [2, 2], strides: [2, 2], pad: 'valid' },
  { x: [3, 7, 5, 8], filterSize: [2, 2], strides: [2, 2], pad: 'same' },
  { x: [2, 9, 7, 3], filterSize: [3, 2], strides: [1, 2], pad: 'same' },
  { x: [2, 9, 7, 17], filterSize: [3, 3], strides: [1, 1], pad: 'same' },
  { x: [2, 9, 7, 3], filterSize: [1, 1], strides: [2, 2], pad: 'valid' },
  { x: [2, 9, 7, 3], filterSize: [3, 4], strides: [2, 3], pad: 1, dimRoundingMode: 'floor' },
  { x: [2, 9, 7, 3], filterSize: [3, 4], strides: [2, 3], pad: 1, dimRoundingMode: 'ceil' },
  { x: [2, 9, 7, 3], filterSize: [4, 2], strides: [3, 2], pad: 1, dimRoundingMode: 'round' },
  {
    x: [2, 6, 5, 3],
    filterSize: [3, 3],
    strides: [2, 2],
    pad: [
      [0, 0],
      [1, 2],
      [2, 0],
      [0, 0],
    ],
  },
  { x: [0, 4, 4, 2], filterSize: [2, 2], strides: [2, 2], pad: 'valid' },
  { x: [1, 3, 3, 2], filterSize: [3, 3], strides: [5, 5], pad: 'same' },
];

const outShape = (c: Case, dimRoundingMode = c.dimRoundingMode) =>
  tf.backend_util.computePool2DInfo(c.x, c.filterSize, c.strides, 1, c.pad as number, dimRoundingMode)
    .outShape;

/** Whole numbers from -2 to 1, so that most windows have several equal largest elements. */
const manyTies = (shape: number[], seed: number) => randomTensor(shape, seed).mul(2).floor();

describe.each(cases.map((c) => [JSON.stringify(c), c] as const))('pooling %s', (_, c) => {
  it('by maximum and by mean equals that of the plain cpu backend', async () => {
    await expectSameAsPlainCpu(() => runKernel(tf.AvgPool, { x: randomTensor(c.x, 1) }, c));
    await expectSameAsPlainCpu(() => runKernel(tf.MaxPool, { x: randomTensor(c.x, 1) }, c));
  });

  it('sends gradients where the plain cpu backend sends them, also between equal elements', async () => {
    for (const make of [randomTensor, manyTies]) {
      await expectSameAsPlainCpu(() => {
        const input = make(c.x, 1);
        const output = tf.zeros(outShape(c));
        return runKernel(tf.MaxPoolGrad, { dy: randomTensor(outShape(c), 2), input, output }, c);
      });
    }
    // The mean's gradient knows no rounding mode in tfjs.
    const unrounded = { ...c, dimRoundingMode: undefined };
    await expectSameAsPlainCpu(() =>
      runKernel(
        tf.AvgPoolGrad,
        { dy: randomTensor(outShape(unrounded), 2), input: randomTensor(c.x, 1) },
        unrounded,
      ),
    );
  });
});

it('the maximum passes over NaNs, and a window of nothing else sends no gradient, as on the plain cpu backend', async () => {
  const input = () => tf.tensor4d([NaN, 1, 2, NaN, NaN, NaN, NaN, NaN], [1, 4, 2, 1]);
  const attrs = { filterSize: [2, 2], strides: [2, 2], pad: 'valid' };
  await expectSameAsPlainCpu(() => runKernel(tf.MaxPool, { x: input() }, attrs));
  await expectSameAsPlainCpu(() => {
    const dy = tf.ones([1, 2, 1, 1]);
    return runKernel(tf.MaxPoolGrad, { dy, input: input(), output: dy }, attrs);
  });
});
