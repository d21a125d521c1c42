import type { NaturalGradientOptimizer } from '../NaturalGradientOptimizer';
import { preset, type PresetConfig } from './preset';

/**
 * Natural-gradient descent with Ollivier's quasi-diagonal Fisher matrix: the diagonal, and between every weight and the bias of its unit
 * ("Riemannian metrics for neural networks I", 2015).
 *
 * ```js
 * model.compile({optimizer: quasiDiagonal(), loss: 'categoricalCrossentropy'});
 * ```
 *
 * @param config see {@link NaturalGradientConfig}; every option has a default
 * @throws NatgradError ERR_NATGRAD_TYPE or ERR_NATGRAD_ARGUMENT for an unknown option or a bad value
 */
export function quasiDiagonal(config: PresetConfig<'quasiDiagonal'> = {}): NaturalGradientOptimizer {
  return preset('quasiDiagonal', {}, config);
}
