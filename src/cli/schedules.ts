import { schedules } from '../step/schedules';

/** Learning rate of every step of a training, from its initial value and the number of steps. */
export const learningRateSchedules = {
  constant: (initial: number) => () => initial,
  linear: (initial: number, steps: number) =>
    schedules.polynomialDecay({ initial, decaySteps: steps, end: 0 }),
  cosine: (initial: number, steps: number) => schedules.cosineDecay({ initial, decaySteps: steps }),
  /** Falls by the same factor each step, to 1/100 at the end. */
  exponential: (initial: number, steps: number) =>
    schedules.exponentialDecay({ initial, decaySteps: steps, decayRate: 0.01 }),
} satisfies Record<string, (initial: number, steps: number) => (step: number) => number>;

export type ScheduleName = keyof typeof learningRateSchedules;
