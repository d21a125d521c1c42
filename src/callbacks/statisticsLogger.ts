import type * as tf from '@tensorflow/tfjs';

import { count, oneOf } from '../curvature/optionChecks';
import { NatgradError } from '../errors';
import { formatOf, logFile, type LogFile, type LogFormat, type Row } from './logFile';
import { requireOptions, text } from './options';
import { statisticsOf } from './statistics';
import { tensorBoardLog } from './tensorBoard';
import { metricsIn, TrainingCallback, type Logs } from './trainingCallback';

/** Options of {@link statisticsLogger}. */
export interface StatisticsLoggerConfig {
  /** The file to write, or the folder of event files with 'tensorBoard'. Folders are made. */
  path: string;
  /**
   * 'csv'; 'jsonLines': an object per line; 'tensorBoard': event files, for which @tensorflow/tfjs-node must be the backend. Default:
   * what the name of the file tells, .csv, .jsonl or .ndjson.
   */
  format?: LogFormat | 'tensorBoard';
  /** A row after every n-th step. Default 1. */
  every?: number;
  /** Go on with the table that is in the file, without its rows of steps that are still to be taken. Default false: begin anew. */
  append?: boolean;
}

class StatisticsLogger extends TrainingCallback {
  private log: LogFile | null = null;
  private begun = 0;

  constructor(private readonly config: StatisticsLoggerConfig & { format: LogFormat | 'tensorBoard' }) {
    super();
  }

  override async onTrainBegin(): Promise<void> {
    await super.onTrainBegin();
    this.log = null;
    this.begun = this.step;
  }

  override async onBatchEnd(batch: number, logs?: Logs): Promise<void> {
    await super.onBatchEnd(batch, logs);
    // Before a step an optimizer does not tell everything that it will.
    this.log ??= this.open();
    if (this.step % (this.config.every ?? 1) !== 0) return;
    this.write({ ...(await metricsIn(logs)), ...statisticsOf(this.model.optimizer) });
  }

  override async onEpochEnd(_epoch: number, logs?: Logs): Promise<void> {
    const metrics = Object.entries(await metricsIn(logs));
    const validation = metrics.filter(([name]) => name.startsWith('val_'));
    if (validation.length > 0) this.write(Object.fromEntries(validation));
  }

  private open(): LogFile {
    const { path, format, append = false } = this.config;
    if (format === 'tensorBoard') return tensorBoardLog(path);
    const metrics = this.params.metrics as string[];
    const columns = ['step', 'epoch', ...metrics, ...Object.keys(statisticsOf(this.model.optimizer))];
    return logFile(path, format, columns, append ? this.begun : undefined);
  }

  private write(values: Row): void {
    this.log?.write({ step: this.step, epoch: this.epoch, ...values });
  }
}

/**
 * Writes a table of the training, a row per step: `step` (steps taken) and `epoch` (from 0), loss and metrics of the batch before the step, and
 * what `optimizer.stats()` tells, numbers in milliseconds under `milliseconds.gradients` and `milliseconds.update`. Of other optimizers it
 * has the learning rate, if there is one. After an epoch with validation a row of its own has the `val_` metrics.
 *
 *     await model.fit(x, y, { epochs, callbacks: statisticsLogger({ path: 'training.csv', every: 10 }) });
 *
 * A row is in the file as soon as its step is over. What is not finite is empty in CSV, null in JSON and no point in TensorBoard.
 *
 * @returns a tf.Callback. In the first step it throws NatgradError ERR_NATGRAD_ARGUMENT if the file cannot be written, or gone on with, and
 *   ERR_NATGRAD_BACKEND for 'tensorBoard' on another backend than that of tfjs-node.
 * @throws NatgradError ERR_NATGRAD_ARGUMENT or ERR_NATGRAD_TYPE for an unknown option or a bad value
 */
export function statisticsLogger(config: StatisticsLoggerConfig): tf.Callback {
  requireOptions('statisticsLogger', config, {
    path: text,
    format: oneOf('csv', 'jsonLines', 'tensorBoard'),
    every: count,
    append: oneOf(true, false),
  });
  text(config.path, 'statisticsLogger.path');
  const format = config.format ?? formatOf(config.path);
  if (format === undefined) {
    throw new NatgradError(
      'ERR_NATGRAD_ARGUMENT',
      `statisticsLogger.path is '${config.path}', which tells no format; end it in .csv or .jsonl, or give format.`,
    );
  }
  return new StatisticsLogger({ ...config, format });
}
