import { NatgradError } from '../errors';
import type { Schedule } from './schedule';
import { valueAt } from './schedule';
import { schedules, type ReadyMadeSchedule, type ScheduleConfig } from './schedules';

/**
 * A schedule as JSON, for an optimizer's configuration: a number as it is, a ready-made schedule by name. A function of the user's own
 * has no such form; its value at `step` takes its place, and a warning says so.
 */
export function saveSchedule(schedule: Schedule, step: number, argument: string): number | ScheduleConfig {
  const saved = toConfig(schedule);
  if (saved !== null) return saved;
  const value = valueAt(schedule, step, argument);
  console.warn(
    `natgrad: ${argument} is a function, which cannot be saved; ${value}, its value at step ${step}, is saved instead. ` +
      'Use one of the ready-made schedules, or set it again after loading.',
  );
  return value;
}

/**
 * The schedule that `saveSchedule` saved.
 *
 * @throws NatgradError ERR_NATGRAD_ARGUMENT for an unknown schedule, or what the schedule itself throws
 */
export function restoreSchedule(saved: unknown, argument: string): Schedule {
  if (typeof saved !== 'object' || saved === null) return saved as Schedule;
  const { schedule, config } = saved as Partial<ScheduleConfig>;
  if (schedule === undefined || config === undefined || !Object.hasOwn(schedules, schedule)) {
    throw new NatgradError(
      'ERR_NATGRAD_ARGUMENT',
      `${argument} names the schedule '${String(schedule)}'; known are ${Object.keys(schedules).join(', ')}.`,
    );
  }
  const nested =
    'then' in config ? { ...config, then: restoreSchedule(config.then, `${argument}.then`) } : config;
  return (schedules[schedule] as (config: object) => ReadyMadeSchedule)(nested);
}

function toConfig(schedule: Schedule): number | ScheduleConfig | null {
  if (typeof schedule === 'number') return schedule;
  if (!isReadyMade(schedule)) return null;
  const { schedule: name, config } = schedule.config;
  if (!('then' in config)) return { schedule: name, config };
  const then = toConfig(config.then as Schedule);
  return then === null ? null : { schedule: name, config: { ...config, then } };
}

/** Whether a schedule was made by one of `schedules`. */
export function isReadyMade(schedule: unknown): schedule is ReadyMadeSchedule {
  return typeof schedule === 'function' && 'config' in schedule;
}
