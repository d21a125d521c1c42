import * as tf from '@tensorflow/tfjs';

import type { Dataset } from './dataset';

export const modelNames = ['mlp', 'conv'] as const;
export type ModelName = (typeof modelNames)[number];

/**
 * A new classifier for the images of a data set, with softmax output. Its weights depend on the seed alone: Glorot-uniform kernels,
 * zero biases. Takes images as [batch, height, width, 1].
 *
 * - `mlp`: two hidden layers of 80 rectified units, 784-80-80-10 for MNIST.
 * - `conv`: two blocks of 3x3 convolution (8, then 16 filters), rectifier and 2x2 max pooling, then the output layer.
 */
export function createModel(
  name: ModelName,
  dataset: Pick<Dataset, 'height' | 'width' | 'classes'>,
  seed: number,
): tf.Sequential {
  let layerSeed = 1000 * seed;
  const kernelInitializer = () => tf.initializers.glorotUniform({ seed: ++layerSeed });
  const relu = (units: number) =>
    tf.layers.dense({ units, activation: 'relu', kernelInitializer: kernelInitializer() });
  const conv = (filters: number) =>
    tf.layers.conv2d({
      filters,
      kernelSize: 3,
      padding: 'same',
      activation: 'relu',
      kernelInitializer: kernelInitializer(),
    });
  const pool = () => tf.layers.maxPooling2d({ poolSize: 2 });
  const input = tf.layers.inputLayer({ inputShape: [dataset.height, dataset.width, 1] });
  const hidden =
    name === 'mlp'
      ? [tf.layers.flatten(), relu(80), relu(80)]
      : [conv(8), pool(), conv(16), pool(), tf.layers.flatten()];
  const output = tf.layers.dense({
    units: dataset.classes,
    activation: 'softmax',
    kernelInitializer: kernelInitializer(),
  });
  return tf.sequential({ layers: [input, ...hidden, output] });
}
