import type * as tf from '@tensorflow/tfjs';

import { count, numberFrom, oneOf } from '../curvature/optionChecks';
import { NatgradError, shown } from '../errors';
import { learningRateOf, setLearningRate } from './learningRate';
import { Monitor, monitorChecks, type MonitorConfig } from './monitor';
import { requireOptions } from './options';
import { metricsIn, TrainingCallback, type Logs } from './trainingCallback';

/** Options of {@link reduceLROnPlateau}, with the defaults of tf.keras. */
export interface ReduceLROnPlateauConfig extends MonitorConfig {
  /** What the learning rate is multiplied by, above 0 and below 1. Default 0.1. */
  factor?: number;
  /** Epochs without improvement after which it is reduced. Default 10. */
  patience?: number;
  /** Default 0.0001. */
  minDelta?: number;
  /** Epochs after a reduction in which none is counted as one without improvement. Default 0. */
  cooldown?: number;
  /** What the learning rate does not fall below. Default 0. */
  minLearningRate?: number;
  /** 1 prints a line when the learning rate is reduced. Default 0. */
  verbose?: 0 | 1;
}

class ReduceLROnPlateau extends TrainingCallback {
  private monitor: Monitor;
  private waited = 0;
  private coolingEpochs = 0;

  constructor(
    private readonly config: Required<Omit<ReduceLROnPlateauConfig, 'monitor' | 'mode'>> & MonitorConfig,
  ) {
    super();
    this.monitor = new Monitor(config);
  }

  override async onTrainBegin(): Promise<void> {
    await super.onTrainBegin();
    const { optimizer } = this.model;
    if (typeof (optimizer as { learningRate?: unknown }).learningRate === 'function') {
      throw new NatgradError(
        'ERR_NATGRAD_STATE',
        'The learning rate of the optimizer is a schedule, which reduceLROnPlateau would end; give a number as learningRate, or leave out the callback.',
      );
    }
    learningRateOf(optimizer);
    this.monitor = new Monitor(this.config);
    this.waited = 0;
    this.coolingEpochs = 0;
  }

  override async onEpochEnd(epoch: number, logs?: Logs): Promise<void> {
    if (this.coolingEpochs > 0) {
      this.coolingEpochs -= 1;
      this.waited = 0;
    }
    if (this.monitor.improves(await metricsIn(logs))) {
      this.waited = 0;
    } else if (this.coolingEpochs === 0) {
      this.waited += 1;
      if (this.waited >= this.config.patience) this.reduce(epoch);
    }
  }

  private reduce(epoch: number): void {
    const { factor, minLearningRate, cooldown, verbose } = this.config;
    const { optimizer } = this.model;
    const rate = learningRateOf(optimizer);
    if (rate <= minLearningRate) return;
    const reduced = Math.max(rate * factor, minLearningRate);
    setLearningRate(optimizer, reduced, 'the reduced learning rate');
    this.coolingEpochs = cooldown;
    this.waited = 0;
    if (verbose > 0) {
      console.log(
        `Epoch ${epoch + 1}: ${this.monitor.name} has not improved; the learning rate is ${reduced} now.`,
      );
    }
  }
}

/**
 * Reduces the learning rate of any optimizer when a loss or metric has stopped improving, as the callback of the same name in tf.keras.
 *
 *     await model.fit(x, y, { epochs, validationSplit: 0.1, callbacks: reduceLROnPlateau({ factor: 0.3, patience: 2 }) });
 *
 * @returns a tf.Callback. It throws NatgradError ERR_NATGRAD_ARGUMENT if the logs do not have what it monitors, and ERR_NATGRAD_STATE if the
 *   learning rate of the optimizer is no number.
 * @throws NatgradError ERR_NATGRAD_ARGUMENT or ERR_NATGRAD_TYPE for an unknown option or a value out of range
 */
export function reduceLROnPlateau(config: ReduceLROnPlateauConfig = {}): tf.Callback {
  requireOptions('reduceLROnPlateau', config, {
    ...monitorChecks,
    factor: (value, name) => {
      if (typeof value === 'number' && value > 0 && value < 1) return;
      throw new NatgradError(
        'ERR_NATGRAD_ARGUMENT',
        `${name} is ${shown(value)}; give a number between 0 and 1.`,
      );
    },
    patience: count,
    cooldown: (value, name) => {
      if (value !== 0) count(value, name);
    },
    minLearningRate: numberFrom(0),
    verbose: oneOf(0, 1),
  });
  const defaults = {
    factor: 0.1,
    patience: 10,
    minDelta: 1e-4,
    cooldown: 0,
    minLearningRate: 0,
    verbose: 0,
  } as const;
  const given = Object.entries(config).filter(([, value]) => value !== undefined);
  return new ReduceLROnPlateau({ ...defaults, ...Object.fromEntries(given) });
}
