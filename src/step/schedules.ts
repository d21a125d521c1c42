/**
 * Ready-made schedules, for the learning rate, the damping or any other option that takes a {@link Schedule}. They have the values of
 * the schedules of the same name in tf.keras, at the same steps, counted from 0.
 */
import { NatgradError, requireKeys } from '../errors';
import { requireNonNegative, requirePositive, requireSchedule, valueAt, type Schedule } from './schedule';

/** A ready-made schedule as JSON. */
export interface ScheduleConfig {
  schedule: keyof typeof schedules;
  config: Record<string, unknown>;
}

/** A schedule that knows the configuration it was made from, so that an optimizer with it can be saved. */
export interface ReadyMadeSchedule {
  (step: number): number;
  readonly config: ScheduleConfig;
}

export interface DecayScheduleConfig {
  /** Value at step 0. */
  initial: number;
  /** Steps in which the value falls by one `decayRate`. */
  decaySteps: number;
  decayRate: number;
  /** Whether the value changes only after every `decaySteps` whole steps. Default false. */
  staircase?: boolean;
}

export interface CosineDecayConfig {
  initial: number;
  /** Steps after which the final value is reached. */
  decaySteps: number;
  /** Final value as a fraction of the initial one. Default 0. */
  alpha?: number;
}

export interface PolynomialDecayConfig {
  initial: number;
  decaySteps: number;
  /** Final value. Default 0.0001. */
  end?: number;
  /** Exponent; 1 is linear. Default 1. */
  power?: number;
  /** Whether to start over, with a multiple of `decaySteps`, whenever the final value is reached. Default false: stay there. */
  cycle?: boolean;
}

export interface PiecewiseConstantConfig {
  /** Steps, ascending; `values[i]` holds up to and including step `boundaries[i]`. */
  boundaries: number[];
  /** One more than there are boundaries. */
  values: number[];
}

export interface WarmupConfig {
  /** Steps until `then` takes over. */
  steps: number;
  /** Value at step 0. Default 0. */
  initial?: number;
  /** What follows; its steps are counted from the end of the warm-up, and the warm-up rises linearly to its first value. */
  then: Schedule;
}

/** `initial * decayRate^(step / decaySteps)` */
function exponentialDecay(config: DecayScheduleConfig): ReadyMadeSchedule {
  const { initial, decaySteps, decayRate, staircase = false } = checkedDecay('exponentialDecay', config);
  return readyMade(
    'exponentialDecay',
    config,
    (step) => initial * decayRate ** periods(step, decaySteps, staircase),
  );
}

/** `initial / (1 + decayRate * step / decaySteps)` */
function inverseTimeDecay(config: DecayScheduleConfig): ReadyMadeSchedule {
  const { initial, decaySteps, decayRate, staircase = false } = checkedDecay('inverseTimeDecay', config);
  return readyMade(
    'inverseTimeDecay',
    config,
    (step) => initial / (1 + decayRate * periods(step, decaySteps, staircase)),
  );
}

/** `initial * ((1 - alpha) (1 + cos(pi t)) / 2 + alpha)` with `t = min(1, step / decaySteps)` (SGDR: I. Loshchilov and F. Hutter, 2017) */
function cosineDecay(config: CosineDecayConfig): ReadyMadeSchedule {
  requireKeys(config, ['initial', 'decaySteps', 'alpha'], 'cosineDecay');
  const { initial, decaySteps, alpha = 0 } = config;
  requireNonNegative(initial, 'cosineDecay.initial');
  requirePositive(decaySteps, 'cosineDecay.decaySteps');
  requireNonNegative(alpha, 'cosineDecay.alpha');
  return readyMade('cosineDecay', config, (step) => {
    const cosine = (1 + Math.cos(Math.PI * Math.min(1, step / decaySteps))) / 2;
    return initial * ((1 - alpha) * cosine + alpha);
  });
}

