'use strict';

/**
 * Makes a run repeatable: initial weights without a seed of their own, the order of examples in `fit` and the data that examples make up
 * all come from Math.random, which this replaces by the mulberry32 generator of Tommy Ettinger.
 *
 * @returns {() => void} a function that puts the original back
 */
function seedRandomNumbers(seed) {
  const original = Math.random;
  let state = seed >>> 0;
  Math.random = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let bits = Math.imul(state ^ (state >>> 15), state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
  return () => {
    Math.random = original;
  };
}

/** A draw from the standard normal distribution (G. Box and M. Muller, 1958). */
function normal() {
  return Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
}

module.exports = { seedRandomNumbers, normal };
