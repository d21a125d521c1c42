import * as tf from '@tensorflow/tfjs';

import { setLearningRate } from '../callbacks/learningRate';
import type { Dataset, Examples } from './dataset';
import { shuffledOrder } from './shuffle';

export interface TrainingOptions {
  dataset: Dataset;
  /** A classifier of [batch, height, width, 1] images with softmax output, not compiled yet; its weights are trained in place. */
  model: tf.LayersModel;
  optimizer: tf.Optimizer;
  epochs: number;
  batchSize: number;
  /** Decides the order of the examples, which is new in every epoch. */
  seed: number;
  /** The learning rate at each step, from 0 on; default: what the optimizer has. */
  learningRate?: (step: number) => number;
  /** Where training is saved after every epoch, and may go on from. */
  checkpoint?: TrainingCheckpoint;
  onStep?: (progress: StepProgress) => void;
  onEpoch?: (progress: EpochProgress) => void;
}

/** What training leaves behind to go on from. */
export interface TrainingSoFar {
  epochs: EpochResult[];
  /** As in {@link TrainingResult}. */
  stepLosses: ArrayLike<number>;
  stepSeconds: ArrayLike<number>;
}

export interface TrainingCheckpoint {
  /** Gives a compiled model the weights and the optimizer's state that were saved; null if training is to begin. */
  restore(model: tf.LayersModel): Promise<TrainingSoFar | null>;
  save(model: tf.LayersModel, soFar: TrainingSoFar): Promise<void>;
}

export interface StepProgress {
  /** Steps done, and to be done in all. */
  step: number;
  steps: number;
  /** The epoch that the step is part of, counted from 0. */
  epoch: number;
  loss: number;
  msPerStep: number;
  optimizer: tf.Optimizer;
}

export interface EpochProgress {
  /** Steps done. */
  step: number;
  /** Counted from 0, and how many there are to be. */
  epoch: number;
  epochs: number;
  result: EpochResult;
  optimizer: tf.Optimizer;
}

export interface EpochResult {
  /** Mean loss of the epoch's examples, each taken before the step it was part of. */
  trainLoss: number;
  testLoss: number;
  /** Share of the test examples that are classified rightly, 0 to 1. */
  testAccuracy: number;
  /** Training time since the start, without evaluation. */
  seconds: number;
}

export interface TrainingResult {
  epochs: EpochResult[];
  /** Mean training time of a step, without evaluation. */
  msPerStep: number;
  /** Loss of each step's batch before the step, and training time since the start after it. */
  stepLosses: Float64Array;
  stepSeconds: Float64Array;
  /** True when training was stopped because the loss was no longer a finite number. */
  diverged: boolean;
}

/**
 * Trains a classifier on the mean cross entropy of mini-batches, with `model.trainOnBatch`, and evaluates it after every epoch. The
 * last batch of an epoch may be smaller. Pixels are scaled to 0 ... 1.
 *
 * @throws what the optimizer throws.
 */
export async function train(options: TrainingOptions): Promise<TrainingResult> {
  const { dataset, model, optimizer, batchSize } = options;
  model.compile({ optimizer, loss: 'categoricalCrossentropy' });
  const stepsPerEpoch = Math.ceil(dataset.train.count / batchSize);
  const steps = options.epochs * stepsPerEpoch;
  const stepLosses = new Float64Array(steps);
  const stepSeconds = new Float64Array(steps);
  const soFar = (await options.checkpoint?.restore(model)) ?? { epochs: [], stepLosses: [], stepSeconds: [] };
  const epochs = soFar.epochs.slice(0, options.epochs);
  let step = epochs.length * stepsPerEpoch;
  stepLosses.set(Array.from(soFar.stepLosses).slice(0, step));
  stepSeconds.set(Array.from(soFar.stepSeconds).slice(0, step));
  let milliseconds = 1000 * (epochs.at(-1)?.seconds ?? 0);
  let diverged = false;

  for (let epoch = epochs.length; epoch < options.epochs && !diverged; epoch++) {
    const order = shuffledOrder(dataset.train.count, options.seed, epoch);
    let lossSum = 0;
    for (let begin = 0; begin < order.length && !diverged; begin += batchSize) {
      const chosen = order.subarray(begin, begin + batchSize);
      if (options.learningRate !== undefined)
        setLearningRate(optimizer, options.learningRate(step), 'learningRate');
      const start = performance.now();
      const loss = await trainStep(model, dataset, chosen);
      milliseconds += performance.now() - start;
      lossSum += loss * chosen.length;
      stepLosses[step] = loss;
      stepSeconds[step] = milliseconds / 1000;
      step += 1;
      diverged = !Number.isFinite(loss);
      options.onStep?.({ step, steps, epoch, loss, msPerStep: milliseconds / step, optimizer });
    }
    const result = {
      trainLoss: lossSum / order.length,
      ...evaluate(model, dataset),
      seconds: milliseconds / 1000,
    };
    epochs.push(result);
    options.onEpoch?.({ step, epoch, epochs: options.epochs, result, optimizer });
    if (!diverged) {
      const [losses, seconds] = [stepLosses, stepSeconds].map((values) => values.subarray(0, step));
      await options.checkpoint?.save(model, { epochs, stepLosses: losses, stepSeconds: seconds });
    }
  }
  return {
    epochs,
    msPerStep: milliseconds / step,
    stepLosses: stepLosses.subarray(0, step),
    stepSeconds: stepSeconds.subarray(0, step),
    diverged,
  };
}

