import type { NaturalGradientOptimizer } from '../NaturalGradientOptimizer';
import { preset, type PresetConfig } from './preset';

/**
 * Shampoo: every variable, seen as a matrix, has its gradient multiplied by inverse fourth roots of the second moments of its rows and
 * columns (Gupta, Koren & Singer, "Shampoo: Preconditioned Stochastic Tensor Optimization", ICML 2018). With `basis: 'eigen'` it is SOAP:
 * Adam's step in the eigenbases of those moments (Vyas et al. 2024).
 *
 * The moments are those of batch gradients, so the Fisher matrix is the empirical one by default; their moving average has the decay
 * `factorDecay`. `damping` is added to them (in SOAP, to the second moments in the eigenbases). As the default of Distributed Shampoo has
 * it, the leading axes of a kernel are merged into one, and matrices larger than `blockSize` (1024) are cut into blocks; a vector has one
 * factor and twice the `exponent`. `grafting` gives the direction the length of that of another method.
 *
 * @param config see {@link NaturalGradientConfig}; every option has a default
 * @throws NatgradError ERR_NATGRAD_TYPE or ERR_NATGRAD_ARGUMENT for an unknown option or a bad value; ERR_NATGRAD_NO_MEMORY at the first
 *   step where the factors of a layer would not fit into `memoryLimit`
 */
export function shampoo(config: PresetConfig<'shampoo'> = {}): NaturalGradientOptimizer {
  return preset('shampoo', { learningRate: 0.01, damping: 1e-3, fisher: 'empirical', klClip: null }, config);
}
