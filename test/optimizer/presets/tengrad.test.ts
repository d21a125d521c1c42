import * as tf from '@tensorflow/tfjs';

import { blockDiagonal, seng, tengrad } from '../../../src';
import { compiled, itTrains, stepError, train } from '../../support/batchPresets';
import { useBackend } from '../../support/backends';
import { oneStep } from '../../support/exactStep';
import { weightsOf } from '../../support/classifier';
import { relativeError } from '../../support/matrices';

describe('tengrad', () => {
  beforeAll(() => useBackend('cpu'));

  itTrains(tengrad, [
    { structure: 'TENGraD', matrices: '16 x 16, of 16 scores' },
    { structure: 'TENGraD', matrices: '16 x 16, of 16 scores' },
  ]);

  // Oracle: for each layer the solution by elimination with its diagonal block of the float64 Fisher matrix.
  it.each(['empirical', 'exact'] as const)(
    'takes exactly minus the damped natural gradient of each layer, %s',
    async (fisher) => {
      expect(await stepError(tengrad, fisher, 0.05, 'layers')).toBeLessThan(1e-4);
    },
  );

  it('is the dual form of blockDiagonal', async () => {
    const runs = await Promise.all(
      [tengrad, (config?: object) => blockDiagonal({ fisher: 'empirical', form: 'dual', ...config })].map(
        async (create) => {
          const { model } = compiled(create, { learningRate: 1, damping: 10 });
          await train(model, 5);
          return weightsOf(model);
        },
      ),
    );
    expect(runs[0]).toEqual(runs[1]);
  });
});

describe.each([
  ['tengrad', tengrad],
  ['seng', seng],
] as const)('%s with scores of low rank', (_, create) => {
  beforeAll(() => useBackend('cpu'));

  /** The change of the weights of a convolutional net in a step of length 1, and what its convolution kept. */
  async function step(scoreRank: number | null, images: tf.Tensor4D) {
    const model = tf.sequential();
    const kernelInitializer = tf.initializers.glorotUniform({ seed: 1 });
    model.add(
      tf.layers.conv2d({
        filters: 5,
        kernelSize: 3,
        activation: 'relu',
        inputShape: [6, 6, 2],
        kernelInitializer,
      }),
    );
    model.add(tf.layers.globalAveragePooling2d({}));
    model.add(tf.layers.dense({ units: 3, activation: 'softmax', kernelInitializer }));
    const optimizer = create({ ...oneStep, damping: 0.02, scoreRank });
    model.compile({ optimizer, loss: 'categoricalCrossentropy' });
    const labels = tf.tidy(() => tf.oneHot(tf.tensor1d([0, 1, 2, 0, 1, 2, 0, 1], 'int32'), 3).toFloat());
    const before = weightsOf(model).flatMap((values) => [...values]);
    await model.trainOnBatch(images, labels);
    const after = weightsOf(model).flatMap((values) => [...values]);
    const [convolution] = optimizer.summary();
    model.dispose();
    labels.dispose();
    return { change: after.map((value, i) => value - before[i]), convolution };
  }

  it('takes steps that come closer to the exact ones with the rank, in less memory', async () => {
    const images = tf.randomNormal<tf.Rank.R4>([8, 6, 6, 2], 0, 1, 'float32', 2);
    const exact = await step(null, images);
    const errors: number[] = [];
    for (const rank of [1, 2, 3]) {
      const { change, convolution } = await step(rank, images);
      errors.push(relativeError(change, exact.change));
      // Besides the 8 x 8 matrix, 18 + 1 inputs and 5 outputs of each singular vector in place of 19 x 5 parameters; float64.
      expect(convolution.matrices).toBe(`8 x 8, of 8 scores of rank ${rank}`);
      expect(exact.convolution.bytes - convolution.bytes).toBe(8 * 8 * (19 * 5 - rank * 24));
    }
    expect(errors[2]).toBeLessThan(errors[1]);
    expect(errors[1]).toBeLessThan(errors[0]);
    images.dispose();
  });

  it('leaves nothing out of images whose patches are all alike', async () => {
    // Every patch of an image of one colour is the same, so the score of an example is a sum over equal inputs: of rank one.
    const images = tf.tidy(() =>
      tf.randomNormal([8, 1, 1, 2], 0, 1, 'float32', 3).tile<tf.Tensor4D>([1, 6, 6, 1]),
    );
    const [low, exact] = [await step(1, images), await step(null, images)];
    expect(relativeError(low.change, exact.change)).toBeLessThan(1e-5);
    images.dispose();
  });

  it.each([0, 1.5, 'all'])('refuses the rank %j', (scoreRank) => {
    expect(() => create({ scoreRank } as object)).toThrow(/scoreRank is .*positive integer, or null for all/);
  });
});
