/** What every preset must do in a training run, whatever its structure. */
import * as tf from '@tensorflow/tfjs';

import { NaturalGradientOptimizer, type NaturalGradientConfig } from '../../src';
import { backends, useBackend } from './backends';
import { randomInputs } from './denseNet';

/** 4 inputs, two hidden layers of 6 and 5 units, 3 classes; always the same initial weights. */
export function classifier(hidden: 'relu' | 'tanh' = 'tanh'): tf.Sequential {
  const kernelInitializer = (seed: number) => tf.initializers.glorotUniform({ seed });
  return tf.sequential({
    layers: [
      tf.layers.dense({
        units: 6,
        activation: hidden,
        inputShape: [4],
        kernelInitializer: kernelInitializer(1),
      }),
      tf.layers.dense({ units: 5, activation: hidden, kernelInitializer: kernelInitializer(2) }),
      tf.layers.dense({ units: 3, activation: 'softmax', kernelInitializer: kernelInitializer(3) }),
    ],
  });
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

export const weightsOf = (model: tf.LayersModel): Float32Array[] =>
  model.getWeights().map((weight) => weight.dataSync<'float32'>().slice());

async function train(model: tf.LayersModel, steps: number, from = 0): Promise<void> {
  for (let step = from; step < from + steps; step++) {
    const { x, y } = examples(16, 100 + step);
    await model.trainOnBatch(x, y);
    tf.dispose([x, y]);
  }
}

async function stateOf(optimizer: NaturalGradientOptimizer): Promise<number[][]> {
  const weights = (await optimizer.getWeights()).slice(1).filter(({ name }) => name !== 'skippedSteps');
  return weights.map(({ tensor }) => [...tensor.dataSync()]);
}

const allFinite = (arrays: Float32Array[]) => arrays.every((values) => values.every(Number.isFinite));

/**
 * Registers the tests that training with a preset must pass.
 *
 * @param create the preset
 * @param learning options with which 8 epochs of 256 examples bring the loss below 0.6 of that of the first
 * @param on the backends of tfjs to train on, all by default
 */
export function behavesInTraining(
  create: (config: NaturalGradientConfig) => NaturalGradientOptimizer,
  learning: NaturalGradientConfig = {},
  on: readonly string[] = backends,
): void {
  describe.each(on)('in training on the %s backend of tfjs', (backend) => {
    beforeAll(() => useBackend(backend));
    let warnings: jest.SpyInstance;
    beforeEach(() => (warnings = jest.spyOn(console, 'warn').mockImplementation(() => {})));
    afterEach(() => warnings.mockRestore());

    const compiled = (config: NaturalGradientConfig, model = classifier()) => {
      const optimizer = create(config);
      model.compile({ optimizer, loss: 'categoricalCrossentropy' });
      return { model, optimizer };
    };

    it('learns in fit', async () => {
      const { model } = compiled(learning);
      const { x, y } = examples(256);
      const { history } = await model.fit(x, y, {
        epochs: 8,
        batchSize: 32,
        shuffle: false,
        verbose: 0,
        yieldEvery: 'never',
      });
      const loss = history.loss as number[];
      expect(loss[7]).toBeLessThan(0.6 * loss[0]);
      expect(warnings.mock.calls.flat().join()).not.toMatch(/natgrad/);
    });

    it.each([
      ['a batch of one example', 1, 'tanh'],
      ['fewer examples than weights of a layer', 3, 'tanh'],
      ['layers whose units are all dead', 8, 'relu'],
    ] as const)('takes finite steps from %s', async (_, rows, hidden) => {
      const model = classifier(hidden);
      if (hidden === 'relu') {
        const dead = model.getWeights().map((weight, i) => (i === 1 ? tf.fill(weight.shape, -100) : weight));
        model.setWeights(dead);
      }
      const { optimizer } = compiled({ refresh: 'immediate', refreshPeriod: 1 }, model);
      const before = weightsOf(model);
      const { x, y } = examples(rows);
      for (let step = 0; step < 3; step++) await model.trainOnBatch(x, y);
      expect(allFinite(weightsOf(model))).toBe(true);
      expect(weightsOf(model)).not.toEqual(before);
      expect(optimizer.stats()).toMatchObject({ skippedSteps: 0, skippedBatches: 0, refreshFailures: 0 });
    });

    it('leaves weights and factors alone when a batch is not finite', async () => {
      const { model, optimizer } = compiled({ refreshPeriod: 1 });
      await train(model, 3);
      const before = [weightsOf(model), await stateOf(optimizer)];
      const { x, y } = examples(8);
      await model.trainOnBatch(x.mul(NaN), y);
      await model.trainOnBatch(x, y.mul(NaN));
      expect([weightsOf(model), await stateOf(optimizer)]).toEqual(before);
      expect(optimizer.stats()).toMatchObject({ skippedSteps: 2, skippedBatches: 2, step: 5 });
      await train(model, 1);
      expect(allFinite(weightsOf(model))).toBe(true);
      expect(weightsOf(model)).not.toEqual(before[0]);
    });

    it('resumes from a saved model as if it had not been interrupted', async () => {
      const config = { refreshPeriod: 4, ...learning };
      const whole = compiled(config);
      await train(whole.model, 14);
      const first = compiled(config);
      await train(first.model, 7);
      let artifacts: tf.io.ModelArtifacts | undefined;
      await first.model.save(
        tf.io.withSaveHandler((saved) => {
          artifacts = saved;
          return Promise.resolve({ modelArtifactsInfo: tf.io.getModelArtifactsInfoForJSON(saved) });
        }),
        { includeOptimizer: true },
      );
      const second = (await tf.loadLayersModel(tf.io.fromMemory(artifacts!))) as tf.Sequential;
      expect(second.optimizer).toBeInstanceOf(NaturalGradientOptimizer);
      await train(second, 7, 7);
      expect(weightsOf(second)).toEqual(weightsOf(whole.model));
    });

    it('is deterministic, and adapts its damping', async () => {
      const runs: Float32Array[][] = [];
      for (let run = 0; run < 2; run++) {
        const damping = { adapt: 'levenbergMarquardt', initial: 0.3, period: 2 } as const;
        const { model, optimizer } = compiled({ refreshPeriod: 3, damping });
        await train(model, 8);
        expect(optimizer.stats().damping).not.toBe(0.3);
        runs.push(weightsOf(model));
      }
      expect(allFinite(runs[0])).toBe(true);
      expect(runs[0]).toEqual(runs[1]);
    });
  });
}
