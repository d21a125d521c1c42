import type { TrustRegionOptions } from '../../step/trustRegion';
import { requireConfiguration, type NaturalGradientConfig } from '../config';
import { NaturalGradientOptimizer } from '../NaturalGradientOptimizer';

/** Options of `trustRegion`: those of the trust region, and which distribution the predictions are. */
export type TrustRegionConfig = TrustRegionOptions & Pick<NaturalGradientConfig, 'fisher' | 'backend'>;

/**
 * Natural-gradient descent with the exact Fisher matrix and a bound on how far a step moves the predictions (J. Schulman, S. Levine,
 * P. Moritz, M. Jordan and P. Abbeel, "Trust region policy optimization", ICML 2015): conjugate gradients on products with the Fisher
 * matrix, then the longest step whose measured KL divergence is at most `maxKl` and that does not raise the loss of the batch.
 *
 * Keeps no statistics and no matrices. It needs the loss as a function, so `model.fit` and `minimize` work and
 * `applyGradients` does not; it is for large batches, and networks without dropout.
 *
 * ```js
 * model.compile({optimizer: trustRegion({maxKl: 0.01}), loss: 'categoricalCrossentropy'});
 * ```
 *
 * @throws NatgradError ERR_NATGRAD_TYPE or ERR_NATGRAD_ARGUMENT for an unknown option or a bad value
 */
export function trustRegion(config: TrustRegionConfig = {}): NaturalGradientOptimizer {
  requireConfiguration(config);
  const { fisher, backend, ...region } = config;
  return new NaturalGradientOptimizer({ trustRegion: region, fisher, backend });
}
