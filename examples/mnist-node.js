'use strict';

// Handwritten digits with a convolutional net and model.fit, after tfjs-examples/mnist-node.

const tf = require('@tensorflow/tfjs');
const { kfac } = require('natgrad');

const { digits } = require('./support/digits');

function createModel() {
  const conv = (filters, options) =>
    tf.layers.conv2d({ filters, kernelSize: 3, padding: 'same', activation: 'relu', ...options });
  return tf.sequential({
    layers: [
      conv(8, { inputShape: [28, 28, 1] }),
      tf.layers.maxPooling2d({ poolSize: 2 }),
      conv(16),
      tf.layers.maxPooling2d({ poolSize: 2 }),
      tf.layers.flatten(),
      tf.layers.dense({ units: 10, activation: 'softmax' }),
    ],
  });
}

async function train(optimizer, { epochs, examples, report }) {
  const training = digits('train', examples);
  const test = digits('t10k', 2000);
  const model = createModel();
  model.compile({ optimizer, loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
  await model.fit(training.images, training.labels, {
    epochs,
    batchSize: 64,
    validationData: [test.images, test.labels],
    callbacks: {
      onEpochEnd: (_, { loss, val_acc: accuracy }) => report({ loss, 'test accuracy': accuracy }),
    },
  });
}

module.exports = {
  title: 'Handwritten digits, convolutional net',
  optimizers: {
    adam: (learningRate = 0.01) => tf.train.adam(learningRate),
    kfac: (learningRate = 0.03) => kfac({ learningRate }),
  },
  settings: { epochs: 3, examples: 6000 },
  train,
};
