import type { NaturalGradientOptimizer } from '../NaturalGradientOptimizer';
import { preset, type PresetConfig } from './preset';

/**
 * SINGD: Kronecker-factored natural-gradient descent without inverses, whose factors of the inverse follow those of the Fisher matrix by
 * matrix products alone, in one of several structures (Lin, Dangel, Eschenhagen, Neklyudov, Kristiadi, Turner & Makhzani, "Structured
 * Inverse-Free Natural Gradient", ICML 2024). `kfacLike: true` is IKFAC, which tends to K-FAC with the damping on each factor; otherwise
 * dense factors are INGD.
 *
 * Every refresh makes one step of length `factorLearningRate` from the identity towards the inverse, so the first directions are about
 * the gradient. 'blockDiagonal' and 'diagonal' factors take memory and time linear in the size of a layer's input or output.
 *
 * @param config see {@link NaturalGradientConfig}; every option has a default
 * @throws NatgradError ERR_NATGRAD_TYPE or ERR_NATGRAD_ARGUMENT for an unknown option or a bad value
 */
export function singd(config: PresetConfig<'singd'> = {}): NaturalGradientOptimizer {
  return preset('singd', {}, config);
}
