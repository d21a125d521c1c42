import { oneOf, numberFrom } from '../curvature/optionChecks';
import { NatgradError } from '../errors';
import { text } from './options';

/** Which quantity a callback watches, as in `tf.callbacks.earlyStopping`. */
export interface MonitorConfig {
  /** A loss or metric by its name in the logs, such as 'loss', 'acc' or 'val_acc'. Default 'val_loss'. */
  monitor?: string;
  /** Whether it should fall or rise. Default 'auto': rise if its name contains 'acc', else fall. */
  mode?: 'auto' | 'min' | 'max';
  /** What it must change by, at least, to be better: at least 0. */
  minDelta?: number;
}

export const monitorChecks = {
  monitor: text,
  mode: oneOf('auto', 'min', 'max'),
  minDelta: numberFrom(0),
};

/** Remembers the best value of a quantity. */
export class Monitor {
  readonly name: string;
  private readonly sign: 1 | -1;
  private readonly minDelta: number;
  private best: number;

  /** @param baseline what has to be bettered; by default everything is better */
  constructor({ monitor = 'val_loss', mode = 'auto', minDelta = 0 }: MonitorConfig, baseline?: number) {
    this.name = monitor;
    this.sign = mode === 'max' || (mode === 'auto' && monitor.includes('acc')) ? -1 : 1;
    this.minDelta = minDelta;
    this.best = baseline === undefined ? Infinity : this.sign * baseline;
  }

  /** Whether the quantity is better than ever; if so, it is what the next one is compared with. NaN never is. */
  improves(metrics: Record<string, number>): boolean {
    const value = this.sign * this.valueIn(metrics);
    if (!(value < this.best - this.minDelta)) return false;
    this.best = value;
    return true;
  }

  private valueIn(metrics: Record<string, number>): number {
    if (Object.hasOwn(metrics, this.name)) return metrics[this.name];
    const known = Object.keys(metrics).join(', ');
    const remedy = this.name.startsWith('val_') ? 'give validation data, or monitor' : 'monitor';
    throw new NatgradError(
      'ERR_NATGRAD_ARGUMENT',
      `monitor is '${this.name}', which is not among the logs; ${remedy} one of ${known}.`,
    );
  }
}
