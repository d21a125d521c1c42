import * as tf from '@tensorflow/tfjs';

import type { Dataset, Examples } from '../../src/cli/dataset';
import { createModel } from '../../src/cli/models';
import { learningRateSchedules } from '../../src/cli/schedules';
import { shuffledOrder } from '../../src/cli/shuffle';
import { evaluate, train, type TrainingOptions } from '../../src/cli/train';

/** Two classes of 4 x 4 images: bright above or bright below. */
function halves(count: number): Examples {
  const images = new Uint8Array(count * 16);
  const labels = Uint8Array.from({ length: count }, (_, i) => i % 2);
  labels.forEach((label, i) => images.fill(200 + (i % 50), 16 * i + 8 * label, 16 * i + 8 * label + 8));
  return { count, images, labels };
}

const dataset: Dataset = {
  name: 'halves',
  height: 4,
  width: 4,
  classes: 2,
  train: halves(23),
  test: halves(10),
};

const run = async (extra: Partial<TrainingOptions> = {}) => {
  const model = createModel('mlp', dataset, 7);
  const optimizer = tf.train.sgd(0.1);
  try {
    return await train({ dataset, model, optimizer, epochs: 2, batchSize: 5, seed: 3, ...extra });
  } finally {
    optimizer.dispose();
    model.dispose();
  }
};

beforeAll(async () => {
  tf.enableProdMode(); // Else tfjs advertises tfjs-node.
  await tf.setBackend('cpu');
});

describe('training', () => {
  it('takes a step per batch, the last one smaller, and evaluates after every epoch', async () => {
    const sizes: number[] = [];
    const model = createModel('mlp', dataset, 7);
    const trainOnBatch = model.trainOnBatch.bind(model);
    model.trainOnBatch = (x, y) => {
      sizes.push((x as tf.Tensor).shape[0]);
      return trainOnBatch(x, y);
    };
    const result = await run({ model });
    expect(sizes).toEqual([5, 5, 5, 5, 3, 5, 5, 5, 5, 3]);
    expect(result.stepLosses).toHaveLength(10);
    expect(result.epochs).toHaveLength(2);
  });

  it('gives the same losses for the same seed and others for another', async () => {
    const [first, again, other] = [await run(), await run(), await run({ seed: 4 })];
    expect(again.stepLosses).toEqual(first.stepLosses);
    expect(other.stepLosses).not.toEqual(first.stepLosses);
  });

  it('learns to tell two classes apart that a line separates', async () => {
    const { epochs, diverged } = await run({ epochs: 10 });
    expect(diverged).toBe(false);
    expect(epochs[9].testAccuracy).toBe(1);
    expect(epochs[9].trainLoss).toBeLessThan(epochs[0].trainLoss);
  });

  it('weights the mean loss of an epoch by the size of its batches', async () => {
    const { epochs, stepLosses } = await run({ epochs: 1 });
    const [a, b, c, d, last] = stepLosses;
    expect(epochs[0].trainLoss).toBeCloseTo((5 * (a + b + c + d) + 3 * last) / 23, 12);
  });

  it('sets the learning rate before every step, also where the field is not public', async () => {
    const optimizers: tf.Optimizer[] = [tf.train.sgd(9), tf.train.adam(9)];
    for (const optimizer of optimizers) {
      const seen: number[] = [];
      const apply = optimizer.applyGradients.bind(optimizer);
      optimizer.applyGradients = (gradients: Parameters<typeof apply>[0]) => {
        seen.push((optimizer as unknown as { learningRate: number }).learningRate);
        apply(gradients);
      };
      await run({ optimizer, epochs: 1, learningRate: (step) => 0.1 / (step + 1) });
      expect(seen).toEqual([0.1, 0.1 / 2, 0.1 / 3, 0.1 / 4, 0.1 / 5]);
    }
  });

  it('stops when the loss is no longer finite', async () => {
    const { diverged, stepLosses } = await run({ optimizer: tf.train.sgd(1e38), epochs: 50 });
    expect(diverged).toBe(true);
    expect(stepLosses.length).toBeLessThan(250);
  });

  it('leaves no tensor behind', async () => {
    await run();
    const before = tf.memory().numTensors;
    await run();
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe('evaluation', () => {
  it('gives the mean cross entropy and the share of right answers of the probabilities', () => {
    // A model that answers (0.8, 0.2) to everything: of the ten labels 0, 1, 0, 1, ... it gets the five zeros.
    const model = tf.sequential({
      layers: [
        tf.layers.flatten({ inputShape: [4, 4, 1] }),
        tf.layers.dense({ units: 2, activation: 'softmax', kernelInitializer: 'zeros' }),
      ],
    });
    model.layers[1].setWeights([tf.zeros([16, 2]), tf.tensor1d([Math.log(4), 0])]);
    const { testLoss, testAccuracy } = evaluate(model, dataset, 3);
    expect(testAccuracy).toBe(0.5);
    expect(testLoss).toBeCloseTo(-(Math.log(0.8) + Math.log(0.2)) / 2, 6);
  });
});

describe('a model of the command line', () => {
  it.each(['mlp', 'conv'] as const)('%s has weights that depend on the seed alone', (name) => {
    const weights = (seed: number) =>
      createModel(name, dataset, seed)
        .getWeights()
        .map((w) => Array.from(w.dataSync()));
    expect(weights(1)).toEqual(weights(1));
    expect(weights(1)).not.toEqual(weights(2));
  });

  it('mlp has the layers 784-80-80-10 on MNIST, with 70 090 parameters', () => {
    const model = createModel('mlp', { height: 28, width: 28, classes: 10 }, 1);
    expect(model.countParams()).toBe(785 * 80 + 81 * 80 + 81 * 10);
  });
});

describe('the order of the examples', () => {
  it('is a permutation that changes with the seed and with the epoch', () => {
    const order = shuffledOrder(100, 1, 0);
    expect(Array.from(order).sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, i) => i));
    expect(shuffledOrder(100, 1, 0)).toEqual(order);
    expect(shuffledOrder(100, 1, 1)).not.toEqual(order);
    expect(shuffledOrder(100, 2, 0)).not.toEqual(order);
  });

  it('puts every example at every place about equally often', () => {
    // 6000 draws of 6 places: the count of one place has mean 1000 and standard deviation sqrt(6000 * 1/6 * 5/6) = 29; 5 of them.
    const counts = Array.from({ length: 6 }, () => new Array<number>(6).fill(0));
    for (let seed = 0; seed < 6000; seed++)
      shuffledOrder(6, seed, 0).forEach((example, place) => counts[example][place]++);
    for (const count of counts.flat()) expect(Math.abs(count - 1000)).toBeLessThan(145);
  });
});

describe('a schedule', () => {
  it.each([
    ['constant', 0.2, 0.2],
    ['linear', 0.1, 0.002],
    ['cosine', 0.1, 0.2 * ((1 + Math.cos(0.99 * Math.PI)) / 2)],
    ['exponential', 0.02, 0.2 * 0.01 ** 0.99],
  ] as const)('%s starts at the initial rate and falls as its formula says', (name, half, last) => {
    const rate = learningRateSchedules[name](0.2, 100);
    expect(rate(0)).toBeCloseTo(0.2, 12);
    expect(rate(50)).toBeCloseTo(half, 12);
    expect(rate(99)).toBeCloseTo(last, 12);
  });
});
