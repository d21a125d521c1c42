'use strict';

// House prices from correlated measurements of a district, after tfjs-examples/boston-housing. The data are made up here: a few hidden
// properties of a district decide its twelve measurements, and its price is a curved function of the same properties, with noise.

const tf = require('@tensorflow/tfjs');
const { kfac } = require('natgrad');

const { normal } = require('./support/random');

const hiddenProperties = 4;
const measurements = 12;

/** Prices have variance 1 before the noise, whose variance is 0.01. */
function districts(count, mixture) {
  const rows = Array.from({ length: count }, () => {
    const properties = Array.from({ length: hiddenProperties }, normal);
    const [age, size, income, distance] = properties;
    const curve =
      0.6 * size + 0.5 * income * Math.tanh(size) - 0.5 * Math.abs(distance) + 0.4 * Math.sin(age);
    const measured = mixture.map((weights) =>
      weights.reduce((sum, weight, i) => sum + weight * properties[i], 0.3 * normal()),
    );
    return { measured, price: curve + 0.1 * normal() };
  });
  return {
    measured: tf.tensor2d(rows.map((row) => row.measured)),
    prices: tf.tensor2d(rows.map((row) => [row.price])),
  };
}

async function train(optimizer, { epochs, examples, report }) {
  const mixture = Array.from({ length: measurements }, () =>
    Array.from({ length: hiddenProperties }, normal),
  );
  const training = districts(examples, mixture);
  const test = districts(500, mixture);
  const model = tf.sequential({
    layers: [
      tf.layers.dense({ units: 50, activation: 'tanh', inputShape: [measurements] }),
      tf.layers.dense({ units: 50, activation: 'tanh' }),
      tf.layers.dense({ units: 1 }),
    ],
  });
  model.compile({ optimizer, loss: 'meanSquaredError' });
  await model.fit(training.measured, training.prices, {
    epochs,
    batchSize: 40,
    validationData: [test.measured, test.prices],
    callbacks: { onEpochEnd: (_, { loss, val_loss: testLoss }) => report({ loss, 'test loss': testLoss }) },
  });
}

module.exports = {
  title: 'House prices (made up) from twelve correlated measurements',
  optimizers: {
    adam: (learningRate = 0.01) => tf.train.adam(learningRate),
    kfac: (learningRate = 0.01) => kfac({ learningRate }),
  },
  settings: { epochs: 20, examples: 2000 },
  train,
};
