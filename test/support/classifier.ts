/** A small classifier and batches for it, to see a whole optimizer at work. */
import * as tf from '@tensorflow/tfjs';

import { randomInputs } from './denseNet';

export interface ClassifierOptions {
  hidden?: 'relu' | 'tanh' | null;
  /** Bias of the hidden units; far below zero it makes rectifiers dead. */
  hiddenBias?: number;
}

/** 4 inputs, 6 hidden units (or none), 3 classes; always the same initial weights. */
export function classifier({ hidden = 'tanh', hiddenBias = 0 }: ClassifierOptions = {}): tf.Sequential {
  const initializer = (seed: number) => tf.initializers.glorotUniform({ seed });
  const first = hidden
    ? [
        tf.layers.dense({
          units: 6,
          activation: hidden,
          inputShape: [4],
          kernelInitializer: initializer(1),
          biasInitializer: tf.initializers.constant({ value: hiddenBias }),
        }),
      ]
    : [];
  return tf.sequential({
    layers: [
      ...first,
      tf.layers.dense({
        units: 3,
        activation: 'softmax',
        inputShape: [hidden ? 6 : 4],
        kernelInitializer: initializer(2),
      }),
    ],
  });
}

/** Inputs with labels that a network can learn: the class is the largest of three fixed linear functions. */
export function examples(rows: number, seed = 3): { x: tf.Tensor2D; y: tf.Tensor2D } {
  const values = Float32Array.from(randomInputs(rows, 4, seed));
  const labels = Array.from({ length: rows }, (_, r) => {
    const [a, b, c, d] = values.subarray(4 * r, 4 * r + 4);
    const scores = [a + b, c - a, d - b];
    return scores.indexOf(Math.max(...scores));
  });
  const x = tf.tensor2d(values, [rows, 4]);
  return { x, y: tf.tidy(() => tf.oneHot(tf.tensor1d(labels, 'int32'), 3).toFloat() as tf.Tensor2D) };
}

export function weightsOf(model: tf.LayersModel): Float32Array[] {
  return model.getWeights().map((weight) => weight.dataSync<'float32'>().slice());
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
  return (await tf.loadLayersModel(tf.io.fromMemory(artifacts!))) as tf.Sequential;
}
