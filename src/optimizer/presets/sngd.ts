import type { NaturalGradientOptimizer } from '../NaturalGradientOptimizer';
import { preset, type PresetConfig } from './preset';

/**
 * SNGD: natural-gradient descent with the local Fisher matrix of each layer, which needs no backward pass beyond the gradient (Liu,
 * Boumaraf et al., "Reconstructing deep neural networks: unleashing the optimization potential of natural gradient descent").
 *
 * ```js
 * model.compile({optimizer: sngd({learningRate: 0.05, l2: 1e-3}), loss: 'categoricalCrossentropy'});
 * ```
 *
 * `damping` is relative to the mean eigenvalue of each side of a layer's G = E[x~ x~'] (x) diag(E[v_f]). With `form: 'reparametrised'`
 * the weights are kept as w' = G^1/2 w (proposition 1 and equation 11 of the paper; its algorithm 1 prints the root the other way round,
 * which would be a step along -G gradient).
 *
 * @param config see {@link NaturalGradientConfig}, and `root`, `form` and `nystrom` of the structure `localFisher`; every option has a default
 * @throws NatgradError ERR_NATGRAD_TYPE or ERR_NATGRAD_ARGUMENT for an unknown option or a bad value
 */
export function sngd(config: PresetConfig<'localFisher'> = {}): NaturalGradientOptimizer {
  const defaults = {
    learningRate: 0.05,
    momentum: null,
    damping: 1,
    klClip: null,
    fisher: 'empirical',
    factorDecay: 0.95,
    factorUpdatePeriod: 10,
    refreshPeriod: 100,
  } as const;
  return preset('localFisher', defaults, config);
}
