import type { NaturalGradientOptimizer } from '../NaturalGradientOptimizer';
import { preset, type PresetConfig } from './preset';

/**
 * K-FAC: natural-gradient descent with one Kronecker-factored block per layer (Martens & Grosse, "Optimizing Neural Networks with
 * Kronecker-factored Approximate Curvature", ICML 2015; for convolutions Grosse & Martens, ICML 2016).
 *
 * ```js
 * model.compile({optimizer: kfac(), loss: 'categoricalCrossentropy'});
 * ```
 *
 * @param config see {@link NaturalGradientConfig}, and `dampingSplit`: how the damping is added to a Kronecker product, 'pi' (default) and
 *   'equal' to its factors, 'exact' to the product itself
 * @throws NatgradError ERR_NATGRAD_TYPE or ERR_NATGRAD_ARGUMENT for an unknown option or a bad value
 */
export function kfac(config: PresetConfig<'kroneckerFactored'> = {}): NaturalGradientOptimizer {
  return preset('kroneckerFactored', {}, config);
}
