/**
 * The experiments of Karakida & Osawa 2020 on networks of finite width: how near the metrics of the optimizers are to isotropy in function
 * space, and whether one step with the learning rate of theory reaches the targets.
 */
import * as tf from '@tensorflow/tfjs';

import {
  contraction,
  halfSquaredError,
  isotropy,
  jacobian,
  optimalLearningRate,
  preconditionedKernel,
  tangentKernels,
  truncatedTridiagonalKernel,
  truncatedTridiagonalStep,
  withOutputs,
  wideNetwork,
  type Isotropy,
  type Jacobian,
  type Kernel,
  type WideNetwork,
} from '../diagnostics/index';
import type { NaturalGradientOptimizer } from '../optimizer/NaturalGradientOptimizer';
import {
  blockDiagonal,
  blockTridiagonal,
  diagonalFisher,
  exactNaturalGradient,
  kfac,
  unitWise,
} from '../optimizer/presets/index';

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

export interface TrainingData {
  inputs: tf.Tensor2D;
  targets: tf.Tensor2D;
}

/** Hidden layers of the paper's networks: L = 3 layers of weights. */
const hiddenLayers = 2;
const layers = hiddenLayers + 1;

/** Damping in units of the mean eigenvalue w of the Fisher matrix on the examples: as small as float32 gradients allow. */
const withWholeDamping = 1e-6;
/** K-FAC splits its damping between two factors, each of which gets the root. */
const withSplitDamping = 1e-8;

type Create = (damping: number, examples: number) => NaturalGradientOptimizer;

interface MetricSetting {
  create: Create;
  damping: number;
  /** Where theory has one. */
  learningRate?: (examples: number) => number;
}

const exactly = {
  learningRate: 1,
  momentum: 0,
  klClip: null,
  refresh: 'immediate',
  refreshPeriod: 1,
  factorDecay: 0,
  precision: 'float64',
  fisher: { estimator: 'exact', variance: 1 },
} as const;

const metrics: Record<string, MetricSetting> = {
  exact: {
    create: (damping) => exactNaturalGradient({ ...exactly, damping, form: 'dual' }),
    damping: withWholeDamping,
    learningRate: () => optimalLearningRate('exact', { layers }),
  },
  blockDiagonal: {
    create: (damping) => blockDiagonal({ ...exactly, damping, form: 'dual' }),
    damping: withWholeDamping,
    learningRate: () => optimalLearningRate('blockDiagonal', { layers }),
  },
  blockTridiagonal: {
    create: (damping) => blockTridiagonal({ ...exactly, damping }),
    damping: withSplitDamping,
    learningRate: (examples) => optimalLearningRate('blockTridiagonal', { layers, examples }),
  },
  kfac: {
    create: (damping) => kfac({ ...exactly, damping }),
    damping: withSplitDamping,
    learningRate: (examples) => optimalLearningRate('kroneckerFactored', { layers, examples }),
  },
  unitWise: {
    create: (damping, examples) => unitWise({ ...exactly, damping, form: 'dual', window: examples }),
    damping: withWholeDamping,
  },
  diagonalFisher: {
    create: (damping) => diagonalFisher({ ...exactly, damping }),
    damping: withWholeDamping,
  },
};

/** Names of the metrics in the order of results: those of the optimizers, then the one that is no optimizer, then no metric at all. */
export const metricNames = [...Object.keys(metrics), 'truncatedTridiagonal', 'gradient'];

/** Metrics on one network, by default all of them; the weights are the same for all. */
export function measureMetrics(
  data: TrainingData,
  width: number,
  seed: number,
  chosen: readonly string[] = metricNames,
): MetricResult[] {
  return onNetwork(data, width, seed, (network, found, meanEigenvalue) => {
    const kernels = tangentKernels(found);
    const examples = found.examples;
    return chosen.map((metric): MetricResult => {
      const own = { metric, width, seed };
      if (metric === 'truncatedTridiagonal') return { ...own, ...truncatedStep(network, data, kernels) };
      if (metric === 'gradient') return { ...own, ...gradientStep(network, data, kernels) };
      const setting = metrics[metric];
      const optimizer = setting.create(setting.damping * meanEigenvalue, examples);
      try {
        gather(optimizer, network, data);
        const measured = isotropy(preconditionedKernel(optimizer, found));
        const learningRate = setting.learningRate?.(examples) ?? 1 / measured.alpha;
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
  return onNetwork(data, width, seed, (network, _, meanEigenvalue) => {
    const optimizer = metrics.exact.create(metrics.exact.damping * meanEigenvalue, data.inputs.shape[0]);
    optimizer.learningRate = learningRate;
    const residuals = descend(optimizer, network, data, steps);
    optimizer.dispose();
    return { width, seed, learningRate, residuals };
  });
}

function onNetwork<T>(
  { inputs }: TrainingData,
  width: number,
  seed: number,
  use: (network: WideNetwork, found: Jacobian, meanEigenvalue: number) => T,
): T {
  const hidden = Array.from({ length: hiddenLayers }, () => width);
  const network = wideNetwork([inputs.shape[1], ...hidden, 1], seed);
  try {
    const found = jacobian(network.predict, inputs, network.kernels);
    const meanEigenvalue = tangentKernels(found).reduce((sum, kernel) => sum + isotropy(kernel).alpha, 0);
    return use(network, found, meanEigenvalue);
  } finally {
    network.dispose();
  }
}

const lossOf = ({ predict }: WideNetwork, { inputs, targets }: TrainingData) =>
  halfSquaredError(predict(inputs), targets);

function gather(optimizer: NaturalGradientOptimizer, network: WideNetwork, data: TrainingData): void {
  const { value, grads } = optimizer.computeGradients(() => lossOf(network, data), network.kernels);
  tf.dispose([value, grads]);
}

/** What fraction of the residual is left after each of some steps; the weights are put back. */
function descend(optimizer: tf.Optimizer, network: WideNetwork, data: TrainingData, steps: number): number[] {
  return puttingBack(network, data, (fraction) =>
    Array.from({ length: steps }, () => {
      optimizer.minimize(() => lossOf(network, data), false, network.kernels);
      return fraction();
    }),
  );
}

function puttingBack<T>(network: WideNetwork, data: TrainingData, use: (fraction: () => number) => T): T {
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
  const size = kernels[0].size;
  const values = Float64Array.from({ length: size * size }, (_, at) =>
    kernels.reduce((sum, kernel) => sum + kernel.values[at], 0),
  );
  const measured = isotropy({ values, size });
  const learningRate = 1 / measured.alpha;
  const [residual] = descend(tf.train.sgd(learningRate), network, data, 1);
  return { ...measured, learningRate, residual };
}
