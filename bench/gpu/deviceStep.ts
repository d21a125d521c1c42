import * as tf from '@tensorflow/tfjs';

import { kfac } from '../../src';
import { timeRatio, time, type Section } from '../figures';
import { asynchronous, interleave, type Effort } from '../interleave';

const batchSize = 128;
const classes = 10;

/** Steps in one burst; two refreshes of the inverses fall into it. */
const blockSteps = 20;

const optimizers: Record<string, () => tf.Optimizer> = {
  adam: () => tf.train.adam(0.001),
  'kfac cpu': () => kfac({ backend: 'cpu' }),
  'kfac cuda': () => kfac({ backend: 'cuda' }),
  'kfac cuda tf32': () => kfac({ backend: { name: 'cuda', precision: 'tf32' } }),
};

/** A training step of a network with three hidden layers of so many units, curvature on the device and on the processor. */
export async function deviceStep(units: number, effort: Effort): Promise<Section> {
  const images = tf.randomUniform([batchSize, units], 0, 1, 'float32', 1);
  const labels = tf
    .oneHot(tf.range(0, batchSize, 1, 'int32').mod(tf.scalar(classes, 'int32')), classes)
    .toFloat();
  const trainees = Object.entries(optimizers).map(([name, create]) => {
    const model = network(units);
    model.compile({ optimizer: create(), loss: 'categoricalCrossentropy' });
    return { name, model };
  });
  const train = async (model: tf.LayersModel) => {
    for (let step = 0; step < blockSteps; step++) await model.trainOnBatch(images, labels);
  };
  try {
    for (const { model } of trainees) await train(model);
    const measured = await interleave(
      trainees.map(({ name, model }) => asynchronous(name, blockSteps, () => train(model))),
      effort,
    );
    const rows = measured.map((measurement) => ({
      case: measurement.name,
      figures: { step: time(measurement), 'of adam': timeRatio(measurement, measured[0]) },
    }));
    return { title: `step, ${tf.getBackend()}, 3 hidden layers of ${units}, batch ${batchSize}`, rows };
  } finally {
    for (const { model } of trainees) {
      model.optimizer.dispose();
      model.dispose();
    }
    tf.dispose([images, labels]);
  }
}

function network(units: number): tf.LayersModel {
  const dense = (seed: number) =>
    tf.layers.dense({
      units,
      activation: 'relu',
      kernelInitializer: tf.initializers.glorotUniform({ seed }),
      ...(seed === 1 && { inputShape: [units] }),
    });
  const output = tf.layers.dense({
    units: classes,
    activation: 'softmax',
    kernelInitializer: tf.initializers.glorotUniform({ seed: 4 }),
  });
  return tf.sequential({ layers: [dense(1), dense(2), dense(3), output] });
}