/** Takes at most `count` steps, for their effect on the caches and compilers of the machine only. */
export async function warmUp(
  {
    dataset,
    model,
    optimizer,
    batchSize,
  }: Pick<TrainingOptions, 'dataset' | 'model' | 'optimizer' | 'batchSize'>,
  count: number,
): Promise<void> {
  model.compile({ optimizer, loss: 'categoricalCrossentropy' });
  const chosen = Uint32Array.from({ length: Math.min(batchSize, dataset.train.count) }, (_, i) => i);
  for (let step = 0; step < count; step++) await trainStep(model, dataset, chosen);
}

/**
 * Mean cross entropy and accuracy of a softmax classifier on the test examples, computed in batches.
 */
export function evaluate(
  model: tf.LayersModel,
  dataset: Dataset,
  batchSize = 500,
): { testLoss: number; testAccuracy: number } {
  const { test, classes } = dataset;
  const smallest = 1e-7; // The clipping of tfjs's own categoricalCrossentropy.
  let lossSum = 0;
  let right = 0;
  for (let begin = 0; begin < test.count; begin += batchSize) {
    const chosen = Uint32Array.from({ length: Math.min(batchSize, test.count - begin) }, (_, i) => begin + i);
    const probabilities = tf.tidy(() => {
      const output = model.predictOnBatch(imageBatch(test, chosen, dataset)) as tf.Tensor;
      return output.dataSync();
    });
    chosen.forEach((example, row) => {
      const ofRow = probabilities.subarray(row * classes, (row + 1) * classes);
      const label = test.labels[example];
      lossSum -= Math.log(Math.max(ofRow[label], smallest));
      if (ofRow[label] === Math.max(...ofRow)) right += 1;
    });
  }
  return { testLoss: lossSum / test.count, testAccuracy: right / test.count };
}

/** The loss before the step. */
async function trainStep(model: tf.LayersModel, dataset: Dataset, chosen: Uint32Array): Promise<number> {
  const images = imageBatch(dataset.train, chosen, dataset);
  const labels = labelBatch(dataset.train, chosen, dataset.classes);
  try {
    return (await model.trainOnBatch(images, labels)) as number;
  } finally {
    tf.dispose([images, labels]);
  }
}

function imageBatch(examples: Examples, chosen: Uint32Array, { height, width }: Dataset): tf.Tensor4D {
  const pixels = height * width;
  const values = new Float32Array(chosen.length * pixels);
  chosen.forEach((example, row) => {
    for (let i = 0; i < pixels; i++) values[row * pixels + i] = examples.images[example * pixels + i] / 255;
  });
  return tf.tensor4d(values, [chosen.length, height, width, 1]);
}

function labelBatch(examples: Examples, chosen: Uint32Array, classes: number): tf.Tensor2D {
  const values = new Float32Array(chosen.length * classes);
  chosen.forEach((example, row) => {
    values[row * classes + examples.labels[example]] = 1;
  });
  return tf.tensor2d(values, [chosen.length, classes]);
}
