import type { NaturalGradientOptimizer } from '../NaturalGradientOptimizer';
import { preset, type PresetConfig } from './preset';

/**
 * Natural-gradient descent with the exact diagonal of the Fisher matrix, from the score of every example.
 *
 * ```js
 * model.compile({optimizer: diagonalFisher(), loss: 'categoricalCrossentropy'});
 * ```
 *
 * @param config see {@link NaturalGradientConfig}, and `power`: the step is `gradient / (F + damping)^power`, 1 by default; 0.5 is the milder
 *   step of Adam and its like
 * @throws NatgradError ERR_NATGRAD_TYPE or ERR_NATGRAD_ARGUMENT for an unknown option or a bad value
 */
export function diagonalFisher(config: PresetConfig<'diagonalFisher'> = {}): NaturalGradientOptimizer {
  return preset('diagonalFisher', {}, config);
}
