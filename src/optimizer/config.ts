import { NatgradError, requireKeys, shown } from '../errors';
import type { Precision } from '../curvature/shared/factor';
import type { BlockRule } from '../curvature/coverLayers';
import { requireCurvature, type CurvatureOption } from '../curvature/structures';
import { fisherSettings, type FisherOption } from '../fisher/options';
import { requireBackend, type BackendChoice } from '../linalg/backendChoice';
import { namePatterns } from '../names';
import type { IterateAveragingOptions } from '../step/iterateAveraging';
import type { DampingOption } from '../step/damping';
import type { SearchedDampingOptions } from '../step/searchedDamping';
import type { LearningRateMultiplier } from '../step/learningRateMultipliers';
import { requirePotentials, type PotentialRule } from '../step/mirrorMap';
import { requireSchedule, type Schedule } from '../step/schedule';
import { requireTrustRegion, type TrustRegionOptions } from '../step/trustRegion';
import type { DecayOption } from '../step/weightDecay';

/** The value of an option that leaves it to the quadratic model. */
export const CHOSEN = 'quadraticModel';

/** Options of {@link NaturalGradientOptimizer}; every one has a default, which the presets may change. */
export interface NaturalGradientConfig {
  /**
   * Step length: a number or a function of the step, counted from 0. 'quadraticModel': in every step what minimises the quadratic model
   * with the exact Fisher matrix of the batch (see `minimiseModel`), for large batches; it costs another forward pass and two walks over
   * its tape, and needs `fit` or `minimize`.
   */
  learningRate?: Schedule | 'quadraticModel';
  /**
   * Learning rates of their own for some variables, as multiples of `learningRate`; the first rule that picks a variable's name wins. The
   * KL clip and `stats()` measure the step without them. E.g. `[{match: /numerator|denominator/, factor: 0.1}]` for the coefficients of
   * rational activations. Not together with 'quadraticModel', which chooses one step for all.
   */
  learningRateMultipliers?: LearningRateMultiplier[];
  /** Heavy-ball momentum in [0, 1); null or 0 keeps no velocity. 'quadraticModel': as for `learningRate`. */
  momentum?: Schedule | null | 'quadraticModel';
  /**
   * Lambda, added to the Fisher matrix: a number, a function of the step, or `{adapt: 'levenbergMarquardt', initial}`, which
   * compares the loss with the quadratic model of the exact Fisher matrix (of the curvature's own where the loss has no recognised
   * distribution), in `fit` and `minimize` only.
   */
  damping?: DampingOption;
  /**
   * What the curvature is inverted with where it is not `damping`, which then is that of the quadratic model alone: a number, a function of
   * the step, or `{adapt: 'quadraticModel'}`, which tries neighbouring values every 20 steps and keeps the one with the lowest quadratic
   * model (`SearchedDamping`), in `fit` and `minimize` only; null: `damping`.
   */
  preconditionerDamping?: Schedule | SearchedDampingOptions | null;
  /** Decoupled weight decay: `w` shrinks by `learningRate * weightDecay` of itself per step. */
  weightDecay?: DecayOption;
  /** Coefficient of `l2 / 2 * |w|^2` in the objective, so `l2 * w` is added to the gradient before it is preconditioned. */
  l2?: DecayOption;
  /** How the Fisher matrix is estimated, and for which predictive distribution. */
  fisher?: FisherOption;
  /** Decay of the moving average of the factors, in [0, 1). The average carries its own weight: there is no bias at the start. */
  factorDecay?: Schedule;
  /** The factors are brought up to date in every n-th step. */
  factorUpdatePeriod?: number;
  /** The inverses are computed anew in every n-th step, and in steps 1, 2, 4 … before the first of those. */
  refreshPeriod?: number;
  /**
   * 'overlapped': statistics and inverses are computed by a thread of the addon while training goes on, and inverses asked for in step t
   * come into use in step `t + refreshLag`, always. 'immediate': they are computed, and used, within the step.
   */
  refresh?: 'overlapped' | 'immediate';
  /**
   * Steps until overlapped inverses come into use, at least 1. A lag that gives the thread time enough to compute them keeps the step from
   * waiting; a refresh that is due earlier ends it.
   */
  refreshLag?: number;
  /** Bound kappa on the KL divergence of a step, see `klClipScale`; null: off. */
  klClip?: number | null;
  /**
   * Bound on learningRate^2 gradient'F^-1 gradient, the squared length of a step in the geometry of the Fisher matrix, see
   * `normConstraintScale`; null: off. In place of `klClip`.
   */
  normConstraint?: number | null;
  /**
   * Take a step back if the loss of its batch grew or is not finite, and raise the damping where it is adapted. Costs another evaluation
   * of the loss per step, and needs `fit` or `minimize`.
   */
  rejectSteps?: boolean;
  /**
   * Steps by conjugate gradients on the exact Fisher matrix within a bound on the KL divergence, in place of everything else: only `fisher`
   * and `backend` go with it. See the preset `trustRegion`; null: off.
   */
  trustRegion?: TrustRegionOptions | null;
  /** Largest global norm of the gradient, before it is preconditioned; null: off. */
  clipNorm?: number | null;
  /** Largest magnitude of an element of the gradient, before it is preconditioned; null: off. */
  clipValue?: number | null;
  /** Keeps an exponential moving average of the weights beside them, see `swapAveragedWeights`; null: off. */
  averaging?: IterateAveragingOptions | null;
  /** The structure of the Fisher matrix, by name or with its own options as `{structure, …}`. The presets choose it. */
  curvature?: CurvatureOption;
  /** Which structure the variables with matching names get instead of `curvature`. First match wins. */
  blocks?: BlockRule[];
  /**
   * Mirror descent: which variables take their steps in the dual coordinates of a potential, against the plain gradient, in place of the
   * natural-gradient step, see {@link Potential}. Their layers keep no curvature. First match wins.
   */
  potentials?: PotentialRule[];
  /** A factor with more rows than this is kept as its diagonal. */
  maxFactorSize?: number;
  /** Largest memory of one block in bytes; a structure that would need more for a layer is refused. */
  memoryLimit?: number;
  /** In which precision factors and inverses are kept and computed. */
  precision?: Precision;
  /**
   * What does the linear algebra: a CUDA device ('cuda', or `{name: 'cuda', precision, device}`), the native addon on the processor ('cpu'),
   * plain TypeScript ('reference'), or the best for the model of what is there ('auto', see docs/cuda.md).
   */
  backend?: BackendChoice;
  /** Seed of the targets that the sampled estimator draws, and of what structures choose at random. */
  seed?: number;
  /** Throw instead of falling back, when a layer has no block of its own or the loss no recognisable distribution. */
  strict?: boolean;
}

