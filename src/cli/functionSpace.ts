/**
 * The experiments of Karakida & Osawa 2020 on networks of finite width: how near the metrics of the optimizers are to isotropy in function
 * space, and whether one step with the learning rate of theory reaches the targets.
 */
import * as tf from '@tensorflow/tfjs';

import {
  isotropy,
  optimalLearningRate,
  preconditionedKernel,
  truncatedTridiagonalKernel,
  truncatedTridiagonalStep,
  withOutputs,
  type Isotropy,
  type Kernel,
  type WideNetwork,
} from '../diagnostics/index';
import type { NaturalGradientOptimizer } from '../optimizer/NaturalGradientOptimizer';
import { metricOptimizer, optimizerMetrics, theoreticalLearningRate } from './metrics';
import {
  descend,
  layers,
  lossOf,
  onNetwork,
  puttingBack,
  totalKernel,
  type TrainingData,
} from './wideTraining';

/** What one metric does on one network. */
export interface MetricResult extends Isotropy {
  metric: string;
  width: number;
  seed: number;
  /** Of the step: of theory where there is a formula, 1 / alpha otherwise. */
  learningRate: number;
  /** |f_1 - y| / |f_0 - y|. */
  residual: number;
}

/** Residuals of steps with the exact Fisher matrix at a learning rate below the optimum. */
export interface EtaLaw {
  width: number;
  seed: number;
  learningRate: number;
  /** |f_t - y| / |f_0 - y| after t = 1 … steps; theory says (1 - learningRate)^t. */
  residuals: number[];
}

/** Names of the metrics in the order of results: those of the optimizers, then the one that is no optimizer, then no metric at all. */
export const metricNames = [...optimizerMetrics, 'truncatedTridiagonal', 'gradient'];

/** Metrics on one network, by default all of them; the weights are the same for all. */
export function measureMetrics(
  data: TrainingData,
  width: number,
  seed: number,
  chosen: readonly string[] = metricNames,
): MetricResult[] {
  return onNetwork(data, width, seed, ({ network, found, kernels, meanEigenvalue }) => {
    const examples = found.examples;
    return chosen.map((metric): MetricResult => {
      const own = { metric, width, seed };
      if (metric === 'truncatedTridiagonal') return { ...own, ...truncatedStep(network, data, kernels) };
      if (metric === 'gradient') return { ...own, ...gradientStep(network, data, kernels) };
      const optimizer = metricOptimizer(metric, examples, meanEigenvalue);
      try {
        gather(optimizer, network, data);
        const measured = isotropy(preconditionedKernel(optimizer, found));
        const learningRate = theoreticalLearningRate(metric, examples, width) ?? 1 / measured.alpha;
        optimizer.learningRate = learningRate;
        const [residual] = descend(optimizer, network, data, 1);
        return { ...own, ...measured, learningRate, residual };
      } finally {
        optimizer.dispose();
      }
    });
  });
}

/** Steps with the exact Fisher matrix at a given learning rate. */
export function measureEtaLaw(
  data: TrainingData,
  width: number,
  seed: number,
  learningRate: number,
  steps: number,
): EtaLaw {
  return onNetwork(data, width, seed, ({ network, meanEigenvalue }) => {
    const optimizer = metricOptimizer('exact', data.inputs.shape[0], meanEigenvalue);
    optimizer.learningRate = learningRate;
    const residuals = descend(optimizer, network, data, steps);
    optimizer.dispose();
    return { width, seed, learningRate, residuals };
  });
}

function gather(optimizer: NaturalGradientOptimizer, network: WideNetwork, data: TrainingData): void {
  const { value, grads } = optimizer.computeGradients(() => lossOf(network, data), network.kernels);
  tf.dispose([value, grads]);
}

/** The step that `truncatedTridiagonalStep` describes: J_l' v_l / N for every layer. */
function truncatedStep(
  network: WideNetwork,
  data: TrainingData,
  kernels: Kernel[],
): Omit<MetricResult, 'metric' | 'width' | 'seed'> {
  const measured = isotropy(truncatedTridiagonalKernel(kernels));
  const learningRate = optimalLearningRate('truncatedTridiagonal', { layers });
  const [examples] = data.inputs.shape;
  const residual = puttingBack(network, data, (fraction) => {
    const steps = withOutputs(network.predict, data.inputs, network.kernels, (outputs, backward) => {
      const error = tf.tidy(() => outputs.sub(data.targets).dataSync<'float32'>().slice());
      const dual = truncatedTridiagonalStep(
        kernels.map(({ values }) => values),
        error,
      );
      return network.kernels.map((kernel, l) => backward(dual[l], [kernel])[kernel.name]);
    });
    tf.tidy(() =>
      network.kernels.forEach((kernel, l) =>
        kernel.assign(kernel.sub(tf.tensor(steps[l], kernel.shape).mul(learningRate / examples))),
      ),
    );
    return fraction();
  });
  return { ...measured, learningRate, residual };
}

/** Plain gradient descent, whose K is the tangent kernel: what all this is compared with. */
function gradientStep(
  network: WideNetwork,
  data: TrainingData,
  kernels: Kernel[],
): Omit<MetricResult, 'metric' | 'width' | 'seed'> {
  const measured = isotropy(totalKernel(kernels));
  const learningRate = 1 / measured.alpha;
  const [residual] = descend(tf.train.sgd(learningRate), network, data, 1);
  return { ...measured, learningRate, residual };
}
