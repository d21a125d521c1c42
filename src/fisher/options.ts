import { NatgradError, shown } from '../errors';
import { matchesName, namePatterns, type NamePattern } from '../names';
import type { Distribution } from '../tape/types';
import { bernoulli } from './bernoulli';
import { categorical } from './categorical';
import { drawing, type Estimator } from './estimator';
import { gaussian } from './gaussian';
import { gaussianWithVariance } from './gaussianWithVariance';
import type { Likelihood } from './likelihood';
import { factorFromFisher } from './outputFactor';

/**
 * A likelihood of the user's own: the methods that the chosen estimator needs (see {@link Likelihood}). `outputFisher` can stand for
 * `factorColumns` and `factorColumn`, which are then taken from its eigendecomposition: `{sample, outputFisher}` serves every estimator.
 */
export type OwnLikelihood = Partial<Likelihood>;

/** The `fisher` option spelt out. */
export interface FisherOptions {
  /** How the Fisher matrix is estimated. Default 'sampled'. */
  estimator?: Estimator;
  /** Only for 'sampled' and 'curvaturePropagation': backward passes with independent draws per estimate. Default 1. */
  draws?: number;
  /**
   * The predictive distribution. Default: what the loss is recognised as. A name asks that the loss is recognised as just that, or,
   * with `output`, says what the output parameterises; an object is used for every head.
   */
  distribution?: Distribution | OwnLikelihood;
  /** Variance of gaussian outputs; default half the number of output columns, which is tfjs's meanSquaredError. */
  variance?: number;
  /**
   * Where the distribution's parameters are, for losses that are not recognised: a pattern for the name of a variable of the layer
   * whose pre-activation they are, e.g. 'logits/kernel'. Needs `distribution`.
   */
  output?: NamePattern;
}

/** What the public option `fisher` takes: an estimator by name, or the options. */
export type FisherOption = Estimator | FisherOptions;

/** The `fisher` option, checked and with its defaults filled in. */
export interface FisherSettings {
  readonly estimator: Estimator;
  readonly draws: number;
  /** Only heads of this distribution are accepted, or, with `isOutput`, it is what the output parameterises. */
  readonly distribution?: Distribution;
  /** Whether a variable of this name belongs to the layer whose pre-activation is the output; undefined: heads are found from the loss. */
  readonly isOutput?: (variableName: string) => boolean;
  /** The user's own likelihood, for every head. */
  readonly ownLikelihood?: Likelihood;
  /** The likelihood of a head that was recognised as `distribution`. */
  likelihoodOf(distribution: Distribution): Likelihood;
}

const ESTIMATORS: readonly string[] = [
  'sampled',
  'exact',
  'gaussNewton',
  'curvaturePropagation',
  'empirical',
] satisfies Estimator[];
const DISTRIBUTIONS: readonly string[] = [
  'categorical',
  'bernoulli',
  'gaussian',
  'gaussianWithVariance',
] satisfies Distribution[];
const KEYS: readonly string[] = [
  'estimator',
  'draws',
  'distribution',
  'variance',
  'output',
] satisfies (keyof FisherOptions)[];

/**
 * Checks the public option `fisher`.
 *
 * @throws NatgradError ERR_NATGRAD_TYPE if it is neither a string nor an object, ERR_NATGRAD_ARGUMENT for an unknown name or key, a
 *   value out of range, or an option that would have no effect beside the others
 */
export function fisherSettings(option: FisherOption = 'sampled'): FisherSettings {
  const options = typeof option === 'string' ? { estimator: option } : option;
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new NatgradError(
      'ERR_NATGRAD_TYPE',
      `fisher is ${shown(option)}; give ${list(ESTIMATORS)} or an object with ${list(KEYS)}.`,
    );
  }
  const unknown = Object.keys(options).find((key) => !KEYS.includes(key));
  if (unknown !== undefined) refuse(`fisher.${unknown} is not an option`, `use ${list(KEYS)}`);

  const { estimator = 'sampled', draws, distribution, variance, output } = options;
  if (!ESTIMATORS.includes(estimator))
    refuse(`fisher.estimator is '${estimator}'`, `use ${list(ESTIMATORS)}`);
  if (draws !== undefined) {
    if (!drawing.includes(estimator))
      refuse(`fisher.draws has no effect on '${estimator}'`, `use ${list(drawing)} or leave it out`);
    if (!Number.isSafeInteger(draws) || draws < 1)
      refuse(`fisher.draws is ${draws}`, 'give a positive integer');
  }
  if (estimator === 'empirical') {
    const useless = [{ distribution }, { variance }, { output }].flatMap(givenKeys)[0];
    if (useless)
      refuse(`fisher.${useless} has no effect on 'empirical', which uses the loss itself`, 'leave it out');
  }
  if (typeof distribution === 'string' && !DISTRIBUTIONS.includes(distribution)) {
    refuse(
      `fisher.distribution is '${distribution}'`,
      `use ${list(DISTRIBUTIONS)} or an object with the methods of a Likelihood`,
    );
  }
  if (variance !== undefined && distribution !== undefined && distribution !== 'gaussian') {
    refuse(`fisher.variance is given for a distribution that is not 'gaussian'`, 'leave one of them out');
  }
  if (output !== undefined && distribution === undefined) {
    refuse(
      'fisher.output is given without fisher.distribution',
      'say which distribution the output parameterises',
    );
  }

  const patterns = namePatterns(output, 'fisher.output');
  const normal = gaussian({ variance });
  return {
    estimator,
    draws: draws ?? 1,
    distribution: typeof distribution === 'string' ? distribution : undefined,
    isOutput:
      output === undefined ? undefined : (name) => patterns.some((pattern) => matchesName(pattern, name)),
    ownLikelihood: typeof distribution === 'object' ? ownLikelihood(distribution, estimator) : undefined,
    likelihoodOf: (recognised) =>
      ({ categorical, bernoulli, gaussian: normal, gaussianWithVariance })[recognised],
  };
}

function ownLikelihood(own: OwnLikelihood, estimator: Estimator): Likelihood {
  const has = (method: keyof Likelihood) => typeof own[method] === 'function';
  const factored = has('factorColumns') && has('factorColumn');
  if (estimator === 'sampled' && !has('sample')) {
    refuse(`fisher.distribution has no sample(), which the estimator 'sampled' needs`, 'implement it');
  }
  if (estimator !== 'sampled' && !factored && !has('outputFisher')) {
    const missing = has('factorColumns') ? 'factorColumn' : 'factorColumns';
    refuse(
      `fisher.distribution has no ${missing}() and no outputFisher(), one of which the estimator '${estimator}' needs`,
      'implement either',
    );
  }
  // What the estimator does not need may be missing; whoever calls it without having checked gets JavaScript's own error.
  const added = {
    ...(own.distribution === undefined ? { distribution: 'own' } : {}),
    ...(!factored && has('outputFisher') ? factorFromFisher(own as Likelihood) : {}),
  };
  return Object.keys(added).length === 0
    ? (own as Likelihood)
    : Object.assign(Object.create(own) as Likelihood, added);
}

const givenKeys = (option: object): string[] =>
  Object.entries(option).flatMap(([key, value]) => (value === undefined ? [] : [key]));

const list = (names: readonly string[]): string => names.map((name) => `'${name}'`).join(', ');

function refuse(what: string, remedy: string): never {
  throw new NatgradError('ERR_NATGRAD_ARGUMENT', `${what}; ${remedy}.`);
}