export type ResolvedConfig = Required<NaturalGradientConfig>;

/** Defaults of the class; presets override them. */
export const DEFAULTS: ResolvedConfig = {
  learningRate: 0.03,
  learningRateMultipliers: [],
  momentum: 0.9,
  damping: 0.05,
  preconditionerDamping: null,
  weightDecay: 0,
  l2: 0,
  fisher: 'sampled',
  factorDecay: 0.99,
  factorUpdatePeriod: 1,
  refreshPeriod: 10,
  refresh: 'overlapped',
  refreshLag: 4,
  klClip: 3e-4,
  normConstraint: null,
  rejectSteps: false,
  trustRegion: null,
  clipNorm: null,
  clipValue: null,
  averaging: null,
  curvature: 'kroneckerFactored',
  blocks: [],
  potentials: [],
  maxFactorSize: 8192,
  memoryLimit: 2 ** 31,
  precision: 'float32',
  backend: 'auto',
  seed: 0,
  strict: false,
};

/**
 * Fills in defaults and checks what no part checks for itself.
 *
 * @throws NatgradError ERR_NATGRAD_TYPE or ERR_NATGRAD_ARGUMENT for an unknown option or a value out of range
 */
export function resolveConfig(
  config: NaturalGradientConfig,
  defaults: ResolvedConfig = DEFAULTS,
): ResolvedConfig {
  requireConfiguration(config);
  for (const key of Object.keys(config)) {
    if (!(key in DEFAULTS)) {
      refuse(`'${key}' is not an option`, `use ${Object.keys(DEFAULTS).join(', ')}`);
    }
  }
  const given = Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined));
  const resolved = { ...defaults, ...given } as ResolvedConfig;

  requireStepLength(given, resolved);
  requireTrustRegion(resolved.trustRegion);
  if (resolved.trustRegion !== null) requireNothingElse(given);
  requireOneOf(resolved.rejectSteps, [true, false], 'rejectSteps');
  requireSchedule(resolved.factorDecay, 'factorDecay');
  if (typeof resolved.factorDecay === 'number' && resolved.factorDecay >= 1) {
    refuse(`factorDecay is ${resolved.factorDecay}`, 'give a number from 0 up to, but not, 1');
  }
  fisherSettings(resolved.fisher);
  requireCount(resolved.factorUpdatePeriod, 'factorUpdatePeriod');
  requireCount(resolved.refreshPeriod, 'refreshPeriod');
  requireCount(resolved.refreshLag, 'refreshLag');
  requireCount(resolved.maxFactorSize, 'maxFactorSize');
  requireCount(resolved.memoryLimit, 'memoryLimit');
  requireCurvature(resolved.curvature, 'curvature');
  requireOneOf(resolved.refresh, ['overlapped', 'immediate'], 'refresh');
  requireOneOf(resolved.precision, ['float32', 'float64'], 'precision');
  requireBackend(resolved.backend);
  requireOneOf(resolved.strict, [true, false], 'strict');
  if (!Number.isSafeInteger(resolved.seed) || resolved.seed < 0) {
    refuse(`seed is ${shown(resolved.seed)}`, 'give an integer of at least 0');
  }
  requireRules(resolved.blocks);
  requirePotentials(resolved.potentials);
  if (resolved.potentials.length > 0 && [resolved.learningRate, resolved.momentum].includes(CHOSEN)) {
    refuse(
      `potentials and '${CHOSEN}' are both given`,
      'give a learning rate and a momentum; the quadratic model knows additive steps only',
    );
  }
  return resolved;
}

