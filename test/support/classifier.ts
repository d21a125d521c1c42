/** A small classifier and batches for it, to see a whole optimizer at work. */
import * as tf from '@tensorflow/tfjs';

import { NaturalGradientOptimizer } from '../../src';
import { randomInputs } from './denseNet';

export interface ClassifierOptions {
  /** Units of the hidden layers. Default [6]. */
  hidden?: number[];
  activation?: 'relu' | 'tanh';
  /** Bias of the first hidden layer; far below zero it makes rectifiers dead. */
  firstBias?: number;
}

/** 4 inputs, hidden layers, 3 classes; always the same initial weights. */
export function classifier({
  hidden = [6],
  activation = 'tanh',
  firstBias = 0,
}: ClassifierOptions = {}): tf.Sequential {
  const model = tf.sequential();
  [...hidden, 3].forEach((units, i) => {
    const isLast = i === hidden.length;
    const layer = tf.layers.dense({
      units,
      activation: isLast ? 'softmax' : activation,
      ...(i === 0 ? { inputShape: [4] } : {}),
      kernelInitializer: tf.initializers.glorotUniform({ seed: i + 1 }),
      biasInitializer: tf.initializers.constant({ value: i === 0 && !isLast ? firstBias : 0 }),
    });
    model.add(layer);
  });
  return model;
}

/** Inputs with labels that a network can learn: the class is the largest of three fixed linear functions. */
export function examples(rows: number, seed = 3): { x: tf.Tensor2D; y: tf.Tensor2D; labels: number[] } {
  const values = Float32Array.from(randomInputs(rows, 4, seed));
  const labels = Array.from({ length: rows }, (_, r) => {
    const [a, b, c, d] = values.subarray(4 * r, 4 * r + 4);
    const scores = [a + b, c - a, d - b];
    return scores.indexOf(Math.max(...scores));
  });
  const y = tf.tidy(() => tf.oneHot(tf.tensor1d(labels, 'int32'), 3).toFloat() as tf.Tensor2D);
  return { x: tf.tensor2d(values, [rows, 4]), y, labels };
}

export function weightsOf(model: tf.LayersModel): Float32Array[] {
  return model.getWeights().map((weight) => weight.dataSync<'float32'>().slice());
}

export function isFinite(model: tf.LayersModel): boolean {
  return weightsOf(model).every((values) => values.every(Number.isFinite));
}

/** Trains on a new batch of `rows` in every step. Returns the losses before each. */
export async function trainSteps(
  model: tf.Sequential,
  steps: number,
  from = 0,
  rows = 16,
): Promise<number[]> {
  const losses: number[] = [];
  for (let step = from; step < from + steps; step++) {
    const { x, y } = examples(rows, 100 + step);
    const loss = (await model.trainOnBatch(x, y)) as number;
    losses.push(loss);
    tf.dispose([x, y]);
  }
  return losses;
}

/** A model as it comes back from storage, with its optimizer. */
export async function reloaded(model: tf.Sequential): Promise<tf.Sequential> {
  let artifacts: tf.io.ModelArtifacts | undefined;
  const save = tf.io.withSaveHandler((saved) => {
    artifacts = saved;
    return Promise.resolve({ modelArtifactsInfo: tf.io.getModelArtifactsInfoForJSON(saved) });
  });
  await model.save(save, { includeOptimizer: true });
  const loaded = (await tf.loadLayersModel(tf.io.fromMemory(artifacts!))) as tf.Sequential;
  expect(loaded.optimizer).toBeInstanceOf(NaturalGradientOptimizer);
  return loaded;
}

/** What an optimizer would save, without the counts of steps that were taken and skipped. */
export async function stateOf(optimizer: NaturalGradientOptimizer): Promise<[string, number[]][]> {
  const weights = await optimizer.getWeights();
  const state = weights.map(({ name, tensor }): [string, number[]] => [name, [...tensor.dataSync()]]);
  tf.dispose(weights.map(({ tensor }) => tensor));
  return state.filter(([name]) => name !== 'iter' && name !== 'skippedSteps');
}
