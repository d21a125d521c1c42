/** What every preset that inverts the Fisher matrix of a batch must do, through tfjs. */
import * as tf from '@tensorflow/tfjs';

import type { NaturalGradientConfig, NaturalGradientOptimizer } from '../../src';
import { useBackend } from './backends';
import { relativeError } from './matrices';
import { classifier, examples, weightsOf } from './classifier';
import { oneStep } from './exactStep';
import { naturalGradientParts, naturalStep, netOf } from './softmaxNet';

type Config = Omit<NaturalGradientConfig, 'curvature'>;
export type Create = (config?: Config) => NaturalGradientOptimizer;

export function compiled(create: Create, config: Config = {}, model = classifier()) {
  const optimizer = create(config);
  model.compile({ optimizer, loss: 'categoricalCrossentropy' });
  return { model, optimizer };
}

export async function train(model: tf.Sequential, steps: number, from = 0): Promise<number[]> {
  const losses: number[] = [];
  for (let step = from; step < from + steps; step++) {
    const { x, y } = examples(16, 100 + step);
    losses.push((await model.trainOnBatch(x, y)) as number);
    tf.dispose([x, y]);
  }
  return losses;
}

/** How far one step is from minus the damped natural gradient of the same network in float64, relative to the step. */
export async function stepError(
  create: Create,
  estimator: 'exact' | 'empirical',
  lambda: number,
  blocks: 'layers' | 'whole',
): Promise<number> {
  const { model } = compiled(create, { ...oneStep, damping: lambda, fisher: estimator });
  const { x, y } = examples(10);
  const before = weightsOf(model);
  await model.trainOnBatch(x, y);
  const net = netOf(before, [4, 6, 3], 'tanh');
  const [inputs, targets] = [x, y].map((tensor) => Float64Array.from(tensor.dataSync()));
  const { gradient, fisher, begins } = naturalGradientParts(net, inputs, targets, estimator);
  const expected = naturalStep(gradient, fisher, lambda, blocks === 'layers' ? begins : [0]);
  const flat = before.flatMap((values) => [...values]);
  const taken = weightsOf(model)
    .flatMap((values) => [...values])
    .map((value, i) => value - flat[i]);
  return relativeError(taken, expected);
}

/** Training, degenerate batches, saving and the summary. `summary` is what the rows of two dense layers must hold. */
export function itTrains(create: Create, summary: object[]): void {
  let warnings: jest.SpyInstance;
  beforeAll(() => useBackend('cpu'));
  beforeEach(() => (warnings = jest.spyOn(console, 'warn').mockImplementation(() => {})));
  afterEach(() => warnings.mockRestore());
  const finite = (model: tf.LayersModel) => weightsOf(model).every((values) => values.every(Number.isFinite));

  it('reduces the loss', async () => {
    const { model, optimizer } = compiled(create, { learningRate: 0.1, damping: 0.05, klClip: 3e-4 });
    const losses = await train(model, 60);
    const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
    expect(mean(losses.slice(-5))).toBeLessThan(0.35 * losses[0]);
    expect(optimizer.stats().refreshFailures).toBe(0);
    expect(warnings.mock.calls.flat().join()).not.toMatch(/natgrad/);
  });

  it('trains on a batch without rank: the same example over and over', async () => {
    const { model, optimizer } = compiled(create);
    const { x, y } = tf.tidy(() => {
      const one = examples(1);
      return { x: one.x.tile([8, 1]), y: one.y.tile([8, 1]) };
    });
    const first = (await model.trainOnBatch(x, y)) as number;
    for (let step = 0; step < 10; step++) await model.trainOnBatch(x, y);
    expect((await model.trainOnBatch(x, y)) as number).toBeLessThan(first);
    expect(optimizer.stats().refreshFailures).toBe(0);
    expect(finite(model)).toBe(true);
  });

  it('trains on batches of one, and on batches whose size changes', async () => {
    const { model, optimizer } = compiled(create);
    for (const rows of [1, 1, 16, 5, 16, 1]) {
      const { x, y } = examples(rows, rows);
      await model.trainOnBatch(x, y);
    }
    expect(optimizer.stats()).toMatchObject({ step: 6, refreshFailures: 0, skippedBatches: 0 });
    expect(finite(model)).toBe(true);
  });

  it('takes layers that no example activates', async () => {
    const { model, optimizer } = compiled(create, {}, classifier({ activation: 'relu' }));
    const [kernel, bias, ...rest] = model.getWeights();
    model.setWeights([kernel, tf.fill(bias.shape, -100), ...rest]);
    const before = weightsOf(model);
    await train(model, 3);
    expect(weightsOf(model).slice(0, 2)).toEqual(before.slice(0, 2));
    expect(weightsOf(model)[3]).not.toEqual(before[3]);
    expect(optimizer.stats().refreshFailures).toBe(0);
  });

  it('leaves weights and curvature alone when a batch is not finite', async () => {
    const { model, optimizer } = compiled(create);
    await train(model, 3);
    const state = async () =>
      (await optimizer.getWeights())
        .slice(1)
        .filter(({ name }) => name !== 'skippedSteps')
        .map(({ tensor }) => [...tensor.dataSync()]);
    const before = [weightsOf(model), await state()];
    const { x, y } = examples(16);
    await model.trainOnBatch(x.mul(NaN), y);
    await model.trainOnBatch(x, y.mul(NaN));
    expect([weightsOf(model), await state()]).toEqual(before);
    expect(optimizer.stats()).toMatchObject({ skippedSteps: 2, skippedBatches: 2, step: 5 });
  });

  it.each([
    ['as it is', {}],
    ['with inverses of every third batch', { refreshPeriod: 3 }],
    ['overlapped', { refreshPeriod: 4, refresh: 'overlapped', refreshLag: 3, precision: 'float64' }],
    ['with adapted damping', { damping: { adapt: 'levenbergMarquardt', initial: 0.3, period: 2 } }],
    ['with a moving average', { refreshPeriod: 2, factorDecay: 0.9 }],
  ] as [string, Config][])(
    'resumes from a saved model as if it had not been interrupted, %s',
    async (_, config) => {
      const whole = compiled(create, config);
      await train(whole.model, 11);
      const first = compiled(create, config);
      await train(first.model, 6);
      let artifacts: tf.io.ModelArtifacts | undefined;
      await first.model.save(
        tf.io.withSaveHandler((saved) => {
          artifacts = saved;
          return Promise.resolve({ modelArtifactsInfo: tf.io.getModelArtifactsInfoForJSON(saved) });
        }),
        { includeOptimizer: true },
      );
      const second = (await tf.loadLayersModel(tf.io.fromMemory(artifacts!))) as tf.Sequential;
      await train(second, 5, 6);
      expect(weightsOf(second)).toEqual(weightsOf(whole.model));
    },
  );

  it('says what every variable got', async () => {
    const { model, optimizer } = compiled(create);
    await train(model, 1);
    expect(optimizer.summary()).toMatchObject(summary);
    expect(optimizer.summary().reduce((sum, { parameters }) => sum + parameters, 0)).toBe(
      model.countParams(),
    );
  });
}
