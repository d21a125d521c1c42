/** What every preset must do on a real network, whatever its mathematics. */
import * as tf from '@tensorflow/tfjs';

import type { NaturalGradientOptimizer } from '../../src';
import { classifier, examples, reloaded, trainSteps, weightsOf, type ClassifierOptions } from './classifier';

export interface PresetBehaviour {
  /** The preset, with options of the test on top of those that the small network needs. */
  create: (config?: {
    refresh?: 'immediate' | 'overlapped';
    refreshPeriod?: number;
  }) => NaturalGradientOptimizer;
  /** What `summary()` says each dense layer got. */
  structure: string;
}

export function describePreset({ create, structure }: PresetBehaviour): void {
  const compiled = (model = classifier(), config: Parameters<typeof create>[0] = {}) => {
    const optimizer = create(config);
    model.compile({ optimizer, loss: 'categoricalCrossentropy' });
    return { model, optimizer };
  };
  const allFinite = (model: tf.Sequential) =>
    weightsOf(model).every((values) => values.every(Number.isFinite));

  it('reduces the loss', async () => {
    const { model, optimizer } = compiled();
    const losses = await trainSteps(model, 80, 0, 32);
    const mean = (values: number[]) => values.reduce((sum, loss) => sum + loss, 0) / values.length;
    expect(mean(losses.slice(-5))).toBeLessThan(0.5 * losses[0]);
    expect(optimizer.stats()).toMatchObject({ skippedSteps: 0, skippedBatches: 0, refreshFailures: 0 });
  });

  it.each([
    ['a batch of one example', {}, 1],
    ['a batch with fewer examples than inputs', {}, 2],
    ['a layer of dead rectifiers', { hidden: 'relu', hiddenBias: -100 }, 8],
  ] as [string, ClassifierOptions, number][])('stays finite on %s', async (_, options, rows) => {
    const { model } = compiled(classifier(options), { refresh: 'immediate', refreshPeriod: 1 });
    await trainSteps(model, 6, 0, rows);
    expect(allFinite(model)).toBe(true);
  });

  it('leaves weights and state alone when a batch is not finite', async () => {
    const { model, optimizer } = compiled(classifier(), { refresh: 'immediate', refreshPeriod: 1 });
    const state = async () => {
      const named = await optimizer.getWeights();
      const values = named.map(({ name, tensor }) => [name, [...tensor.dataSync()]]);
      tf.dispose(named.map(({ tensor }) => tensor));
      return values.filter(([name]) => name !== 'iter' && name !== 'skippedSteps');
    };
    await trainSteps(model, 3);
    const before = [weightsOf(model), await state()];
    const warnings = jest.spyOn(console, 'warn').mockImplementation(() => {});
    const { x, y } = examples(8);
    await model.trainOnBatch(x.mul(NaN), y);
    warnings.mockRestore();
    expect([weightsOf(model), await state()]).toEqual(before);
    expect(optimizer.stats()).toMatchObject({ skippedSteps: 1, skippedBatches: 1 });
    await trainSteps(model, 1, 3);
    expect(weightsOf(model)).not.toEqual(before[0]);
    expect(allFinite(model)).toBe(true);
  });

  it.each(['immediate', 'overlapped'] as const)(
    'resumes as if it had not stopped, with %s refresh',
    async (refresh) => {
      const whole = compiled(classifier(), { refresh, refreshPeriod: 4 });
      await trainSteps(whole.model, 14);
      const first = compiled(classifier(), { refresh, refreshPeriod: 4 });
      await trainSteps(first.model, 7);
      const second = await reloaded(first.model);
      await trainSteps(second, 7, 7);
      expect(weightsOf(second)).toEqual(weightsOf(whole.model));
    },
  );

  it('says which structure each layer got', async () => {
    const { model, optimizer } = compiled();
    await trainSteps(model, 1);
    const summary = optimizer.summary();
    expect(summary.map((row) => row.structure)).toEqual([structure, structure]);
    expect(summary.reduce((sum, { parameters }) => sum + parameters, 0)).toBe(model.countParams());
  });
}
