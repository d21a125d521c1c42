import type * as tf from '@tensorflow/tfjs';

import { NatgradError, shown } from '../errors';
import { requireOptions } from './options';
import { progressDisplay, type Output, type ProgressDisplay } from './progressDisplay';
import { statisticsOf } from './statistics';
import { metricsIn, TrainingCallback, type Logs } from './trainingCallback';

/** Options of {@link progressBar}. */
export interface ProgressBarConfig {
  /** Where it is drawn; a bar on a terminal, else a line per epoch. Default process.stderr. */
  stream?: NodeJS.WritableStream;
}

/** Losses of single batches are mostly noise: what is shown is their moving average over about 50 steps. */
const SMOOTHING = 0.98;

class ProgressBar extends TrainingCallback {
  private display: ProgressDisplay | null = null;
  private readonly smooth = new Map<string, number>();
  private begun = 0;
  private stepsDone = 0;
  /** Null as long as it is not known: in the first epoch of a data set that does not tell its size. */
  private stepsPerEpoch: number | null = null;

  constructor(private readonly output: Output) {
    super();
  }

  override async onTrainBegin(): Promise<void> {
    await super.onTrainBegin();
    this.display = progressDisplay(this.output);
    this.begun = performance.now();
    this.smooth.clear();
    this.stepsDone = 0;
    this.stepsPerEpoch = this.knownStepsPerEpoch();
  }

  override async onBatchEnd(batch: number, logs?: Logs): Promise<void> {
    await super.onBatchEnd(batch, logs);
    this.stepsDone += 1;
    for (const [name, value] of Object.entries(await metricsIn(logs))) {
      const before = this.smooth.get(name) ?? value;
      this.smooth.set(name, SMOOTHING * before + (1 - SMOOTHING) * value);
    }
    const seconds = (performance.now() - this.begun) / 1000;
    this.display?.show({
      step: this.stepsDone,
      steps: this.stepsInAll(),
      values: {
        epoch: this.epochText(),
        ...asText(Object.fromEntries(this.smooth)),
        ...this.dampingText(),
        'ms/step': ((1000 * seconds) / this.stepsDone).toFixed(1),
      },
      seconds,
    });
  }

  override async onEpochEnd(_epoch: number, logs?: Logs): Promise<void> {
    this.stepsPerEpoch ??= this.stepsDone;
    // tfjs puts those of validation first.
    const metrics = Object.entries(await metricsIn(logs));
    const isValidation = ([name]: [string, number]) => name.startsWith('val_');
    const ordered = [...metrics.filter((each) => !isValidation(each)), ...metrics.filter(isValidation)];
    const values = { ...asText(Object.fromEntries(ordered)), ...this.dampingText() };
    this.display?.finishEpoch(`epoch ${this.epochText()}`, values);
  }

  override onTrainEnd(): Promise<void> {
    this.display?.stop();
    return Promise.resolve();
  }

  private epochText(): string {
    return `${this.epoch + 1}/${Number(this.params.epochs)}`;
  }

  private dampingText(): Record<string, string> {
    const { damping } = statisticsOf(this.model.optimizer);
    return typeof damping === 'number' ? asText({ damping }) : {};
  }

  private stepsInAll(): number | null {
    const { epochs, initialEpoch } = this.params as Record<string, number | null>;
    return this.stepsPerEpoch === null ? null : (epochs! - (initialEpoch ?? 0)) * this.stepsPerEpoch;
  }

  private knownStepsPerEpoch(): number | null {
    const { steps, samples, batchSize } = this.params as Record<string, number | null>;
    return steps ?? (samples != null && batchSize != null ? Math.ceil(samples / batchSize) : null);
  }
}

function asText(values: Record<string, number>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, String(Number(value.toPrecision(4)))]),
  );
}

/**
 * Shows how training in `fit` or `fitDataset` goes on: epoch, loss and metrics (a moving average), damping, milliseconds per step and the time
 * that remains. On a terminal it is a bar, without colours if NO_COLOR is set; elsewhere, as in a file, a plain line per epoch.
 *
 *     await model.fit(x, y, { epochs, verbose: 0, callbacks: progressBar() });
 *
 * `verbose: 0` keeps the bar of tfjs-node away.
 *
 * @returns a tf.Callback
 * @throws NatgradError ERR_NATGRAD_ARGUMENT or ERR_NATGRAD_TYPE for an unknown option or a stream that cannot be written to
 */
export function progressBar(config: ProgressBarConfig = {}): tf.Callback {
  requireOptions('progressBar', config, {
    stream: (value, name) => {
      if (typeof (value as NodeJS.WritableStream | null)?.write === 'function') return;
      throw new NatgradError('ERR_NATGRAD_TYPE', `${name} is ${shown(value)}; give a writable stream.`);
    },
  });
  return new ProgressBar(config.stream ?? process.stderr);
}
