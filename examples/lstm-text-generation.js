'use strict';

// Learns to write text character by character with an LSTM, after tfjs-examples/lstm-text-generation. The text is the licence of this
// package.

const fs = require('node:fs');
const path = require('node:path');

const tf = require('@tensorflow/tfjs');
const { kfac } = require('natgrad');

const sampleLength = 20;
const units = 64;

function readText() {
  const text = fs.readFileSync(path.join(__dirname, '..', 'LICENSE'), 'utf8');
  return text.toLowerCase().replace(/\s+/g, ' ');
}

/** Runs of characters and the character that follows each, both as one-hot vectors. */
function samples(text, alphabet, count) {
  const codes = Array.from(text, (character) => alphabet.indexOf(character));
  const begins = Array.from({ length: count }, () =>
    Math.floor(Math.random() * (codes.length - sampleLength - 1)),
  );
  const inputs = begins.map((begin) => codes.slice(begin, begin + sampleLength));
  const next = begins.map((begin) => codes[begin + sampleLength]);
  return tf.tidy(() => [
    tf.oneHot(tf.tensor2d(inputs, undefined, 'int32'), alphabet.length).toFloat(),
    tf.oneHot(tf.tensor1d(next, 'int32'), alphabet.length).toFloat(),
  ]);
}

/** What the model writes after `seed`, always taking the most probable character. */
function continuation(model, alphabet, seed, length) {
  let text = seed;
  for (let i = 0; i < length; i++) {
    const codes = Array.from(text.slice(-sampleLength), (character) => alphabet.indexOf(character));
    const next = tf.tidy(() => {
      const input = tf.oneHot(tf.tensor2d([codes], undefined, 'int32'), alphabet.length).toFloat();
      return model.predict(input).argMax(-1).dataSync()[0];
    });
    text += alphabet[next];
  }
  return text.slice(seed.length);
}

async function train(optimizer, { epochs, examples, report, say }) {
  const text = readText();
  const alphabet = [...new Set(text)];
  const model = tf.sequential({
    layers: [
      tf.layers.lstm({
        units,
        inputShape: [sampleLength, alphabet.length],
        recurrentInitializer: 'glorotNormal',
      }),
      tf.layers.dense({ units: alphabet.length, activation: 'softmax' }),
    ],
  });
  model.compile({ optimizer, loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
  for (let epoch = 0; epoch < epochs; epoch++) {
    const [inputs, next] = samples(text, alphabet, examples);
    const { history } = await model.fit(inputs, next, { epochs: 1, batchSize: 64 });
    report({ loss: history.loss[0], accuracy: history.acc[0] });
    tf.dispose([inputs, next]);
  }
  const seed = text.slice(1000, 1000 + sampleLength);
  say(`"${seed}" goes on "${continuation(model, alphabet, seed, 60)}"`);
}

module.exports = {
  title: 'Text by characters, LSTM',
  optimizers: {
    adam: (learningRate = 0.03) => tf.train.adam(learningRate),
    // The factors forget faster than by default, because there are only some 300 steps.
    kfac: (learningRate = 0.1) => kfac({ learningRate, klClip: 1e-3, damping: 0.002, factorDecay: 0.95 }),
  },
  settings: { epochs: 10, examples: 2000 },
  train,
};
