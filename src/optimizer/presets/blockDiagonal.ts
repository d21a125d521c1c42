import type { NaturalGradientOptimizer } from '../NaturalGradientOptimizer';
import { preset, type PresetConfig } from './preset';

/**
 * Layer-wise exact natural gradient: the diagonal blocks of the Fisher matrix, one per layer, without a Kronecker product standing for them
 * (the block-diagonal approximation of Karakida & Osawa, "Understanding Approximate Fisher Information for Fast Convergence of Natural
 * Gradient Descent in Wide Neural Networks", NeurIPS 2020).
 *
 * Options of its own are `form` and `nystrom`, for each block as in `exactNaturalGradient`, whose defaults it shares.
 *
 * @param config see {@link NaturalGradientConfig}; every option has a default
 * @throws NatgradError ERR_NATGRAD_TYPE or ERR_NATGRAD_ARGUMENT for an unknown option or a bad value; ERR_NATGRAD_NO_MEMORY, in the first
 *   step, if a block does not fit into `memoryLimit`
 */
export function blockDiagonal(config: PresetConfig<'blockDiagonal'> = {}): NaturalGradientOptimizer {
  const everyBatch = { refresh: 'immediate', refreshPeriod: 1, factorDecay: 0 } as const;
  const step = { learningRate: 0.3, damping: 3, klClip: null };
  return preset('blockDiagonal', { fisher: 'exact', ...everyBatch, ...step }, config);
}
