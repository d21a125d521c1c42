import type * as tf from '@tensorflow/tfjs';

import { NatgradError, shown } from '../errors';
import { isReadyMade } from '../step/scheduleConfig';
import type { ReadyMadeSchedule } from '../step/schedules';
import { learningRateOf, setLearningRate } from './learningRate';
import { TrainingCallback } from './trainingCallback';

/** The learning rate of an epoch, counted from 0, from the one before it, as tf.keras has it. */
export type EpochSchedule = (epoch: number, learningRate: number) => number;

class LearningRateScheduler extends TrainingCallback {
  constructor(private readonly schedule: ReadyMadeSchedule | EpochSchedule) {
    super();
  }

  override async onEpochBegin(epoch: number): Promise<void> {
    await super.onEpochBegin(epoch);
    const { schedule } = this;
    if (isReadyMade(schedule)) return;
    const { optimizer } = this.model;
    const next = schedule(epoch, learningRateOf(optimizer));
    setLearningRate(optimizer, next, `what the schedule of learningRateScheduler gave for epoch ${epoch}`);
  }

  override onBatchBegin(): Promise<void> {
    if (isReadyMade(this.schedule)) {
      setLearningRate(
        this.model.optimizer,
        this.schedule(this.step),
        `the learning rate of step ${this.step}`,
      );
    }
    return Promise.resolve();
  }
}

/**
 * Sets the learning rate of any optimizer while it trains in `fit` or `fitDataset`.
 *
 *     learningRateScheduler((epoch, learningRate) => (epoch < 10 ? learningRate : learningRate * 0.9))
 *     learningRateScheduler(schedules.cosineDecay({ initial: 0.1, decaySteps: 2000 }))
 *
 * An optimizer of natgrad takes schedules also by itself, as `learningRate`, and is then saved with them.
 *
 * @param schedule a function of the epoch, counted from 0, and of the learning rate so far, called before every epoch; or one of `schedules`,
 *   called before every step with the number of steps that the optimizer has taken
 * @returns a tf.Callback. It throws NatgradError ERR_NATGRAD_ARGUMENT if the schedule gives no finite number of at least 0, and
 *   ERR_NATGRAD_STATE if the optimizer has no learning rate that can be set.
 * @throws NatgradError ERR_NATGRAD_TYPE if the schedule is no function
 */
export function learningRateScheduler(schedule: ReadyMadeSchedule | EpochSchedule): tf.Callback {
  if (typeof schedule !== 'function') {
    throw new NatgradError(
      'ERR_NATGRAD_TYPE',
      `schedule is ${shown(schedule)}; give a function (epoch, learningRate) => learningRate or one of schedules.`,
    );
  }
  return new LearningRateScheduler(schedule);
}
