import * as tf from '@tensorflow/tfjs';
import { accelerate } from '../../src/accelerate';
import { backends, evaluate, expectClose, randomNumbers, randomTensor } from './support';

/** Runs `compute` on plain cpu, and accelerated on every backend, and compares. */
async function expectSameEverywhere(compute: () => tf.Tensor[], tolerance: number): Promise<void> {
  const expected = await evaluate('cpu', compute);
  const restore = accelerate();
  for (const backend of backends) expectClose(await evaluate(backend, compute), expected, tolerance);
  restore();
}

describe('gradients of whole networks equal those of the plain cpu backend', () => {
  const gradients = (loss: (...tensors: tf.Tensor[]) => tf.Tensor, shapes: number[][]) => () =>
    tf.grads((...tensors: tf.Tensor[]) => loss(...tensors).asScalar())(
      shapes.map((shape, i) => randomTensor(shape, i + 1)),
    );

  it('for convolutions with pooling by maximum', async () => {
    await expectSameEverywhere(
      gradients(
        (x, w1, b1, w2, b2, w3) => {
          const first = tf.maxPool(
            tf.relu<tf.Tensor4D>(tf.add(tf.conv2d(x as tf.Tensor4D, w1 as tf.Tensor4D, 1, 'same'), b1)),
            2,
            2,
            'same',
          );
          const second = tf.tanh(tf.add(tf.conv2d(first, w2 as tf.Tensor4D, 2, 'valid'), b2));
          return tf
            .matMul(second.reshape([3, -1]), w3)
            .square()
            .mean();
        },
        [[3, 11, 9, 2], [3, 3, 2, 8], [8], [2, 3, 8, 5], [5], [30, 4]],
      ),
      1e-5,
    );
  });

  it('for fused layers, whose gradients tfjs computes together', async () => {
    await expectSameEverywhere(
      gradients(
        (x, w1, b1, w2, b2) => {
          const first = tf.fused.conv2d({
            x: x as tf.Tensor4D,
            filter: w1 as tf.Tensor4D,
            strides: 1,
            pad: 'valid',
            bias: b1,
          });
          return tf.fused
            .matMul({ a: first.reshape<tf.Tensor2D>([2, -1]), b: w2, bias: b2 })
            .square()
            .mean();
        },
        [[2, 5, 5, 3], [3, 3, 3, 4], [4], [36, 6], [6]],
      ),
      1e-5,
    );
  });

  it('for depthwise convolutions with pooling by mean', async () => {
    await expectSameEverywhere(
      gradients(
        (x, w1, w2) => {
          const first = tf.avgPool(
            tf.relu(tf.depthwiseConv2d(x as tf.Tensor4D, w1 as tf.Tensor4D, 1, 'same')),
            [2, 3],
            [2, 1],
            'same',
          );
          return tf
            .depthwiseConv2d(first, w2 as tf.Tensor4D, 2, 'valid')
            .square()
            .mean();
        },
        [
          [3, 9, 8, 4],
          [3, 3, 4, 2],
          [2, 2, 8, 1],
        ],
      ),
      1e-5,
    );
  });

  it('for embeddings', async () => {
    await expectSameEverywhere(
      gradients(
        (table, w) => {
          const words = tf.gather(table, tf.tensor2d([1, 5, 1, 0, 1, 7], [2, 3], 'int32'));
          return tf
            .matMul(words.reshape([2, -1]), w)
            .square()
            .mean();
        },
        [
          [9, 4],
          [12, 3],
        ],
      ),
      1e-5,
    );
  });
});

