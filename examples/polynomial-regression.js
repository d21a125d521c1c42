'use strict';

// The coefficients of a cubic from noisy points, after tfjs-examples/polynomial-regression-core. The powers of x on [0, 1] are almost the
// same direction, so the loss is a long valley: the Fisher matrix of the four coefficients is close to Hilbert's, whose condition number
// is 15,514. For a linear model with squared error a full natural-gradient step is Newton's: it goes to the bottom at once.

const tf = require('@tensorflow/tfjs');
const { exactNaturalGradient } = require('natgrad');

const { normal } = require('./support/random');

const truth = [0.5, -2, 4, -3];

function points(count) {
  const x = Array.from({ length: count }, () => Math.random());
  const cubic = (at) => truth.reduceRight((sum, coefficient) => sum * at + coefficient, 0);
  return {
    powers: tf.tensor2d(x.map((at) => [at, at ** 2, at ** 3])),
    y: tf.tensor2d(x.map((at) => [cubic(at) + 0.01 * normal()])),
  };
}

async function train(optimizer, { epochs, examples, report }) {
  const { powers, y } = points(examples);
  const model = tf.sequential({ layers: [tf.layers.dense({ units: 1, inputShape: [3] })] });
  model.compile({ optimizer, loss: 'meanSquaredError' });
  for (let epoch = 0; epoch < epochs; epoch++) {
    // One step on all points; the loss is that before the step.
    const loss = await model.trainOnBatch(powers, y);
    const [kernel, bias] = model.getWeights().map((weight) => [...weight.dataSync()]);
    const found = [...bias, ...kernel];
    report({ loss, 'largest error': Math.max(...found.map((value, i) => Math.abs(value - truth[i]))) });
  }
}

module.exports = {
  title: 'The coefficients of a cubic from noisy points',
  optimizers: {
    adam: (learningRate = 0.1) => tf.train.adam(learningRate),
    exactNaturalGradient: (learningRate = 1) =>
      exactNaturalGradient({ learningRate, momentum: 0, damping: 1e-6, fisher: 'exact' }),
  },
  settings: { epochs: 10, examples: 200 },
  train,
};
