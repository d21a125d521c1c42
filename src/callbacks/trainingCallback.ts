import * as tf from '@tensorflow/tfjs';

/** What tfjs hands to callbacks: numbers, or scalars that belong to whoever trains. */
export type Logs = Parameters<tf.Callback['onEpochEnd']>[1];

/** A callback of `fit` and `fitDataset` that knows how far training is. */
export abstract class TrainingCallback extends tf.Callback {
  /** Steps that the optimizer has taken, also those before this training. */
  protected step = 0;
  /** Counted from 0. */
  protected epoch = 0;

  override onTrainBegin(_logs?: Logs): Promise<void> {
    this.step = this.model.optimizer.iterations;
    return Promise.resolve();
  }

  override onEpochBegin(epoch: number, _logs?: Logs): Promise<void> {
    this.epoch = epoch;
    return Promise.resolve();
  }

  override onBatchEnd(_batch: number, _logs?: Logs): Promise<void> {
    this.step += 1;
    return Promise.resolve();
  }
}

/** Losses and metrics as numbers, without the number of the batch and its size, which tfjs puts among them. */
export async function metricsIn(logs: Logs): Promise<Record<string, number>> {
  const entries = Object.entries(logs ?? {}).filter(([name]) => name !== 'batch' && name !== 'size');
  const values = await Promise.all(
    entries.map(async ([, value]) => (typeof value === 'number' ? value : (await value.data())[0])),
  );
  return Object.fromEntries(entries.map(([name], i) => [name, values[i]]));
}
