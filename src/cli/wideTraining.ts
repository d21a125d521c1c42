/** Training the wide networks of function-space experiments on all their examples at once. */
import * as tf from '@tensorflow/tfjs';

import {
  contraction,
  halfSquaredError,
  isotropy,
  jacobian,
  tangentKernels,
  wideNetwork,
  type Jacobian,
  type Kernel,
  type WideNetwork,
} from '../diagnostics/index';

export interface TrainingData {
  inputs: tf.Tensor2D;
  targets: tf.Tensor2D;
}

/** Hidden layers of the paper's networks: L = 3 layers of weights. */
const hiddenLayers = 2;
export const layers = hiddenLayers + 1;

/** A network before training, and its derivatives at the training examples. */
export interface MeasuredNetwork {
  network: WideNetwork;
  found: Jacobian;
  /** Tangent kernels, by layer. */
  kernels: Kernel[];
  /** Of the Fisher matrix in the space of the outputs: the unit of dampings. */
  meanEigenvalue: number;
}

/** Hands a network of that width to `use` and disposes of it afterwards. */
export function onNetwork<T>(
  { inputs }: TrainingData,
  width: number,
  seed: number,
  use: (measured: MeasuredNetwork) => T,
): T {
  const hidden = Array.from({ length: hiddenLayers }, () => width);
  const network = wideNetwork([inputs.shape[1], ...hidden, 1], seed);
  try {
    const found = jacobian(network.predict, inputs, network.kernels);
    const kernels = tangentKernels(found);
    return use({ network, found, kernels, meanEigenvalue: isotropy(totalKernel(kernels)).alpha });
  } finally {
    network.dispose();
  }
}

/** The tangent kernel of all layers. */
export function totalKernel(kernels: readonly Kernel[]): Kernel {
  const [{ size }] = kernels;
  const values = Float64Array.from({ length: size * size }, (_, at) =>
    kernels.reduce((sum, kernel) => sum + kernel.values[at], 0),
  );
  return { values, size };
}

/** The mean over the examples of half the squared error. */
export function lossOf({ predict }: WideNetwork, { inputs, targets }: TrainingData): tf.Scalar {
  return halfSquaredError(predict(inputs), targets);
}

/** What fraction of the residual is left after each of some steps; the weights are put back. */
export function descend(
  optimizer: tf.Optimizer,
  network: WideNetwork,
  data: TrainingData,
  steps: number,
): number[] {
  return puttingBack(network, data, (fraction) =>
    Array.from({ length: steps }, () => {
      optimizer.minimize(() => lossOf(network, data), false, network.kernels);
      return fraction();
    }),
  );
}

/** Hands `use` a function that tells what fraction of the residual is left, and puts the weights back afterwards. */
export function puttingBack<T>(
  network: WideNetwork,
  data: TrainingData,
  use: (fraction: () => number) => T,
): T {
  const weights = network.kernels.map((kernel) => kernel.clone());
  const residual = () =>
    tf.tidy(() => network.predict(data.inputs).sub(data.targets).dataSync<'float32'>().slice());
  const before = residual();
  try {
    return use(() => contraction(before, residual()));
  } finally {
    network.kernels.forEach((kernel, i) => kernel.assign(weights[i]));
    tf.dispose(weights);
  }
}