/** `(initial - end) (1 - t)^power + end` with `t = min(1, step / decaySteps)`; with `cycle`, `decaySteps` is its next multiple */
function polynomialDecay(config: PolynomialDecayConfig): ReadyMadeSchedule {
  requireKeys(config, ['initial', 'decaySteps', 'end', 'power', 'cycle'], 'polynomialDecay');
  const { initial, decaySteps, end = 0.0001, power = 1, cycle = false } = config;
  requireNonNegative(initial, 'polynomialDecay.initial');
  requirePositive(decaySteps, 'polynomialDecay.decaySteps');
  requireNonNegative(end, 'polynomialDecay.end');
  requirePositive(power, 'polynomialDecay.power');
  return readyMade('polynomialDecay', config, (step) => {
    const length = cycle ? decaySteps * Math.max(1, Math.ceil(step / decaySteps)) : decaySteps;
    return (initial - end) * (1 - Math.min(1, step / length)) ** power + end;
  });
}

/** `values[i]` for the first i with `step <= boundaries[i]`, and the last value after all of them */
function piecewiseConstant(config: PiecewiseConstantConfig): ReadyMadeSchedule {
  requireKeys(config, ['boundaries', 'values'], 'piecewiseConstant');
  const boundaries = [...config.boundaries];
  const values = [...config.values];
  boundaries.forEach((boundary, i) => {
    requireNonNegative(boundary, `piecewiseConstant.boundaries[${i}]`);
    if (i > 0 && boundary <= boundaries[i - 1]) {
      refuse(
        `piecewiseConstant.boundaries[${i}] is ${boundary} after ${boundaries[i - 1]}`,
        'give them in ascending order',
      );
    }
  });
  values.forEach((value, i) => requireNonNegative(value, `piecewiseConstant.values[${i}]`));
  if (values.length !== boundaries.length + 1) {
    refuse(
      `piecewiseConstant.values has ${values.length} entries for ${boundaries.length} boundaries`,
      'give one more value than boundaries',
    );
  }
  return readyMade('piecewiseConstant', { boundaries, values }, (step) => {
    const at = boundaries.findIndex((boundary) => step <= boundary);
    return values[at < 0 ? boundaries.length : at];
  });
}

/** Rises linearly from `initial` to the first value of `then` in `steps` steps, then follows `then`. */
function warmup(config: WarmupConfig): ReadyMadeSchedule {
  requireKeys(config, ['steps', 'initial', 'then'], 'warmup');
  const { steps, initial = 0, then } = config;
  requirePositive(steps, 'warmup.steps');
  requireNonNegative(initial, 'warmup.initial');
  requireSchedule(then, 'warmup.then');
  return readyMade('warmup', config, (step) => {
    if (step >= steps) return valueAt(then, step - steps, 'warmup.then');
    return initial + (valueAt(then, 0, 'warmup.then') - initial) * (step / steps);
  });
}

export const schedules = {
  exponentialDecay,
  inverseTimeDecay,
  cosineDecay,
  polynomialDecay,
  piecewiseConstant,
  warmup,
};

function readyMade(
  schedule: keyof typeof schedules,
  config: object,
  value: (step: number) => number,
): ReadyMadeSchedule {
  return Object.assign(value, { config: { schedule, config: { ...config } } });
}

function periods(step: number, decaySteps: number, staircase: boolean): number {
  return staircase ? Math.floor(step / decaySteps) : step / decaySteps;
}

function checkedDecay(name: string, config: DecayScheduleConfig): DecayScheduleConfig {
  requireKeys(config, ['initial', 'decaySteps', 'decayRate', 'staircase'], name);
  requireNonNegative(config.initial, `${name}.initial`);
  requirePositive(config.decaySteps, `${name}.decaySteps`);
  requireNonNegative(config.decayRate, `${name}.decayRate`);
  return config;
}

function refuse(what: string, remedy: string): never {
  throw new NatgradError('ERR_NATGRAD_ARGUMENT', `${what}; ${remedy}.`);
}
