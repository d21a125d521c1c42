import type { NaturalGradientOptimizer } from '../NaturalGradientOptimizer';
import { preset, type PresetConfig } from './preset';

/**
 * The exact natural gradient: one Fisher matrix over all layers whose scores can be formed (Dense, convolutions, Embedding, the
 * kernels of SimpleRNN and LSTM), with nothing left out between them (Amari, "Natural Gradient Works Efficiently in Learning", Neural
 * Computation 1998). Other variables get blocks of their own; `summary()` says which.
 *
 * Options of its own:
 * - `form`: 'primal' keeps the p x p matrix in a moving average over batches; 'dual' inverts, for the latest batch alone, a matrix with one
 *   row per example and backward pass; 'auto' (default) takes the smaller, or the primal one where `factorDecay` asks for an average.
 * - `nystrom`: `{rank}` approximates the matrix of the dual form by so many of its columns; null (default): exact.
 *
 * Defaults that differ from the class: `fisher: 'exact'` (one backward pass per output), inverses from every batch by itself
 * (`refresh: 'immediate'`, `refreshPeriod: 1`, `factorDecay: 0`), and `learningRate: 1`, `damping: 10`, `klClip: null`, which suit small
 * batches: the smaller the batch, the less of the Fisher matrix it knows, and the more damping the step needs.
 *
 * @param config see {@link NaturalGradientConfig}; every option has a default
 * @throws NatgradError ERR_NATGRAD_TYPE or ERR_NATGRAD_ARGUMENT for an unknown option or a bad value; ERR_NATGRAD_NO_MEMORY, in the first
 *   step, if it does not fit into `memoryLimit`
 */
export function exactNaturalGradient(config: PresetConfig<'full'> = {}): NaturalGradientOptimizer {
  const everyBatch = { refresh: 'immediate', refreshPeriod: 1, factorDecay: 0 } as const;
  const step = { learningRate: 1, damping: 10, klClip: null };
  return preset('full', { fisher: 'exact', ...everyBatch, ...step }, config);
}