describe('training a model for a few steps gives the losses of the plain cpu backend', () => {
  const layers = tf.layers;
  let seed = 0;
  const initializer = () => tf.initializers.randomUniform({ minval: -0.3, maxval: 0.3, seed: ++seed });
  const dense = (units: number, activation: 'relu' | 'softmax' | 'linear', inputShape?: number[]) =>
    layers.dense({ units, activation, kernelInitializer: initializer(), inputShape });

  const models: Record<string, { make: () => tf.layers.Layer[]; x: () => tf.Tensor }> = {
    Dense: {
      make: () => [dense(12, 'relu', [20]), dense(9, 'linear'), dense(4, 'softmax')],
      x: () => randomTensor([16, 20], 1),
    },
    Conv: {
      make: () => [
        layers.conv2d({
          filters: 4,
          kernelSize: 3,
          activation: 'relu',
          inputShape: [12, 12, 1],
          kernelInitializer: initializer(),
        }),
        layers.maxPooling2d({ poolSize: 2 }),
        layers.conv2d({
          filters: 6,
          kernelSize: 3,
          activation: 'linear',
          padding: 'same',
          kernelInitializer: initializer(),
        }),
        layers.averagePooling2d({ poolSize: 2 }),
        layers.flatten(),
        dense(4, 'softmax'),
      ],
      x: () => randomTensor([16, 12, 12, 1], 2),
    },
    'separable Conv': {
      make: () => [
        layers.separableConv2d({
          filters: 4,
          kernelSize: 3,
          depthMultiplier: 2,
          activation: 'relu',
          inputShape: [8, 8, 3],
          depthwiseInitializer: initializer(),
          pointwiseInitializer: initializer(),
        }),
        layers.flatten(),
        dense(4, 'softmax'),
      ],
      x: () => randomTensor([16, 8, 8, 3], 3),
    },
    Embedding: {
      make: () => [
        layers.embedding({
          inputDim: 30,
          outputDim: 8,
          inputLength: 6,
          embeddingsInitializer: initializer(),
        }),
        layers.flatten(),
        dense(4, 'softmax'),
      ],
      x: () => randomTensor([16, 6], 4).add(1).mul(15).floor(),
    },
    LSTM: {
      make: () => [
        layers.lstm({
          units: 7,
          inputShape: [5, 6],
          kernelInitializer: initializer(),
          recurrentInitializer: initializer(),
        }),
        dense(4, 'softmax'),
      ],
      x: () => randomTensor([16, 5, 6], 5),
    },
  };

  async function losses(backend: string, name: string): Promise<number[]> {
    await tf.setBackend(backend);
    const { make, x: inputs } = models[name];
    seed = 0;
    const model = tf.sequential({ layers: make() });
    const optimizer = tf.train.momentum(0.2, 0.5);
    model.compile({ optimizer, loss: 'categoricalCrossentropy' });
    const next = randomNumbers(6);
    const x = inputs();
    const labels = Array.from({ length: 16 }, () => Math.floor((next() + 1) * 2));
    const y = tf.tidy(() => tf.oneHot(tf.tensor1d(labels, 'int32'), 4).toFloat());
    const history: number[] = [];
    let held = 0;
    for (let step = 0; step < 8; ++step) {
      history.push((await model.trainOnBatch(x, y)) as number);
      // The first step makes the optimizer's slots; after it nothing may pile up.
      if (step === 1) held = tf.memory().numTensors;
    }
    expect(tf.memory().numTensors).toBe(held);
    tf.dispose([x, y]);
    model.dispose();
    optimizer.dispose();
    return history;
  }

  it.each(Object.keys(models))('%s', async (name) => {
    const expected = await losses('cpu', name);
    expect(expected.at(-1)).toBeLessThan(expected[0]);
    const restore = accelerate();
    for (const backend of backends) {
      const actual = await losses(backend, name);
      actual.forEach((loss, step) => {
        expect(Math.abs(loss - expected[step])).toBeLessThanOrEqual(1e-4 * Math.abs(expected[step]));
      });
    }
    restore();
  });

  it('without accelerate() a Conv model does not train on wasm at all, which is what this is for', async () => {
    await expect(losses('wasm', 'Conv')).rejects.toThrow('Conv2DBackpropFilter');
  });
});

it('every replaced kernel leaves the counts of tensors and bytes as the original does', async () => {
  const counts = async () => {
    await tf.setBackend('cpu');
    const before = tf.memory();
    tf.tidy(() => {
      const x = randomTensor([2, 6, 6, 3], 1) as tf.Tensor4D;
      const w = randomTensor([3, 3, 3, 3], 2) as tf.Tensor4D;
      tf.grads((a, b) =>
        tf.maxPool(tf.conv2d(a as tf.Tensor4D, b as tf.Tensor4D, 1, 'same'), 2, 2, 'same').sum(),
      )([x, w]);
    });
    const after = tf.memory();
    return [
      after.numTensors - before.numTensors,
      after.numBytes - before.numBytes,
      after.numDataBuffers - before.numDataBuffers,
    ];
  };
  expect(await counts()).toEqual([0, 0, 0]);
  const restore = accelerate();
  expect(await counts()).toEqual([0, 0, 0]);
  restore();
});
