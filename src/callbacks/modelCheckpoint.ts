import type * as tf from '@tensorflow/tfjs';

import { count, oneOf } from '../curvature/optionChecks';
import { NatgradError, shown } from '../errors';
import { saveModel } from '../saving/index';
import { Monitor, monitorChecks, type MonitorConfig } from './monitor';
import { requireOptions, text } from './options';
import { metricsIn, TrainingCallback, type Logs } from './trainingCallback';

/** Where in its training a model is when it is saved. The metadata of the saved model have it as `checkpoint`. */
export interface CheckpointMoment {
  /** Epochs that are over: the `initialEpoch` of a training that goes on from here. */
  epoch: number;
  /** Steps that the optimizer has taken. */
  step: number;
  /** Losses and metrics of the epoch, or of the last step with `everySteps`. */
  logs: Record<string, number>;
}

/** Options of {@link modelCheckpoint}. */
export interface ModelCheckpointConfig extends Omit<MonitorConfig, 'minDelta'> {
  /**
   * The folder to save to, where each checkpoint takes the place of the one before; or a function of the moment, which keeps those in
   * different folders: `({ epoch }) => 'checkpoints/' + epoch`.
   */
  path: string | ((moment: CheckpointMoment) => string);
  /** Save only after epochs in which `monitor` was better than ever. Default false. */
  saveBestOnly?: boolean;
  /** What `monitor` must better before anything is saved, with `saveBestOnly`. Default: the first epoch does. */
  baseline?: number;
  /** Whether the state of the optimizer is saved too, so that training can go on. Default true. */
  includeOptimizer?: boolean;
  /** Save after every n-th epoch. Default 1. */
  everyEpochs?: number;
  /** Save after every n-th step instead. */
  everySteps?: number;
}

class ModelCheckpoint extends TrainingCallback {
  private monitor: Monitor;

  constructor(private readonly config: ModelCheckpointConfig) {
    super();
    this.monitor = new Monitor(config, config.baseline);
  }

  override async onTrainBegin(): Promise<void> {
    await super.onTrainBegin();
    this.monitor = new Monitor(this.config, this.config.baseline);
  }

  override async onBatchEnd(batch: number, logs?: Logs): Promise<void> {
    await super.onBatchEnd(batch, logs);
    const { everySteps } = this.config;
    if (everySteps === undefined || this.step % everySteps !== 0) return;
    await this.save({ epoch: this.epoch, step: this.step, logs: await metricsIn(logs) });
  }

  override async onEpochEnd(epoch: number, logs?: Logs): Promise<void> {
    const { everySteps, everyEpochs = 1, saveBestOnly = false } = this.config;
    if (everySteps !== undefined) return;
    const metrics = await metricsIn(logs);
    const better = !saveBestOnly || this.monitor.improves(metrics);
    if (!better || (epoch + 1) % everyEpochs !== 0) return;
    await this.save({ epoch: epoch + 1, step: this.step, logs: metrics });
  }

  private async save(checkpoint: CheckpointMoment): Promise<void> {
    const { path: location, includeOptimizer = true } = this.config;
    const folder = typeof location === 'string' ? location : location(checkpoint);
    await saveModel(this.model, folder, { includeOptimizer, metadata: { checkpoint } });
  }
}

/**
 * Saves the model while it trains in `fit` or `fitDataset`, with the state of any optimizer, see {@link saveModel}. A process that is killed
 * in the middle of it leaves the checkpoint before as it was.
 *
 *     await model.fit(x, y, { epochs, callbacks: modelCheckpoint({ path: 'checkpoint' }) });
 *
 *     const model = await tf.loadLayersModel(fileHandler('checkpoint'));
 *     const { checkpoint } = model.getUserDefinedMetadata();
 *     await model.fit(x, y, { epochs, initialEpoch: checkpoint.epoch });
 *
 * @returns a tf.Callback. It throws NatgradError ERR_NATGRAD_ARGUMENT if the folder cannot be written, or if the logs do not have what it
 *   monitors.
 * @throws NatgradError ERR_NATGRAD_ARGUMENT or ERR_NATGRAD_TYPE for an unknown option, a value out of range or options without effect
 */
export function modelCheckpoint(config: ModelCheckpointConfig): tf.Callback {
  requireOptions('modelCheckpoint', config, {
    monitor: monitorChecks.monitor,
    mode: monitorChecks.mode,
    path: requirePath,
    saveBestOnly: oneOf(true, false),
    baseline: (value, name) => {
      if (Number.isFinite(value)) return;
      throw new NatgradError('ERR_NATGRAD_TYPE', `${name} is ${shown(value)}; give a finite number.`);
    },
    includeOptimizer: oneOf(true, false),
    everyEpochs: count,
    everySteps: count,
  });
  const { saveBestOnly = false, everySteps, everyEpochs } = config;
  requirePath(config.path, 'modelCheckpoint.path');
  if (everySteps !== undefined && everyEpochs !== undefined) refuse('everyEpochs', 'with everySteps');
  if (everySteps !== undefined && saveBestOnly)
    refuse('everySteps', 'with saveBestOnly, which compares epochs');
  if (!saveBestOnly) {
    const useless = (['monitor', 'mode', 'baseline'] as const).find((key) => config[key] !== undefined);
    if (useless !== undefined) refuse(useless, 'without saveBestOnly: true');
  }
  return new ModelCheckpoint(config);
}

function requirePath(value: unknown, name: string): void {
  if (typeof value !== 'function') text(value, name);
}

function refuse(option: string, where: string): never {
  throw new NatgradError(
    'ERR_NATGRAD_ARGUMENT',
    `modelCheckpoint.${option} has no effect ${where}; leave one of them out.`,
  );
}
