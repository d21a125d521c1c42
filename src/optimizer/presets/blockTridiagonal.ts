import type { NaturalGradientOptimizer } from '../NaturalGradientOptimizer';
import { preset, type PresetConfig } from './preset';

/**
 * Block tri-diagonal K-FAC: as `kfac`, but layers that follow one another share a block whose inverse is block tri-diagonal, so that how
 * consecutive layers act together is taken into account (Martens & Grosse, "Optimizing Neural Networks with Kronecker-factored
 * Approximate Curvature", ICML 2015, section 4.3). A refresh costs two symmetric eigenproblems per layer more, a step about twice as much
 * as that of `kfac`.
 *
 * Chains are made of dense layers, and of convolutions whose output positions are the next one's, each with the one before as its only
 * source. Every other layer gets the block that `kfac` gives it; `summary()` tells.
 *
 * @param config see {@link NaturalGradientConfig}; every option has a default
 * @throws NatgradError ERR_NATGRAD_TYPE or ERR_NATGRAD_ARGUMENT for an unknown option or a bad value
 */
export function blockTridiagonal(config: PresetConfig<'blockTridiagonal'> = {}): NaturalGradientOptimizer {
  return preset('blockTridiagonal', {}, config);
}
