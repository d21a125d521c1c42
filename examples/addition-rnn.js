'use strict';

// Learns to add: reads '27+61' character by character and writes '88 ', after tfjs-examples/addition-rnn. The problems are made up here.

const tf = require('@tensorflow/tfjs');
const { kfac } = require('natgrad');

const alphabet = '0123456789+ ';
const digits = 2;
const questionLength = 2 * digits + 1;
const answerLength = digits + 1;

/** Characters as numbers, row by row: [texts, length]. */
const encode = (texts) => texts.map((text) => [...text].map((character) => alphabet.indexOf(character)));

const oneHot = (texts) =>
  tf.tidy(() => tf.oneHot(tf.tensor2d(encode(texts), undefined, 'int32'), alphabet.length).toFloat());

/** Every sum of two numbers of up to two digits once, in random order. */
function problems() {
  const numbers = Array.from({ length: 10 ** digits }, (_, i) => i);
  const all = numbers.flatMap((a) =>
    numbers.map((b) => ({
      question: `${a}+${b}`.padEnd(questionLength),
      answer: `${a + b}`.padEnd(answerLength),
    })),
  );
  tf.util.shuffle(all);
  return all;
}

function createModel(units) {
  const recurrent = (options) =>
    tf.layers.simpleRNN({ units, recurrentInitializer: 'glorotNormal', ...options });
  return tf.sequential({
    layers: [
      recurrent({ inputShape: [questionLength, alphabet.length] }),
      tf.layers.repeatVector({ n: answerLength }),
      recurrent({ returnSequences: true }),
      tf.layers.timeDistributed({
        layer: tf.layers.dense({ units: alphabet.length, activation: 'softmax' }),
      }),
    ],
  });
}

async function train(optimizer, { epochs, examples, report }) {
  const all = problems();
  const part = (from, to) => {
    const chosen = all.slice(from, to);
    return [oneHot(chosen.map(({ question }) => question)), oneHot(chosen.map(({ answer }) => answer))];
  };
  const [questions, answers] = part(0, examples);
  const [testQuestions, testAnswers] = part(-500);
  const model = createModel(64);
  // Accuracy is that of characters, not of whole answers.
  model.compile({ optimizer, loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
  await model.fit(questions, answers, {
    epochs,
    batchSize: 128,
    validationData: [testQuestions, testAnswers],
    callbacks: {
      onEpochEnd: (_, { loss, val_acc: accuracy }) => report({ loss, 'test accuracy': accuracy }),
    },
  });
}

module.exports = {
  title: 'Addition of two numbers, a recurrent net from text to text',
  optimizers: {
    adam: (learningRate = 0.01) => tf.train.adam(learningRate),
    kfac: (learningRate = 0.03) => kfac({ learningRate }),
  },
  settings: { epochs: 10, examples: 5000 },
  train,
};
