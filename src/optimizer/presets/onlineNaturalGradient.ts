import { NatgradError } from '../../errors';
import type { NaturalGradientOptimizer } from '../NaturalGradientOptimizer';
import { preset, type PresetConfig } from './preset';

/** Options of {@link onlineNaturalGradient}: `alpha` is its damping. */
export type OnlineNaturalGradientConfig = Omit<
  PresetConfig<'onlineNaturalGradient'>,
  'damping' | 'factorDecay'
>;

/**
 * Online natural gradient: the rows that go into each layer, and the gradients at its outputs, are multiplied by the inverse of a low-rank
 * approximation of their second moment that follows the batches (D. Povey, X. Zhang and S. Khudanpur, "Parallel training of DNNs with
 * natural gradient and parameter averaging", 2015; the optimizer of Kaldi). The norm of the rows is preserved, so that learning rates are
 * those of SGD.
 *
 * ```js
 * model.compile({optimizer: onlineNaturalGradient({learningRate: 0.1, momentum: 0.9}), loss: 'categoricalCrossentropy'});
 * ```
 *
 * @param config see {@link NaturalGradientConfig}, and the options of {@link OnlineNaturalGradientOptions}; every option has a default
 * @throws NatgradError ERR_NATGRAD_TYPE or ERR_NATGRAD_ARGUMENT for an unknown option or a bad value
 */
export function onlineNaturalGradient(config: OnlineNaturalGradientConfig = {}): NaturalGradientOptimizer {
  for (const [option, instead] of [
    ['damping', 'alpha'],
    ['factorDecay', 'numSamplesHistory'],
  ]) {
    if (typeof config === 'object' && config !== null && option in config) {
      throw new NatgradError(
        'ERR_NATGRAD_ARGUMENT',
        `${option} has no effect on the online natural gradient; set ${instead}.`,
      );
    }
  }
  const defaults = { learningRate: 0.1, momentum: null, klClip: null, fisher: 'empirical' } as const;
  return preset('onlineNaturalGradient', defaults, config);
}
