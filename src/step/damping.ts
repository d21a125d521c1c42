import { LevenbergMarquardt, type LevenbergMarquardtOptions } from './levenbergMarquardt';
import { requireSchedule, valueAt, type Schedule } from './schedule';
import { SearchedDamping, type SearchedDampingOptions } from './searchedDamping';

/** What the public option `damping` takes: a value, a schedule, or the rule that adapts it. */
export type DampingOption = Schedule | LevenbergMarquardtOptions;

/** A damping that does not depend on how training goes. */
export class ScheduledDamping {
  private readonly schedule: Schedule;

  /** @throws NatgradError ERR_NATGRAD_TYPE or ERR_NATGRAD_ARGUMENT unless it is a number of at least 0 or a function */
  constructor(
    schedule: Schedule,
    private readonly option = 'damping',
  ) {
    this.schedule = requireSchedule(schedule, option);
  }

  /** The damping lambda during step `step`, counted from 0. */
  value(step: number): number {
    return valueAt(this.schedule, step, this.option);
  }
}

/** Where the damping lambda of a step comes from; only a `LevenbergMarquardt` wants to see how the steps turned out. */
export type Damping = ScheduledDamping | LevenbergMarquardt;

/** @throws NatgradError ERR_NATGRAD_TYPE or ERR_NATGRAD_ARGUMENT for anything `damping` does not take */
export function createDamping(option: DampingOption): Damping {
  return typeof option === 'object' && option !== null
    ? new LevenbergMarquardt(option)
    : new ScheduledDamping(option);
}

/** What the curvature is inverted with, where that is not the damping lambda; null where it is. */
export type PreconditionerDamping = ScheduledDamping | SearchedDamping | null;

/** @throws NatgradError ERR_NATGRAD_TYPE or ERR_NATGRAD_ARGUMENT for anything `preconditionerDamping` does not take */
export function createPreconditionerDamping(
  option: Schedule | SearchedDampingOptions | null,
): PreconditionerDamping {
  if (option === null) return null;
  return typeof option === 'object'
    ? new SearchedDamping(option)
    : new ScheduledDamping(option, 'preconditionerDamping');
}
