import type { NaturalGradientOptimizer } from '../NaturalGradientOptimizer';
import { preset, type PresetConfig } from './preset';

/**
 * EKFAC: K-FAC whose eigenvalues are replaced by the second moments of the scores in its eigenbasis (George, Laurent, Bouthillier, Ballas
 * and Vincent, "Fast Approximate Natural Gradient Descent in a Kronecker-factored Eigenbasis", NeurIPS 2018).
 *
 * ```js
 * model.compile({optimizer: ekfac(), loss: 'categoricalCrossentropy'});
 * ```
 *
 * @param config see {@link NaturalGradientConfig}, and `correction`: 'batch' (default) takes the scores of the examples, 'running' the
 *   gradient of the batch; `basisPeriod` is how many refreshes an eigenbasis serves, 10 by default
 * @throws NatgradError ERR_NATGRAD_TYPE or ERR_NATGRAD_ARGUMENT for an unknown option or a bad value
 */
export function ekfac(config: PresetConfig<'eigenvalueCorrected'> = {}): NaturalGradientOptimizer {
  return preset('eigenvalueCorrected', {}, config);
}
