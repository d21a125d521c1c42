import * as tf from '@tensorflow/tfjs';

import { randomStream } from '../fisher/random';

/** A multi-layer perceptron in NTK parametrisation, as a function of its inputs; see `wideNetwork`. */
export interface WideNetwork {
  /** f of inputs [N, sizes[0]]: [N, last size]. */
  predict: (inputs: tf.Tensor) => tf.Tensor2D;
  /** W_1 … W_L, [in, out], standard deviation `sigma`. */
  kernels: tf.Variable[];
  dispose(): void;
}

/**
 * The networks of Karakida & Osawa 2020: no biases, ReLU between the layers, linear outputs, and
 *
 *     u_l = h_{l-1} W_l / sqrt(M_{l-1}),  entries of W_l normal with variance 2,
 *
 * so that the tangent kernel has a limit as the hidden sizes M_l grow.
 *
 * @param sizes of the inputs, the hidden layers and the outputs
 * @param seed of the weights
 */
export function wideNetwork(sizes: readonly number[], seed = 1): WideNetwork {
  const kernels = sizes.slice(1).map((size, l) => {
    const random = randomStream(seed, l);
    const values = Float32Array.from({ length: sizes[l] * size }, () => Math.SQRT2 * random.normal());
    return tf.tidy(() => tf.variable(tf.tensor2d(values, [sizes[l], size])));
  });
  const predict = (inputs: tf.Tensor): tf.Tensor2D =>
    tf.tidy(() => {
      let hidden = inputs as tf.Tensor2D;
      kernels.forEach((kernel, l) => {
        const outputs = tf.matMul<tf.Tensor2D>(hidden, kernel).mul<tf.Tensor2D>(1 / Math.sqrt(sizes[l]));
        hidden = l === kernels.length - 1 ? outputs : tf.relu(outputs);
      });
      return hidden;
    });
  return { predict, kernels, dispose: () => kernels.forEach((kernel) => kernel.dispose()) };
}

/** Half the mean over the examples of the squared error, of which the Fisher matrix is that of unit variance: (1/N) J'J. */
export function halfSquaredError(outputs: tf.Tensor, targets: tf.Tensor): tf.Scalar {
  const columns = outputs.shape[outputs.rank - 1] ?? 1;
  return tf.tidy(() => tf.losses.meanSquaredError(targets, outputs).mul<tf.Scalar>(columns / 2));
}

/** Inputs [N, size] of independent normal numbers, each example scaled to norm 1, with targets +-0.5 by turns. */
export function unitSphereData(
  examples: number,
  size: number,
  seed = 1,
): { inputs: tf.Tensor2D; targets: tf.Tensor2D } {
  const random = randomStream(seed, 1_000_003);
  const values = Float32Array.from({ length: examples * size }, () => random.normal());
  for (let row = 0; row < examples; row++) {
    const own = values.subarray(row * size, (row + 1) * size);
    const norm = Math.sqrt(own.reduce((sum, value) => sum + value * value, 0));
    own.forEach((value, i) => (own[i] = value / norm));
  }
  const labels = Array.from({ length: examples }, (_, row) => [row % 2 === 0 ? 0.5 : -0.5]);
  return { inputs: tf.tensor2d(values, [examples, size]), targets: tf.tensor2d(labels) };
}
