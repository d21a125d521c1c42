import type { NaturalGradientOptimizer } from '../NaturalGradientOptimizer';
import { preset, type PresetConfig } from './preset';

/**
 * Natural-gradient descent with one dense Fisher block per output unit (Ollivier, "Riemannian metrics for neural networks I", 2015;
 * Karakida & Osawa, NeurIPS 2020).
 *
 * ```js
 * model.compile({optimizer: unitWise(), loss: 'categoricalCrossentropy'});
 * ```
 *
 * @param config see {@link NaturalGradientConfig}, and `form`: 'primal' keeps matrices of (inputs + 1)^2, 'dual' those of `window`^2 over the
 *   last `window` rows (default 256); 'auto' (default) is dual where a dense layer has more inputs than `window`
 * @throws NatgradError ERR_NATGRAD_TYPE or ERR_NATGRAD_ARGUMENT for an unknown option or a bad value; at the first step ERR_NATGRAD_NO_MEMORY
 *   where the matrices of a layer would not fit into `memoryLimit`
 */
export function unitWise(config: PresetConfig<'unitWise'> = {}): NaturalGradientOptimizer {
  return preset('unitWise', {}, config);
}
