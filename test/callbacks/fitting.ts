/** A small training in `fit` that callbacks take part in. */
import * as tf from '@tensorflow/tfjs';

import { classifier, examples } from '../support/classifier';

export async function useCpu(): Promise<void> {
  tf.enableProdMode(); // Else tfjs advertises tfjs-node.
  await tf.setBackend('cpu');
}

export function compiled(optimizer: tf.Optimizer | string): tf.Sequential {
  const model = classifier();
  model.compile({ optimizer, loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
  return model;
}

interface Fit {
  epochs?: number;
  initialEpoch?: number;
  validate?: boolean;
}

/** 40 examples in batches of 16: 3 steps per epoch. */
export async function fit(
  model: tf.Sequential,
  callbacks: tf.Callback | tf.Callback[],
  { epochs = 1, initialEpoch = 0, validate = false }: Fit = {},
): Promise<tf.History> {
  const { x, y } = examples(40);
  const validation = examples(8, 9);
  try {
    return await model.fit(x, y, {
      epochs,
      initialEpoch,
      batchSize: 16,
      shuffle: false,
      verbose: 0,
      callbacks,
      ...(validate ? { validationData: [validation.x, validation.y] as [tf.Tensor, tf.Tensor] } : {}),
    });
  } finally {
    tf.dispose([x, y, validation]);
  }
}

/** Tells a callback about epochs with these logs, as `fit` does, without training. */
export async function endEpochs(
  callback: tf.Callback,
  model: tf.LayersModel,
  logs: Record<string, number>[],
  after: (epoch: number) => void = () => {},
): Promise<void> {
  callback.setModel(model);
  callback.setParams({ epochs: logs.length, metrics: Object.keys(logs[0] ?? {}) });
  await callback.onTrainBegin({});
  for (const [epoch, each] of logs.entries()) {
    await callback.onEpochBegin(epoch, {});
    await callback.onEpochEnd(epoch, each);
    after(epoch);
  }
  await callback.onTrainEnd({});
}
