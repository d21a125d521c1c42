/** What every preset must do, whatever its curvature: train, bear degenerate batches, leave out bad ones, resume. */
import * as tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-wasm';

import { NaturalGradientOptimizer, type NaturalGradientConfig } from '../../../src';
import { randomInputs } from '../../support/denseNet';
import { addOuterProduct } from '../../support/matrices';

async function use(backend: string): Promise<void> {
  await tf.setBackend(backend);
  await tf.ready();
}

export type Preset = (config: NaturalGradientConfig) => NaturalGradientOptimizer;

/** A classifier of 4 inputs into 3 classes, always with the same initial weights. */
export function classifier(activation: 'relu' | 'tanh' = 'tanh', deadUnits = false): tf.Sequential {
  const initializer = (seed: number) => tf.initializers.glorotUniform({ seed });
  // With a bias far below zero no ReLU unit is ever active.
  const biasInitializer = tf.initializers.constant({ value: deadUnits ? -100 : 0 });
  return tf.sequential({
    layers: [
      tf.layers.dense({
        units: 6, activation, inputShape: [4], kernelInitializer: initializer(1), biasInitializer,
      }), // prettier-ignore
      tf.layers.dense({ units: 3, activation: 'softmax', kernelInitializer: initializer(2) }),
    ],
  });
}

/** Inputs with labels that a network can learn: the class is the largest of three fixed linear functions. */
export function data(rows: number, seed = 3): { x: tf.Tensor2D; y: tf.Tensor2D } {
  const values = Float32Array.from(randomInputs(rows, 4, seed));
  const labels = Array.from({ length: rows }, (_, r) => {
    const [a, b, c, d] = values.subarray(4 * r, 4 * r + 4);
    const scores = [a + b, c - a, d - b];
    return scores.indexOf(Math.max(...scores));
  });
  const x = tf.tensor2d(values, [rows, 4]);
  return { x, y: tf.tidy(() => tf.oneHot(tf.tensor1d(labels, 'int32'), 3).toFloat() as tf.Tensor2D) };
}

export const weightsOf = (model: tf.LayersModel) =>
  model.getWeights().map((weight) => weight.dataSync<'float32'>().slice());

const finite = (model: tf.LayersModel) => weightsOf(model).every((values) => values.every(Number.isFinite));

async function stateOf(optimizer: NaturalGradientOptimizer): Promise<number[][]> {
  const weights = (await optimizer.getWeights()).slice(1).filter(({ name }) => name !== 'skippedSteps');
  return weights.map(({ tensor }) => [...tensor.dataSync()]);
}

function compiled(preset: Preset, config: NaturalGradientConfig, model = classifier()) {
  const optimizer = preset(config);
  model.compile({ optimizer, loss: 'categoricalCrossentropy' });
  return { model, optimizer };
}

async function train(model: tf.Sequential, steps: number, from = 0): Promise<number> {
  let loss = NaN;
  for (let step = from; step < from + steps; step++) {
    const { x, y } = data(16, 100 + step);
    loss = (await model.trainOnBatch(x, y)) as number;
    tf.dispose([x, y]);
  }
  return loss;
}

/**
 * The tests that all presets share.
 *
 * @param structure what `summary()` calls the blocks of dense layers
 * @param config options that make it learn the small problem
 */
