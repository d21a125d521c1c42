'use strict';

// What a user's program does, in a few lines: a small classifier trained by ten steps of K-FAC, on the addon (`backend: 'cpu'` is an error
// where it does not load). Same seed, same losses, so that runs beside each other can be compared.

const assert = require('node:assert/strict');

const natgrad = { ...require('natgrad'), ...require('natgrad/accelerate') };

async function start(backend) {
  if (backend === 'tensorflow') require('natgrad/tfjs-node-polyfill');
  const tf = require('@tensorflow/tfjs');
  if (backend === 'tensorflow') require('@tensorflow/tfjs-node');
  if (backend === 'wasm') require('@tensorflow/tfjs-backend-wasm');
  assert.ok(await tf.setBackend(backend), `tfjs does not start the backend ${backend}`);
  return tf;
}

/** The losses of ten steps on a backend of tfjs, by a copy of natgrad; on wasm, with its kernels. */
async function train(backend, { kfac, accelerate } = natgrad) {
  const tf = await start(backend);
  const restore = backend === 'wasm' ? accelerate() : () => {};
  const layer = (units, activation, seed, inputShape) => {
    const kernelInitializer = tf.initializers.glorotNormal({ seed });
    return tf.layers.dense({ units, activation, inputShape, kernelInitializer });
  };
  const model = tf.sequential({ layers: [layer(16, 'tanh', 1, [8]), layer(3, 'softmax', 2)] });
  const optimizer = kfac({ seed: 1, backend: 'cpu' });
  model.compile({ optimizer, loss: 'categoricalCrossentropy' });
  const x = tf.randomNormal([64, 8], 0, 1, 'float32', 3);
  const y = tf.oneHot(x.slice([0, 0], [-1, 3]).argMax(1), 3).toFloat();
  const losses = [];
  for (let step = 0; step < 10; step++) losses.push(await model.trainOnBatch(x, y));
  assert.equal(tf.getBackend(), backend);
  assert.ok(losses.every(Number.isFinite), `losses: ${losses}`);
  assert.ok(losses[9] < 0.8 * losses[0], `the loss does not fall: ${losses}`);
  optimizer.dispose();
  restore();
  return losses;
}

module.exports = { train };
