/** What every preset must do, whatever its mathematics: train, bear degenerate batches, leave out bad ones, resume. */
import * as tf from '@tensorflow/tfjs';

import type { NaturalGradientConfig, NaturalGradientOptimizer } from '../../src';
import { backends, useBackend } from './backends';
import {
  classifier,
  examples,
  isFinite,
  reloaded,
  stateOf,
  trainSteps,
  weightsOf,
  type ClassifierOptions,
} from './classifier';

export type Preset = (config: NaturalGradientConfig) => NaturalGradientOptimizer;

export interface PresetFacts {
  /** What the rows of `summary()` hold; by default one per dense layer with this structure and no reason. */
  structure: string;
  summary?: object[];
  /** Options that make it learn the small problem. */
  learning?: NaturalGradientConfig;
  /** The share of the first epoch's loss that is left after eight. Default 0.4. */
  lossBelow?: number;
  /** The backends of tfjs to train on. Default all. */
  on?: readonly string[];
  /** Options under which it learns a network of an embedding, a convolution and a recurrent layer; null: it cannot, by its nature. */
  sequences?: NaturalGradientConfig | null;
  /** Whether `damping` is an option of it. Default true. */
  damped?: boolean;
}

const adapted = { adapt: 'levenbergMarquardt', initial: 0.3, period: 2 } as const;

