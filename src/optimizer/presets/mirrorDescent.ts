import type { CurvatureOption } from '../../curvature/structures';
import { NatgradError } from '../../errors';
import type { NamePattern } from '../../names';
import { requirePotential, type Potential } from '../../step/mirrorMap';
import { requireConfiguration, type NaturalGradientConfig } from '../config';
import { NaturalGradientOptimizer } from '../NaturalGradientOptimizer';

/** Options of {@link mirrorDescent}: those of the optimizer, and the potential. */
export interface MirrorDescentConfig extends Omit<NaturalGradientConfig, 'potentials'> {
  /** Default 'quadratic'. */
  potential?: Potential;
  /** The variables that have the potential, by name; default all. The others take natural-gradient steps. */
  match?: NamePattern;
  /** Default 'kroneckerFactored'. */
  curvature?: CurvatureOption;
}

/**
 * Mirror descent with the Bregman divergence B of a potential G:
 *
 *     w <- argmin <g, w> + B(w, w_t) / a,   that is   grad G(w) <- grad G(w_t) - a g
 *
 * which is natural-gradient descent in the dual coordinates mu = grad G(w), with the Hessian of the conjugate of G as metric (G.
 * Raskutti and S. Mukherjee, "The information geometry of mirror descent", 2015). With G half the square in the metric of the Fisher
 * matrix ('quadratic') it is natural-gradient descent itself. Where a text weights the divergence by 1/(2 a), its step is twice as long
 * as this one: give it as learning rate 2 a.
 *
 * ```js
 * mirrorDescent({potential: 'negativeEntropy', match: /mixture/, learningRate: 0.1})
 * ```
 *
 * Momentum runs in the coordinates that are stepped in, and so does weight decay.
 *
 * @param config every option has a default
 * @throws NatgradError ERR_NATGRAD_TYPE or ERR_NATGRAD_ARGUMENT for an unknown option or a bad value
 */
export function mirrorDescent(config: MirrorDescentConfig = {}): NaturalGradientOptimizer {
  requireConfiguration(config);
  const { potential = 'quadratic', match, ...rest } = config;
  requirePotential(potential, 'potential');
  const common = { momentum: null, klClip: null, ...withoutUndefined(rest) };
  if (potential === 'quadratic') {
    if (match !== undefined) {
      throw new NatgradError(
        'ERR_NATGRAD_ARGUMENT',
        "match has no effect on the potential 'quadratic', which all variables have; leave it out.",
      );
    }
    return new NaturalGradientOptimizer(common);
  }
  // Without a curvature there is nothing to estimate, so no distribution need be recognised in the loss.
  const plain = match === undefined ? { fisher: 'empirical' as const, curvature: 'identity' as const } : {};
  return new NaturalGradientOptimizer({
    ...plain,
    ...common,
    potentials: [{ match: match ?? /(?:)/, potential }],
  });
}

function withoutUndefined<T extends object>(config: T): Partial<T> {
  return Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined)) as Partial<T>;
}