/** @throws NatgradError ERR_NATGRAD_TYPE unless it is an object of options */
export function requireConfiguration(config: unknown): void {
  if (typeof config === 'object' && config !== null && !Array.isArray(config)) return;
  throw new NatgradError(
    'ERR_NATGRAD_TYPE',
    `The configuration is ${shown(config)}; give an object, e.g. {learningRate: 0.03, damping: 0.05}.`,
  );
}

/** One thing decides how long a step is; `klClip`, which is on by default, gives way to the others. */
function requireStepLength(given: Partial<NaturalGradientConfig>, resolved: ResolvedConfig): void {
  const { learningRate } = resolved;
  if (learningRate !== CHOSEN) requireSchedule(learningRate, 'learningRate');
  const isGiven = (key: 'klClip' | 'normConstraint') => (given[key] ?? null) !== null;
  const others = learningRate === CHOSEN ? "learningRate: 'quadraticModel'" : 'normConstraint';
  if (isGiven('klClip') && (learningRate === CHOSEN || isGiven('normConstraint'))) {
    refuse(`klClip and ${others} are both given`, 'choose one');
  }
  if (learningRate === CHOSEN && isGiven('normConstraint')) {
    refuse(`normConstraint and ${others} are both given`, 'choose one');
  }
  if (
    (learningRate === CHOSEN || resolved.momentum === CHOSEN) &&
    resolved.learningRateMultipliers.length > 0
  ) {
    refuse(
      "learningRateMultipliers has no effect on a step that 'quadraticModel' chooses",
      'leave one of them out',
    );
  }
  if (learningRate === CHOSEN || resolved.normConstraint !== null) resolved.klClip = null;
}

/** What goes with a trust region; anything else would do nothing. */
const WITH_TRUST_REGION: readonly string[] = [
  'trustRegion',
  'fisher',
  'backend',
] satisfies (keyof ResolvedConfig)[];

function requireNothingElse(given: Partial<NaturalGradientConfig>): void {
  const useless = Object.keys(given).find((key) => !WITH_TRUST_REGION.includes(key));
  if (useless !== undefined) {
    refuse(
      `${useless} has no effect with trustRegion`,
      `leave it out; ${WITH_TRUST_REGION.join(', ')} go together`,
    );
  }
  const { fisher } = given;
  if ((typeof fisher === 'object' ? fisher.estimator : fisher) === 'empirical') {
    refuse(
      "fisher 'empirical' has no effect with trustRegion, which uses the exact Fisher matrix",
      'leave it out',
    );
  }
}

/** The options that decide what an optimizer with this configuration does; the others keep their defaults. */
export function effectiveConfig(config: ResolvedConfig): Partial<ResolvedConfig> {
  if (config.trustRegion === null) return config;
  return Object.fromEntries(Object.entries(config).filter(([key]) => WITH_TRUST_REGION.includes(key)));
}

function requireRules(rules: BlockRule[]): void {
  if (!Array.isArray(rules)) refuse(`blocks is ${shown(rules)}`, 'give an array of {match, curvature}');
  rules.forEach((rule, i) => {
    requireKeys(rule, ['match', 'curvature'], `blocks[${i}]`);
    requireCurvature(rule.curvature, `blocks[${i}].curvature`);
    namePatterns(rule.match, `blocks[${i}].match`);
    if (rule.match === undefined)
      refuse(`blocks[${i}].match is missing`, 'say which variables the rule is for');
  });
}

function requireCount(value: number, option: string): void {
  if (!Number.isSafeInteger(value) || value < 1)
    refuse(`${option} is ${shown(value)}`, 'give a positive integer');
}

function requireOneOf(value: unknown, allowed: unknown[], option: string): void {
  if (!allowed.includes(value))
    refuse(`${option} is ${shown(value)}`, `use ${allowed.map(shown).join(' or ')}`);
}

function refuse(what: string, remedy: string): never {
  throw new NatgradError('ERR_NATGRAD_ARGUMENT', `${what}; ${remedy}.`);
}