/** Registers the tests that all presets share. */
export function testPreset(preset: Preset, facts: PresetFacts): void {
  const { structure, learning = {}, lossBelow = 0.4, on = backends, sequences = {}, damped = true } = facts;
  const rows = [30, 35, 18].map((parameters) => ({ structure, reason: '', parameters }));
  const { summary = rows } = facts;

  let warnings: jest.SpyInstance;
  beforeEach(() => (warnings = jest.spyOn(console, 'warn').mockImplementation(() => {})));
  afterEach(() => warnings.mockRestore());

  const compiled = (config: NaturalGradientConfig = {}, shape: ClassifierOptions = {}) => {
    const optimizer = preset({ ...learning, ...config });
    const model = classifier({ hidden: [6, 5], ...shape });
    model.compile({ optimizer, loss: 'categoricalCrossentropy' });
    return { model, optimizer };
  };

  describe.each(on)('in training on the %s backend of tfjs', (backend) => {
    beforeAll(() => useBackend(backend));

    it('learns in fit, and says what it used', async () => {
      const { model, optimizer } = compiled({ learningRate: 0.1, ...learning });
      const { x, y } = examples(256);
      const how = { epochs: 8, batchSize: 32, shuffle: false, verbose: 0, yieldEvery: 'never' } as const;
      const loss = (await model.fit(x, y, how)).history.loss as number[];
      expect(loss[7]).toBeLessThan(lossBelow * loss[0]);
      expect(optimizer.summary()).toMatchObject(summary);
      expect(optimizer.summary().every(({ bytes, matrices }) => bytes > 0 && matrices !== '')).toBe(true);
      expect(optimizer.stats()).toMatchObject({ skippedSteps: 0, skippedBatches: 0, refreshFailures: 0 });
      expect(warnings.mock.calls.flat().join()).not.toMatch(/natgrad/);
    });

    it.each(['overlapped', 'immediate'] as const)('bears degenerate batches, %s', async (refresh) => {
      const { model, optimizer } = compiled({ refresh, refreshPeriod: 1 });
      const { x, y } = examples(1);
      const before = weightsOf(model);
      await model.trainOnBatch(x, y);
      await model.trainOnBatch(x.tile([8, 1]), y.tile([8, 1]));
      await model.trainOnBatch(tf.zeros([4, 4]), y.tile([4, 1]));
      await trainSteps(model, 3, 0, 3); // fewer examples than inputs
      expect(isFinite(model)).toBe(true);
      expect(weightsOf(model)).not.toEqual(before);
      const dead = compiled({ refresh, refreshPeriod: 1 }, { activation: 'relu', firstBias: -100 });
      await trainSteps(dead.model, 3);
      expect(isFinite(dead.model)).toBe(true);
      for (const stats of [optimizer.stats(), dead.optimizer.stats()]) {
        expect(stats).toMatchObject({ skippedSteps: 0, skippedBatches: 0, refreshFailures: 0 });
      }
    });

    it('leaves weights and factors alone when a batch is not finite', async () => {
      const { model, optimizer } = compiled({ refreshPeriod: 1 });
      await trainSteps(model, 3);
      const before = [weightsOf(model), await stateOf(optimizer)];
      const { x, y } = examples(8);
      await model.trainOnBatch(x.mul(NaN), y);
      await model.trainOnBatch(x, y.mul(NaN));
      expect([weightsOf(model), await stateOf(optimizer)]).toEqual(before);
      expect(optimizer.stats()).toMatchObject({ skippedSteps: 2, skippedBatches: 2, step: 5 });
      await trainSteps(model, 1);
      expect(isFinite(model)).toBe(true);
      expect(weightsOf(model)).not.toEqual(before[0]);
    });

    it('trains on after statistics that overflow', async () => {
      const { model } = compiled({ refreshPeriod: 1, refresh: 'immediate' });
      await trainSteps(model, 3);
      const { x, y } = examples(8);
      // The squares of these inputs overflow float32 while loss and gradients stay finite (tanh saturates).
      await model.trainOnBatch(x.mul(1e22), y);
      const before = weightsOf(model);
      await trainSteps(model, 6);
      expect(isFinite(model)).toBe(true);
      expect(weightsOf(model)).not.toEqual(before);
    });

    it.each<[string, NaturalGradientConfig]>([
      ['as it is', {}],
      ['in float64', { refreshPeriod: 4, precision: 'float64' }],
      ['with immediate refresh', { refreshPeriod: 4, refresh: 'immediate' }],
      ['with a longer lag', { refreshPeriod: 4, refreshLag: 3 }],
      ...(damped ? [['with adapted damping', { damping: adapted }] as [string, NaturalGradientConfig]] : []),
    ])('resumes from a saved model as if it had not been interrupted, %s', async (_, config) => {
      const whole = compiled(config);
      await trainSteps(whole.model, 14);
      const first = compiled(config);
      // Saved while refreshes are under way: the fourth, from step 4, and the fifth, from step 8.
      for (const steps of [5, 9]) {
        await trainSteps(first.model, steps - first.optimizer.iterations, first.optimizer.iterations);
        const second = await reloaded(first.model);
        await trainSteps(second, 14 - steps, steps);
        expect(weightsOf(second)).toEqual(weightsOf(whole.model));
      }
    });

    it('is deterministic, and adapts its damping', async () => {
      const config = { refreshPeriod: 3, ...(damped ? { damping: adapted } : {}) };
      const runs: Float32Array[][] = [];
      for (let run = 0; run < 2; run++) {
        const { model, optimizer } = compiled(config);
        await trainSteps(model, 8);
        if (damped) expect(optimizer.stats().damping).not.toBe(adapted.initial);
        expect(isFinite(model)).toBe(true);
        runs.push(weightsOf(model));
      }
      expect(runs[0]).toEqual(runs[1]);
    });
  });

  if (sequences === null) return;

  it('trains convolutions, embeddings and recurrent layers, the same way every time', async () => {
    await useBackend('cpu');
    const x = tf.tensor2d(
      Float32Array.from({ length: 48 }, (_, i) => (i * i) % 7),
      [8, 6],
    );
    const y = tf.oneHot(tf.tensor1d([0, 1, 2, 0, 1, 2, 0, 1], 'int32'), 3).toFloat();
    const runs: Float32Array[][] = [];
    for (let run = 0; run < 2; run++) {
      const model = sequenceClassifier();
      const optimizer = preset({ learningRate: 0.05, refreshPeriod: 5, ...learning, ...sequences });
      model.compile({ optimizer, loss: 'categoricalCrossentropy' });
      const losses: number[] = [];
      for (let step = 0; step < 30; step++) losses.push((await model.trainOnBatch(x, y)) as number);
      expect(losses[29]).toBeLessThan(0.6 * losses[0]);
      expect(optimizer.stats().refreshFailures).toBe(0);
      runs.push(weightsOf(model));
    }
    expect(runs[0]).toEqual(runs[1]);
  });
}

/** Sequences of 6 of 7 words into 3 classes; always the same initial weights. */
function sequenceClassifier(): tf.Sequential {
  const initializer = (seed: number) => tf.initializers.glorotUniform({ seed });
  return tf.sequential({
    layers: [
      tf.layers.embedding({
        inputDim: 7, outputDim: 4, inputLength: 6, embeddingsInitializer: initializer(3),
      }),
      tf.layers.conv1d({ filters: 5, kernelSize: 3, activation: 'tanh', kernelInitializer: initializer(4) }),
      tf.layers.simpleRNN({ units: 5, kernelInitializer: initializer(5), recurrentInitializer: initializer(6) }),
      tf.layers.dense({ units: 3, activation: 'softmax', kernelInitializer: initializer(7) }),
    ],
  }); // prettier-ignore
}
