'use strict';

// Balances a pole on a cart by policy gradients, after tfjs-examples/cart-pole. A policy is a distribution of actions, and a step that
// moves it too far spoils it; `trustRegion` bounds how far (J. Schulman et al., "Trust region policy optimization", ICML 2015). With the
// ratio of the probabilities that the new and the old policy give an action, the loss is
//
//     -mean(ratio * advantage),     advantage = (return - mean) / standard deviation

const tf = require('@tensorflow/tfjs');
const { observe, trustRegion } = require('natgrad');

const { CartPole } = require('./support/cartPole');

const discount = 0.99;

function createPolicy() {
  return tf.sequential({
    layers: [
      tf.layers.dense({ units: 16, activation: 'tanh', inputShape: [4] }),
      tf.layers.dense({ units: 2 }),
    ],
  });
}

/** Plays whole episodes, of at least `steps` steps together. */
function play(policy, steps) {
  const game = new CartPole();
  const states = [];
  const actions = [];
  const returns = [];
  let episodes = 0;
  while (states.length < steps) {
    const first = states.length;
    let state = game.reset();
    for (let isOver = false; !isOver; state = game.state) {
      const probabilities = tf.tidy(() => tf.softmax(policy.apply(tf.tensor2d([state]))).dataSync());
      const action = Math.random() < probabilities[0] ? 0 : 1;
      states.push(state);
      actions.push(action);
      isOver = game.step(action);
    }
    let sum = 0;
    for (let i = states.length - 1; i >= first; i--) returns[i] = sum = 1 + discount * sum;
    episodes++;
  }
  return { states, actions, returns, episodes };
}

/** The loss of a batch of play, as a function of the policy as it is when called. */
function surrogate(policy, { states, actions, returns }) {
  const inputs = tf.tensor2d(states);
  const taken = tf.oneHot(tf.tensor1d(actions, 'int32'), 2).toFloat();
  const { mean, variance } = tf.moments(tf.tensor1d(returns));
  const advantages = tf.div(tf.sub(returns, mean), tf.sqrt(tf.add(variance, 1e-6)));
  const logProbability = (logits) => tf.sum(tf.mul(taken, tf.logSoftmax(logits)), 1);
  const before = logProbability(policy.apply(inputs));
  return () => {
    const logits = observe(policy.apply(inputs), 'categorical');
    const ratios = tf.exp(tf.sub(logProbability(logits), before));
    return tf.neg(tf.mean(tf.mul(ratios, advantages)));
  };
}

async function train(optimizer, { epochs, examples, report }) {
  const policy = createPolicy();
  for (let epoch = 0; epoch < epochs; epoch++) {
    const played = play(policy, examples);
    tf.tidy(() => optimizer.minimize(surrogate(policy, played)));
    report({ 'steps per episode': played.states.length / played.episodes });
  }
}

module.exports = {
  title: 'Cart and pole: policy gradients, episodes of at most 500 steps',
  optimizers: {
    adam: (learningRate = 0.1) => tf.train.adam(learningRate),
    trustRegion: () => trustRegion({ maxKl: 0.02 }),
  },
  settings: { epochs: 20, examples: 1000 },
  train,
};