export function testPreset(preset: Preset, structure: string, config: NaturalGradientConfig = {}): void {
  let warnings: jest.SpyInstance;
  beforeEach(async () => {
    warnings = jest.spyOn(console, 'warn').mockImplementation(() => {});
    await use('wasm');
  });
  afterEach(() => warnings.mockRestore());

  it.each(['cpu', 'wasm'])('learns in fit on the %s backend, and says what it used', async (backend) => {
    await use(backend);
    const { model, optimizer } = compiled(preset, { learningRate: 0.1, ...config });
    const { x, y } = data(256);
    const how = { epochs: 8, batchSize: 32, shuffle: false, verbose: 0, yieldEvery: 'never' } as const;
    const loss = (await model.fit(x, y, how)).history.loss as number[];
    expect(loss[7]).toBeLessThan(0.4 * loss[0]);
    const summary = optimizer.summary();
    expect(summary.map((row) => [row.structure, row.reason])).toEqual([
      [structure, ''],
      [structure, ''],
    ]);
    expect(summary.map(({ parameters }) => parameters)).toEqual([30, 21]);
    expect(summary.every(({ bytes, matrices }) => bytes > 0 && matrices !== '')).toBe(true);
    expect(optimizer.stats().refreshFailures).toBe(0);
    expect(warnings.mock.calls.flat().join()).not.toMatch(/natgrad/);
  });

  it.each(['overlapped', 'immediate'] as const)(
    'bears degenerate batches with %s refresh',
    async (refresh) => {
      const { model, optimizer } = compiled(preset, { refresh, refreshPeriod: 1, ...config });
      const { x, y } = data(1);
      // A batch of one, and one of eight copies of an example.
      await model.trainOnBatch(x, y);
      await model.trainOnBatch(x.tile([8, 1]), y.tile([8, 1]));
      await model.trainOnBatch(tf.zeros([4, 4]), y.tile([4, 1]));
      expect(finite(model)).toBe(true);
      const dead = compiled(preset, { refresh, refreshPeriod: 1, ...config }, classifier('relu', true));
      await train(dead.model, 3);
      expect(finite(dead.model)).toBe(true);
      for (const { refreshFailures, skippedSteps } of [optimizer.stats(), dead.optimizer.stats()]) {
        expect([refreshFailures, skippedSteps]).toEqual([0, 0]);
      }
    },
  );

  it('leaves weights and factors alone when a batch is not finite', async () => {
    const { model, optimizer } = compiled(preset, { refreshPeriod: 1, ...config });
    await train(model, 3);
    const before = [weightsOf(model), await stateOf(optimizer)];
    const { x, y } = data(8);
    await model.trainOnBatch(x.mul(NaN), y);
    await model.trainOnBatch(x, y.mul(NaN));
    expect([weightsOf(model), await stateOf(optimizer)]).toEqual(before);
    expect(optimizer.stats()).toMatchObject({ skippedSteps: 2, skippedBatches: 2, step: 5 });
    expect(await train(model, 1)).toBeLessThan(5);
    expect(weightsOf(model)).not.toEqual(before[0]);
  });

  it('trains on after statistics that overflow', async () => {
    const { model } = compiled(preset, { refreshPeriod: 1, refresh: 'immediate', ...config });
    await train(model, 3);
    const { x, y } = data(8);
    // The squares of these inputs overflow float32 while loss and gradients stay finite (tanh saturates).
    await model.trainOnBatch(x.mul(1e22), y);
    const before = weightsOf(model);
    await train(model, 6);
    expect(finite(model)).toBe(true);
    expect(weightsOf(model)).not.toEqual(before);
  });

  it.each(['float32', 'float64'] as const)('resumes from a saved model in %s', async (precision) => {
    const options = { refreshPeriod: 4, precision, ...config };
    const whole = compiled(preset, options);
    await train(whole.model, 14);
    const first = compiled(preset, options);
    // Saved while refreshes are under way: the fourth, from step 4, and the fifth, from step 8.
    for (const steps of [5, 9]) {
      await train(first.model, steps - first.optimizer.iterations, first.optimizer.iterations);
      let artifacts: tf.io.ModelArtifacts | undefined;
      const handler = tf.io.withSaveHandler((saved) => {
        artifacts = saved;
        return Promise.resolve({ modelArtifactsInfo: tf.io.getModelArtifactsInfoForJSON(saved) });
      });
      await first.model.save(handler, { includeOptimizer: true });
      const second = (await tf.loadLayersModel(tf.io.fromMemory(artifacts!))) as tf.Sequential;
      await train(second, 14 - steps, steps);
      expect(weightsOf(second)).toEqual(weightsOf(whole.model));
    }
  });

  it('trains convolutions, embeddings and recurrent layers, the same way every time', async () => {
    await use('cpu');
    const initializer = (seed: number) => tf.initializers.glorotUniform({ seed });
    const x = tf.tensor2d(
      Float32Array.from({ length: 48 }, (_, i) => (i * i) % 7),
      [8, 6],
    );
    const y = tf.oneHot(tf.tensor1d([0, 1, 2, 0, 1, 2, 0, 1], 'int32'), 3).toFloat();
    const runs: Float32Array[][] = [];
    for (let run = 0; run < 2; run++) {
      const model = tf.sequential({
        layers: [
          tf.layers.embedding({
            inputDim: 7, outputDim: 4, inputLength: 6, embeddingsInitializer: initializer(3),
          }),
          tf.layers.conv1d({ filters: 5, kernelSize: 3, activation: 'tanh', kernelInitializer: initializer(4) }),
          tf.layers.simpleRNN({ units: 5, kernelInitializer: initializer(5), recurrentInitializer: initializer(6) }),
          tf.layers.dense({ units: 3, activation: 'softmax', kernelInitializer: initializer(7) }),
        ],
      }); // prettier-ignore
      const { optimizer } = compiled(preset, { learningRate: 0.05, refreshPeriod: 5, ...config }, model);
      const losses: number[] = [];
      for (let step = 0; step < 30; step++) losses.push((await model.trainOnBatch(x, y)) as number);
      expect(losses[29]).toBeLessThan(0.6 * losses[0]);
      expect(optimizer.stats().refreshFailures).toBe(0);
      runs.push(weightsOf(model));
    }
    expect(runs[0]).toEqual(runs[1]);
  });

  it('adapts its damping by what it predicts of the loss', async () => {
    const { model, optimizer } = compiled(preset, {
      ...config,
      damping: { adapt: 'levenbergMarquardt', initial: 0.5, period: 2 },
      learningRate: 0.05,
    });
    await train(model, 10);
    expect(optimizer.stats().damping).not.toBe(0.5);
    expect(finite(model)).toBe(true);
  });
}

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
  preset: Preset,
  damping: number,
  config: NaturalGradientConfig = {},
  steps = 1,
): Promise<FirstStep> {
  await use('cpu');
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
  const { x, y } = data(10);
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
