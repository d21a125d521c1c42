import type { NaturalGradientOptimizer } from '../NaturalGradientOptimizer';
import { preset, type PresetConfig } from './preset';

/**
 * TENGraD: the exact inverse of each layer's empirical Fisher matrix by Woodbury's identity, with a Gram matrix that is the Hadamard product
 * of those of inputs and output gradients (Soori et al., "TENGraD: Time-Efficient Natural Gradient Descent with Exact Fisher-Block
 * Inversion", 2021).
 *
 * Its own options are `nystrom`: `{rank}` approximates the Gram matrix by so many of its columns; null (default): exact; and `scoreRank`: how
 * many singular vectors are kept of the score of every example where a layer has several positions per example; null (default): all.
 *
 * Defaults that differ from the class: `fisher: 'empirical'`, inverses from every batch by itself (`refresh: 'immediate'`,
 * `refreshPeriod: 1`), and `learningRate: 3`, `damping: 30`, `klClip: null`: the gradient of a small batch lies in the span of its own
 * scores, which the empirical Fisher matrix shrinks, so it takes much damping, and with it a long step. A longer `refreshPeriod` keeps the
 * batch of the latest refresh. Scores of earlier batches are never averaged in, so `factorDecay` acts only on the blocks of other variables.
 *
 * @param config see {@link NaturalGradientConfig}; every option has a default
 * @throws NatgradError ERR_NATGRAD_TYPE or ERR_NATGRAD_ARGUMENT for an unknown option or a bad value; ERR_NATGRAD_NO_MEMORY, in the first
 *   step, if a block does not fit into `memoryLimit`
 */
export function tengrad(config: PresetConfig<'tengrad'> = {}): NaturalGradientOptimizer {
  const everyBatch = { refresh: 'immediate', refreshPeriod: 1 } as const;
  const step = { learningRate: 3, damping: 30, klClip: null };
  return preset('tengrad', { fisher: 'empirical', ...everyBatch, ...step }, config);
}
