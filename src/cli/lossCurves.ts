/**
 * The comparison of Karakida & Osawa 2020: the training loss of a wide network by steps, of natural gradients with the learning rates of
 * theory, of gradient descent, and of Adam.
 */
import * as tf from '@tensorflow/tfjs';

import { eigh } from '../linalg/eigh';
import { metricOptimizer, optimizerMetrics, theoreticalLearningRate } from './metrics';
import { descend, lossOf, onNetwork, totalKernel, type TrainingData } from './wideTraining';

/** The training of one network with one optimizer. */
export interface LossCurve {
  optimizer: string;
  width: number;
  seed: number;
  /** Of theory for a natural gradient, of the grid the one with the lowest last loss otherwise. */
  learningRate: number;
  /** Half squared errors before the first step and after each. */
  losses: number[];
}

/** Metrics that are isotropic in theory. */
const natural = optimizerMetrics.filter((metric) => theoreticalLearningRate(metric, 1, 1) !== undefined);

/**
 * Learning rates that are tried. Those of gradient descent are in units of 1 / w, with w the largest eigenvalue of the tangent kernel: an
 * infinitely wide network diverges from 2 / w on.
 */
export const learningRateGrids = {
  gradient: [0.5, 1, 1.5, 1.9, 2.5],
  adam: [0.001, 0.003, 0.01, 0.03, 0.1, 0.3],
};

/** In the order of results. */
export const comparedOptimizers = [...natural, ...Object.keys(learningRateGrids)];

/** The curves of all optimizers from the same weights, with the whole of the examples in every step. */
export function measureLosses(data: TrainingData, width: number, seed: number, steps: number): LossCurve[] {
  return onNetwork(data, width, seed, ({ network, kernels, meanEigenvalue }) => {
    const [initialLoss] = tf.tidy(() => lossOf(network, data).dataSync<'float32'>());
    const curve = (name: string, optimizer: tf.Optimizer, learningRate: number): LossCurve => {
      const fractions = descend(optimizer, network, data, steps);
      optimizer.dispose();
      const losses = [1, ...fractions].map((fraction) => initialLoss * fraction ** 2);
      return { optimizer: name, width, seed, learningRate, losses };
    };
    const { values, size } = totalKernel(kernels);
    const largest = eigh(values).values[size - 1];
    return [
      ...natural.map((metric) => {
        const learningRate = theoreticalLearningRate(metric, size, width)!;
        const optimizer = metricOptimizer(metric, size, meanEigenvalue);
        optimizer.learningRate = learningRate;
        return curve(metric, optimizer, learningRate);
      }),
      best(
        learningRateGrids.gradient.map((share) => {
          const learningRate = share / largest;
          return curve('gradient', tf.train.sgd(learningRate), learningRate);
        }),
      ),
      best(learningRateGrids.adam.map((rate) => curve('adam', tf.train.adam(rate), rate))),
    ];
  });
}

/** The curve with the lowest last loss; one that has diverged has none. */
function best(curves: LossCurve[]): LossCurve {
  const last = ({ losses }: LossCurve) => {
    const loss = losses[losses.length - 1];
    return Number.isFinite(loss) ? loss : Infinity;
  };
  return curves.reduce((left, right) => (last(right) < last(left) ? right : left));
}
