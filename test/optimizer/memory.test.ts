import * as tf from '@tensorflow/tfjs';

import { kfac } from '../../src';
import { backends, useBackend } from '../support/backends';

describe.each(backends)('training with kfac for 10,000 steps on the %s backend', (backend) => {
  beforeAll(() => useBackend(backend));

  it('keeps the number of tensors and the resident memory', async () => {
    const model = tf.sequential({
      layers: [
        tf.layers.dense({ units: 16, activation: 'relu', inputShape: [128] }),
        tf.layers.dense({ units: 4, activation: 'softmax' }),
      ],
    });
    model.compile({ optimizer: kfac({ refreshPeriod: 5 }), loss: 'categoricalCrossentropy' });
    const x = tf.randomUniform([64, 128], 0, 1, 'float32', 1);
    const y = tf.oneHot(tf.randomUniform([64], 0, 4, 'int32', 2), 4).toFloat();
    const train = async (steps: number) => {
      for (let step = 0; step < steps; step++) await model.trainOnBatch(x, y);
      return { tensors: tf.memory().numTensors, resident: process.memoryUsage.rss() };
    };
    // Heaps, caches and compiled code have reached their sizes by then.
    const early = await train(3000);
    const late = await train(7000);
    expect(late.tensors).toBe(early.tensors);
    // Garbage comes and goes by tens of megabytes; one copy of the batch's activations (37 kB) left behind per step would be 257 MB.
    expect((late.resident - early.resident) / 2 ** 20).toBeLessThan(80);
    model.dispose();
    tf.dispose([x, y]);
  }, 120_000);
});
