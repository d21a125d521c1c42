import { NatgradError, shown } from '../errors';

/**
 * A number that may change with the step, which is counted from 0: the value during step t is `schedule(t)`.
 */
export type Schedule = number | ((step: number) => number);

/**
 * Checks an option that takes a {@link Schedule}: a constant must be a finite number of at least 0. What a function gives is
 * checked when it is asked.
 *
 * @throws NatgradError ERR_NATGRAD_TYPE if it is neither number nor function, ERR_NATGRAD_ARGUMENT for a constant out of range
 */
export function requireSchedule(schedule: Schedule, argument: string): Schedule {
  if (typeof schedule !== 'number' && typeof schedule !== 'function') {
    throw new NatgradError(
      'ERR_NATGRAD_TYPE',
      `${argument} is ${shown(schedule)}; give a number or a function of the step.`,
    );
  }
  if (typeof schedule === 'number') requireNonNegative(schedule, argument);
  return schedule;
}

/**
 * The value during step `step`, counted from 0.
 *
 * @param argument the option's name, for the message
 * @throws NatgradError ERR_NATGRAD_ARGUMENT if the value is negative or not finite
 */
export function valueAt(schedule: Schedule, step: number, argument: string): number {
  if (typeof schedule === 'number') return schedule;
  const value = schedule(step);
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) {
    throw new NatgradError(
      'ERR_NATGRAD_ARGUMENT',
      `${argument} gave ${shown(value)} at step ${step}; its function must return a finite number of at least 0.`,
    );
  }
  return value;
}

/** @throws NatgradError ERR_NATGRAD_ARGUMENT unless `value` is a finite number of at least 0 */
export function requireNonNegative(value: number, argument: string): number {
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) {
    throw new NatgradError(
      'ERR_NATGRAD_ARGUMENT',
      `${argument} is ${shown(value)}; give a finite number of at least 0.`,
    );
  }
  return value;
}

/** @throws NatgradError ERR_NATGRAD_ARGUMENT unless `value` is a finite number above 0 */
export function requirePositive(value: number, argument: string): number {
  if (typeof value !== 'number' || !Number.isFinite(value) || value <= 0) {
    throw new NatgradError(
      'ERR_NATGRAD_ARGUMENT',
      `${argument} is ${shown(value)}; give a finite number above 0.`,
    );
  }
  return value;
}
