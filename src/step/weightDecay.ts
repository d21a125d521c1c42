import { NatgradError } from '../errors';
import type { CombineJob, FloatArray } from '../linalg/jobs';
import {
  matchesName,
  namePatterns,
  restorePattern,
  savePattern,
  type NamePattern,
  type PatternConfig,
} from '../names';
import { requireSchedule, valueAt, type Schedule } from './schedule';
import { restoreSchedule, saveSchedule } from './scheduleConfig';
import type { ScheduleConfig } from './schedules';

/** What the options `weightDecay` and `l2` take: a rate for all variables, or a rate and the variables that it leaves out. */
export type DecayOption = Schedule | { rate: Schedule; exclude?: NamePattern | NamePattern[] };

/** A {@link DecayOption} as JSON. */
export interface DecayConfig {
  rate: number | ScheduleConfig;
  exclude: PatternConfig[];
}

/** The option that `Decay.config` saved; anything else is given back as it is. */
export function restoreDecay(saved: unknown, argument: string): DecayOption {
  if (typeof saved !== 'object' || saved === null || !('exclude' in saved)) return saved as DecayOption;
  const { rate, exclude } = saved as DecayConfig;
  return { rate: restoreSchedule(rate, argument), exclude: exclude.map(restorePattern) };
}

/** A rate that pulls variables towards zero, except those that are excluded. */
class Decay {
  private readonly rate: Schedule;
  private readonly exclude: NamePattern[];

  protected constructor(
    option: DecayOption,
    private readonly argument: string,
  ) {
    const { rate, exclude, ...rest } =
      typeof option === 'object' && option !== null ? option : { rate: option };
    const unknown = Object.keys(rest)[0];
    if (unknown !== undefined) {
      throw new NatgradError(
        'ERR_NATGRAD_ARGUMENT',
        `${argument}.${unknown} is not an option; use rate, exclude.`,
      );
    }
    this.rate = requireSchedule(rate, argument);
    this.exclude = namePatterns(exclude, `${argument}.exclude`);
  }

  /** The option as JSON; what has no such form (functions) is replaced or left out with a warning. */
  config(step: number): DecayConfig {
    return {
      rate: saveSchedule(this.rate, step, this.argument),
      exclude: this.exclude.flatMap((pattern) => savePattern(pattern, `${this.argument}.exclude`)),
    };
  }

  protected rateFor(variableName: string, step: number): number {
    if (this.rate === 0 || this.exclude.some((pattern) => matchesName(pattern, variableName))) return 0;
    return valueAt(this.rate, step, this.argument);
  }
}

/**
 * Decoupled weight decay, beside the step and untouched by the preconditioner and the KL clip (I. Loshchilov and F. Hutter,
 * "Decoupled weight decay regularization", ICLR 2019):
 *
 *     w <- (1 - learningRate rate) w + update
 */
export class WeightDecay extends Decay {
  /** @throws NatgradError ERR_NATGRAD_TYPE or ERR_NATGRAD_ARGUMENT for a rate that is no schedule or a bad pattern */
  constructor(option: DecayOption) {
    super(option, 'weightDecay');
  }

  /**
   * The factor 1 - learningRate * rate for a variable; 1 if it is excluded.
   *
   * @throws NatgradError ERR_NATGRAD_ARGUMENT if learningRate * rate is above 1, which would turn the weights' signs
   */
  shrink(variableName: string, step: number, learningRate: number): number {
    const loss = learningRate * this.rateFor(variableName, step);
    if (loss > 1) {
      throw new NatgradError(
        'ERR_NATGRAD_ARGUMENT',
        `weightDecay times the learning rate is ${loss} at step ${step}; it must not be above 1.`,
      );
    }
    return 1 - loss;
  }
}

/**
 * L2 regularisation: the objective is loss + (coefficient / 2) |w|^2, so that coefficient * w is added to the gradient before it is
 * preconditioned. (In the Fisher matrix of that objective the same coefficient adds to the damping.)
 */
export class L2 extends Decay {
  /** @throws NatgradError ERR_NATGRAD_TYPE or ERR_NATGRAD_ARGUMENT for a coefficient that is no schedule or a bad pattern */
  constructor(option: DecayOption) {
    super(option, 'l2');
  }

  /** The coefficient for a variable; 0 if it is excluded. */
  coefficient(variableName: string, step: number): number {
    return this.rateFor(variableName, step);
  }
}

/** `out = gradient + coefficient * weights`; `out` may be `gradient`. */
export function l2Job(
  gradient: FloatArray,
  weights: FloatArray,
  coefficient: number,
  out: FloatArray,
): CombineJob {
  return {
    op: 'combine',
    terms: [
      { data: gradient, scale: 1 },
      { data: weights, scale: coefficient },
    ],
    out,
  };
}
