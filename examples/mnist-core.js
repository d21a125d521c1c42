'use strict';

// Handwritten digits with tfjs's core operations and a training loop of one's own, after tfjs-examples/mnist-core. The optimizer is
// given the loss as a function and nothing else: it finds the layers in what the function computes.

const tf = require('@tensorflow/tfjs');
const { kfac } = require('natgrad');

const { digits } = require('./support/digits');

const batchSize = 64;

function createNet() {
  const weights = (shape) => tf.variable(tf.randomNormal(shape, 0, Math.sqrt(2 / shape[0])));
  const [hidden, output] = [weights([784, 64]), weights([64, 10])];
  const [hiddenBias, outputBias] = [tf.variable(tf.zeros([64])), tf.variable(tf.zeros([10]))];
  const logits = (images) => {
    const activations = tf.relu(tf.add(tf.matMul(images, hidden), hiddenBias));
    return tf.add(tf.matMul(activations, output), outputBias);
  };
  return { logits, dispose: () => tf.dispose([hidden, hiddenBias, output, outputBias]) };
}

function accuracy(net, { images, labels }) {
  return tf.tidy(() => {
    const right = tf.equal(net.logits(images.reshape([-1, 784])).argMax(1), labels.argMax(1));
    return right.mean().dataSync()[0];
  });
}

async function train(optimizer, { epochs, examples, report }) {
  const training = digits('train', examples);
  const test = digits('t10k', 2000);
  const net = createNet();
  const count = training.images.shape[0];

  for (let epoch = 0; epoch < epochs; epoch++) {
    const order = tf.util.createShuffledIndices(count);
    let sum = 0;
    for (let begin = 0; begin < count; begin += batchSize) {
      sum += tf.tidy(() => {
        const chosen = tf.tensor1d(Array.from(order.slice(begin, begin + batchSize)), 'int32');
        const images = tf.gather(training.images, chosen).reshape([-1, 784]);
        const labels = tf.gather(training.labels, chosen);
        const loss = optimizer.minimize(
          () => tf.losses.softmaxCrossEntropy(labels, net.logits(images)),
          true,
        );
        return loss.dataSync()[0] * chosen.size;
      });
    }
    report({ loss: sum / count, 'test accuracy': accuracy(net, test) });
  }
  net.dispose();
}

module.exports = {
  title: 'Handwritten digits, core operations and optimizer.minimize',
  optimizers: {
    adam: (learningRate = 0.01) => tf.train.adam(learningRate),
    kfac: (learningRate = 0.03) => kfac({ learningRate }),
  },
  settings: { epochs: 5, examples: 6000 },
  train,
};
