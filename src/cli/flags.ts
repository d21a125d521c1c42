import { InvalidArgumentError } from 'commander';

import type { BackendName } from './backend';
import type { ModelName } from './models';
import type { ScheduleName } from './schedules';

/** Options that `train` and `compare` share, as commander delivers them. */
export interface TrainingFlags {
  model: ModelName;
  epochs: number;
  batchSize: number;
  learningRate?: number;
  schedule: ScheduleName;
  damping?: number;
  momentum?: number;
  l2?: number;
  seed: number;
  tfBackend?: BackendName;
  accelerate: boolean;
  trainExamples?: number;
  /** Test accuracy, 0 to 1. */
  target: number;
  report?: string;
  json?: true;
  quiet?: true;
}

/** Options of `train` alone. */
export interface TrainFlags extends TrainingFlags {
  optimizer: string;
  log?: string;
  checkpoint?: string;
  resume?: true;
}

function numberThat(is: (value: number) => boolean, description: string): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !is(value)) throw new InvalidArgumentError(`It must be ${description}.`);
    return value;
  };
}

export const count = numberThat(
  (value) => Number.isSafeInteger(value) && value >= 1,
  'a whole number from 1 on',
);
/** Whole numbers separated by commas. */
export function counts(text: string): number[] {
  return text.split(',').map(count);
}

export const seed = numberThat(
  (value) => Number.isSafeInteger(value) && value >= 0,
  'a whole number from 0 on',
);
export const positive = numberThat((value) => Number.isFinite(value) && value > 0, 'a number above 0');
export const fraction = numberThat((value) => value >= 0 && value < 1, 'a number from 0 up to, but not, 1');

const percentage = numberThat((value) => value >= 0 && value <= 100, 'a percentage');

/** A percentage as a share of 1. */
export function share(text: string): number {
  return percentage(text) / 100;
}
