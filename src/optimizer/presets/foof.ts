import type { NaturalGradientOptimizer } from '../NaturalGradientOptimizer';
import { preset, type PresetConfig } from './preset';

/**
 * FOOF: K-FAC without the factor of the output gradients (Benzing, "Gradient Descent on Neurons and its Link to Approximate Second-Order
 * Optimization", ICML 2022). It takes no backward pass but the one for the gradient, and needs no predictive distribution.
 *
 * ```js
 * model.compile({optimizer: foof(), loss: 'categoricalCrossentropy'});
 * ```
 *
 * @param config see {@link NaturalGradientConfig}. The defaults are `fisher: 'empirical'`, for variables that get the diagonal, no KL clip
 *   (there is no Fisher matrix to measure KL by), a learning rate of 0.1 and a damping of 1
 * @throws NatgradError ERR_NATGRAD_TYPE or ERR_NATGRAD_ARGUMENT for an unknown option or a bad value
 */
export function foof(config: PresetConfig<'foof'> = {}): NaturalGradientOptimizer {
  return preset('foof', { fisher: 'empirical', klClip: null, learningRate: 0.1, damping: 1 }, config);
}
