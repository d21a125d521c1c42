import type { NaturalGradientOptimizer } from '../NaturalGradientOptimizer';
import { preset, type PresetConfig } from './preset';

/**
 * SENG: each layer's empirical Fisher matrix inverted in the space of the batch by a sketched least-squares problem (Yang, Xu, Wen, Chen &
 * Xu, "Sketchy Empirical Natural Gradient Methods for Deep Learning", 2020).
 *
 * Its own options are `sketchSize`: how many coordinates of the inputs and of the output gradients of a layer the problem is measured on,
 * default 256; null takes all of them, which is `tengrad`; and `scoreRank`: how many singular vectors are kept of the score of every example
 * where a layer has several positions per example; null (default): all.
 *
 * Defaults that differ from the class are those of `tengrad`: `fisher: 'empirical'`, `refresh: 'immediate'`, `refreshPeriod: 1`,
 * `learningRate: 3`, `damping: 30`, `klClip: null`.
 *
 * @param config see {@link NaturalGradientConfig}; every option has a default
 * @throws NatgradError ERR_NATGRAD_TYPE or ERR_NATGRAD_ARGUMENT for an unknown option or a bad value; ERR_NATGRAD_NO_MEMORY, in the first
 *   step, if a block does not fit into `memoryLimit`
 */
export function seng(config: PresetConfig<'seng'> = {}): NaturalGradientOptimizer {
  const everyBatch = { refresh: 'immediate', refreshPeriod: 1 } as const;
  const step = { learningRate: 3, damping: 30, klClip: null };
  return preset('seng', { fisher: 'empirical', ...everyBatch, ...step }, config);
}
