/**
 * Trains with kfac and prints what memory is held after the first 3000 steps and after 7000 more, as JSON. A program of its own, because
 * the heap of a test runner comes and goes by more than a leak of a few kilobytes a step would add.
 *
 *     node --expose-gc --require test/support/register.cjs test/optimizer/trainAndMeasure.ts BACKEND
 */
import * as tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-wasm';

import { kfac } from '../../src';

export interface Held {
  tensors: number;
  /** Bytes of live JavaScript objects. */
  heap: number;
  /** Resident bytes outside the heap of JavaScript. */
  native: number;
}

async function held(): Promise<Held> {
  // Finalisers of collected objects run when the event loop turns.
  for (let i = 0; i < 2; i++) {
    (globalThis as { gc?: () => void }).gc!();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { rss, heapTotal, heapUsed } = process.memoryUsage();
  return { tensors: tf.memory().numTensors, heap: heapUsed, native: rss - heapTotal };
}

async function main(backend: string): Promise<void> {
  // Not loaded for the others: what TensorFlow allocates would hide what they do.
  if (backend === 'tensorflow') await import('../support/backends.js');
  await tf.setBackend(backend);
  const model = tf.sequential({
    layers: [
      tf.layers.dense({ units: 16, activation: 'relu', inputShape: [128] }),
      tf.layers.dense({ units: 4, activation: 'softmax' }),
    ],
  });
  model.compile({ optimizer: kfac({ refreshPeriod: 5 }), loss: 'categoricalCrossentropy' });
  const x = tf.randomUniform([64, 128], 0, 1, 'float32', 1);
  const y = tf.oneHot(tf.randomUniform([64], 0, 4, 'int32', 2), 4).toFloat();
  const measured: Held[] = [];
  // Caches and compiled code have reached their sizes after the first 3000.
  for (const steps of [3000, 7000]) {
    for (let step = 0; step < steps; step++) await model.trainOnBatch(x, y);
    measured.push(await held());
  }
  console.log(JSON.stringify(measured));
}

void main(process.argv[2]);
