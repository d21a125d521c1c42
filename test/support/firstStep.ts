/** The first step of a softmax regression, with all that it is made of in float64. */
import * as tf from '@tensorflow/tfjs';

import type { NaturalGradientConfig, NaturalGradientOptimizer } from '../../src';
import { useBackend } from './backends';
import { examples, weightsOf } from './classifier';
import { addOuterProduct } from './matrices';

/** What is known of the first step of a softmax regression from 4 inputs to 3 classes on ten examples, in float64. */
export interface FirstStep {
  /** Mean of a~ a~' and of diag(p) - p p'. */
  A: Float64Array;
  G: Float64Array;
  /** Mean of g g' with the true labels. */
  empiricalG: Float64Array;
  /** The exact Fisher matrix 1/N sum_n a~ a~' (x) (diag(p) - p p'), of 15 rows: inputs and bias, by classes. */
  F: Float64Array;
  /** Gradient of the mean loss. */
  V: Float64Array;
  /** Weights before minus weights after. */
  step: Float64Array;
}

/** Takes one step from the exact Fisher matrix with learning rate 1 and nothing else. */
export async function firstStep(
  preset: (config: NaturalGradientConfig) => NaturalGradientOptimizer,
  damping: number,
  config: NaturalGradientConfig = {},
  steps = 1,
): Promise<FirstStep> {
  await useBackend('cpu');
  const kernelInitializer = tf.initializers.glorotUniform({ seed: 5 });
  const model = tf.sequential({
    layers: [tf.layers.dense({ units: 3, activation: 'softmax', inputShape: [4], kernelInitializer })],
  });
  const optimizer = preset({
    learningRate: (step) => (step < steps - 1 ? 0 : 1),
    momentum: 0,
    klClip: null,
    damping,
    fisher: 'exact',
    factorDecay: 0,
    refresh: 'immediate',
    refreshPeriod: 1,
    precision: 'float64',
    ...config,
  });
  model.compile({ optimizer, loss: 'categoricalCrossentropy' });
  const { x, y } = examples(10);
  const [kernel, bias] = weightsOf(model);
  for (let step = 0; step < steps; step++) await model.trainOnBatch(x, y);
  const after = weightsOf(model).flatMap((values) => [...values]);
  const step = Float64Array.from([...kernel, ...bias], (value, i) => value - after[i]);

  const A = new Float64Array(25);
  const G = new Float64Array(9);
  const empiricalG = new Float64Array(9);
  const F = new Float64Array(225);
  const V = new Float64Array(15);
  const labels = y.arraySync();
  x.arraySync().forEach((row, n) => {
    const a = [...row, 1];
    const logits = [0, 1, 2].map((j) =>
      row.reduce((sum, value, i) => sum + value * kernel[3 * i + j], bias[j]),
    );
    const total = logits.reduce((sum, z) => sum + Math.exp(z), 0);
    const p = logits.map((z) => Math.exp(z) / total);
    addOuterProduct(A, a, 1 / 10);
    addOuterProduct(
      empiricalG,
      p.map((value, j) => value - labels[n][j]),
      1 / 10,
    );
    // With probability p_k the score of the example is a~ (p - e_k)'.
    p.forEach((probability, k) => {
      const g = p.map((value, j) => value - Number(j === k));
      addOuterProduct(G, g, probability / 10);
      addOuterProduct(
        F,
        a.flatMap((value) => g.map((other) => value * other)),
        probability / 10,
      );
    });
    a.forEach((value, i) => p.forEach((q, j) => (V[3 * i + j] += (value * (q - labels[n][j])) / 10)));
  });
  return { A, G, empiricalG, F, V, step };
}

/** A matrix with zeros where `keep` says no. */
export function masked(matrix: Float64Array, keep: (i: number, j: number) => boolean): Float64Array {
  const n = Math.sqrt(matrix.length);
  return matrix.map((value, at) => (keep(Math.floor(at / n), at % n) ? value : 0));
}

export function kroneckerProduct(left: Float64Array, right: Float64Array): Float64Array {
  const [n, m] = [Math.sqrt(left.length), Math.sqrt(right.length)];
  return Float64Array.from({ length: (n * m) ** 2 }, (_, at) => {
    const [row, column] = [Math.floor(at / (n * m)), at % (n * m)];
    return left[Math.floor(row / m) * n + Math.floor(column / m)] * right[(row % m) * m + (column % m)];
  });
}
