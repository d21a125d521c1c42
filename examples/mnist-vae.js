'use strict';

// A variational autoencoder (D. Kingma and M. Welling, ICLR 2014), after tfjs-examples/fashion-mnist-vae, on the digits of MNIST. With a
// latent z ~ N(mean, variance) per image x, the loss is
//
//     -E log p(x | z) + KL(N(mean, variance) || N(0, 1)),     KL = 1/2 sum (mean^2 + variance - log variance - 1)
//
// Only its first term is the likelihood of a prediction. `observe` says which tensor parameterises that, and the Fisher matrix of
// encoder and decoder is estimated from it.

const tf = require('@tensorflow/tfjs');
const { kfac, observe } = require('natgrad');

const { digits } = require('./support/digits');

const pixels = 28 * 28;
const latent = 8;
const batchSize = 64;

function createNets() {
  const coder = (inputs, outputs) =>
    tf.sequential({
      layers: [
        tf.layers.dense({ units: 128, activation: 'relu', inputShape: [inputs] }),
        tf.layers.dense({ units: outputs }),
      ],
    });
  return { encoder: coder(pixels, 2 * latent), decoder: coder(latent, pixels) };
}

/** The loss per pixel, averaged over the images [batch, pixels]. */
function negativeBound({ encoder, decoder }, images) {
  const [mean, logVariance] = tf.split(encoder.apply(images), 2, 1);
  const noise = tf.randomNormal(mean.shape, 0, 1, 'float32', Math.random());
  const z = tf.add(mean, tf.mul(tf.exp(tf.mul(logVariance, 0.5)), noise));
  const logits = observe(decoder.apply(z), 'bernoulli');
  const reconstruction = tf.losses.sigmoidCrossEntropy(images, logits);
  const perDimension = tf.sub(tf.sub(tf.add(tf.square(mean), tf.exp(logVariance)), logVariance), 1);
  return tf.add(reconstruction, tf.mul(tf.mean(perDimension), (0.5 * latent) / pixels));
}

async function train(optimizer, { epochs, examples, report }) {
  const images = digits('train', examples).images.reshape([-1, pixels]);
  const test = digits('t10k', 1000).images.reshape([-1, pixels]);
  const nets = createNets();
  for (let epoch = 0; epoch < epochs; epoch++) {
    const order = Array.from(tf.util.createShuffledIndices(images.shape[0]));
    let sum = 0;
    for (let begin = 0; begin < order.length; begin += batchSize) {
      sum += tf.tidy(() => {
        const chosen = tf.tensor1d(order.slice(begin, begin + batchSize), 'int32');
        const batch = tf.gather(images, chosen);
        const loss = optimizer.minimize(() => negativeBound(nets, batch), true);
        return loss.dataSync()[0] * chosen.size;
      });
    }
    const testLoss = tf.tidy(() => negativeBound(nets, test).dataSync()[0]);
    report({ 'nats per image': (pixels * sum) / order.length, 'on test images': pixels * testLoss });
  }
}

module.exports = {
  title: 'Variational autoencoder of handwritten digits',
  optimizers: {
    adam: (learningRate = 0.01) => tf.train.adam(learningRate),
    // Damping and KL clip are in units of the loss, which is one of a pixel here.
    kfac: (learningRate = 0.03) => kfac({ learningRate, damping: 1e-4, klClip: 3e-5 }),
  },
  settings: { epochs: 5, examples: 6000 },
  train,
};
