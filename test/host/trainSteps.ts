/**
 * Trains a small net with kfac for 20 steps on tfjs-node and prints its weights, and how they were read, as JSON. A program of its own,
 * because the environment decides on the host once per process.
 *
 *     node --require test/support/register.cjs test/host/trainSteps.ts
 */
import * as tf from '@tensorflow/tfjs';

import { kfac } from '../../src';
import { host } from '../../src/host/currentHost';
import { useBackend } from '../support/backends';

export interface Trained {
  zeroCopy: boolean;
  weights: number[][];
}

async function main(): Promise<void> {
  await useBackend('tensorflow');
  const model = tf.sequential({
    layers: [
      tf.layers.conv2d({
        filters: 4,
        kernelSize: 3,
        activation: 'relu',
        inputShape: [12, 12, 2],
        kernelInitializer: tf.initializers.glorotUniform({ seed: 1 }),
      }),
      tf.layers.flatten(),
      tf.layers.dense({
        units: 20,
        activation: 'tanh',
        kernelInitializer: tf.initializers.glorotUniform({ seed: 2 }),
      }),
      tf.layers.dense({
        units: 3,
        activation: 'softmax',
        kernelInitializer: tf.initializers.glorotUniform({ seed: 3 }),
      }),
    ],
  });
  model.compile({ optimizer: kfac({ seed: 4 }), loss: 'categoricalCrossentropy' });
  const x = tf.randomUniform([40, 12, 12, 2], -1, 1, 'float32', 5);
  const y = tf.oneHot(tf.randomUniform([40], 0, 3, 'int32', 6), 3).toFloat();
  for (let step = 0; step < 20; step++) await model.trainOnBatch(x, y);
  const weights = model.getWeights().map((weight) => [...weight.dataSync()]);
  console.log(JSON.stringify({ zeroCopy: host().zeroCopy, weights } satisfies Trained));
}

void main();
