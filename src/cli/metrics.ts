/** The metrics of function-space experiments that are optimizers of this package, with the settings and the learning rates of theory. */
import { optimalLearningRate } from '../diagnostics/index';
import type { NaturalGradientOptimizer } from '../optimizer/NaturalGradientOptimizer';
import {
  blockDiagonal,
  blockTridiagonal,
  diagonalFisher,
  exactNaturalGradient,
  kfac,
  unitWise,
} from '../optimizer/presets/index';
import { layers } from './wideTraining';

/** Damping in units of the mean eigenvalue w of the Fisher matrix on the examples: as small as float32 gradients allow. */
const withWholeDamping = 1e-6;
/** K-FAC splits its damping between two factors, each of which gets the root. */
const withSplitDamping = 1e-8;

type Create = (damping: number, examples: number) => NaturalGradientOptimizer;

interface MetricSetting {
  create: Create;
  damping: number;
  /** Where theory has one. */
  learningRate?: (examples: number, width: number) => number;
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
    learningRate: (_, width) => optimalLearningRate('unitWise', { layers, width }),
  },
  diagonalFisher: {
    create: (damping) => diagonalFisher({ ...exactly, damping }),
    damping: withWholeDamping,
  },
};

/** Their names, in the order of results. */
export const optimizerMetrics = Object.keys(metrics);

/**
 * An optimizer whose step is exactly that of the metric on all examples, with learning rate 1.
 *
 * @param meanEigenvalue of the Fisher matrix on the examples
 */
export function metricOptimizer(
  metric: string,
  examples: number,
  meanEigenvalue: number,
): NaturalGradientOptimizer {
  const { create, damping } = metrics[metric];
  return create(damping * meanEigenvalue, examples);
}

/** 1 / alpha of an infinitely wide network; undefined for a metric that is not isotropic. */
export function theoreticalLearningRate(metric: string, examples: number, width: number): number | undefined {
  return metrics[metric].learningRate?.(examples, width);
}
