import * as tf from '@tensorflow/tfjs';

import { kfac, NaturalGradientOptimizer, schedules } from '../../src';
import type { NaturalGradientConfig } from '../../src';
import { errorWithCode } from '../errorWithCode';
import { backends, useBackend } from '../support/backends';
import { classifier, examples, weightsOf } from '../support/classifier';
import { noise } from '../support/denseNet';
import { plusDiagonal, relativeError, solve } from '../support/matrices';

const silent = { verbose: 0, yieldEvery: 'never' } as const;

function compiled(
  config: NaturalGradientConfig,
  model = classifier(),
): { model: tf.Sequential; optimizer: NaturalGradientOptimizer } {
  const optimizer = kfac(config);
  model.compile({ optimizer, loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
  return { model, optimizer };
}

async function train(model: tf.Sequential, steps: number, from = 0): Promise<number[]> {
  const losses: number[] = [];
  for (let step = from; step < from + steps; step++) {
    const { x, y } = examples(16, 100 + step);
    const [loss] = (await model.trainOnBatch(x, y)) as number[];
    losses.push(loss);
    tf.dispose([x, y]);
  }
  return losses;
}

describe.each(backends)('kfac on the %s backend of tfjs', (backend) => {
  beforeAll(() => useBackend(backend));
  let warnings: jest.SpyInstance;
  beforeEach(() => (warnings = jest.spyOn(console, 'warn').mockImplementation(() => {})));
  afterEach(() => warnings.mockRestore());

  it('learns in fit', async () => {
    const { model, optimizer } = compiled({ learningRate: 0.1 });
    const { x, y } = examples(256);
    const history = await model.fit(x, y, { epochs: 8, batchSize: 32, shuffle: false, ...silent });
    const loss = history.history.loss as number[];
    expect(loss[7]).toBeLessThan(0.35 * loss[0]);
    expect(optimizer.iterations).toBe(64);
    expect(warnings.mock.calls.flat().join()).not.toMatch(/natgrad/);
  });

  it('learns in fitDataset and in minimize', async () => {
    const { model } = compiled({ learningRate: 0.1 });
    const { x, y } = examples(256);
    const dataset = tf.data
      .zip({ xs: tf.data.array(x.arraySync()), ys: tf.data.array(y.arraySync()) })
      .batch(32);
    const history = await model.fitDataset(dataset, {
      epochs: 8,
      verbose: 0,
    });
    const loss = history.history.loss as number[];
    expect(loss[7]).toBeLessThan(0.35 * loss[0]);

    const own = classifier();
    const optimizer = kfac({ learningRate: 0.1 });
    const costs = Array.from({ length: 60 }, () => {
      const cost = optimizer.minimize(
        () =>
          tf.tidy(() =>
            tf.losses.softmaxCrossEntropy(y, tf.log((own.apply(x) as tf.Tensor2D).add(1e-7))).asScalar(),
          ),
        true,
      )!;
      return cost.dataSync()[0];
    });
    expect(costs[59]).toBeLessThan(0.35 * costs[0]);
  });

  it('learns with computeGradients and applyGradients', () => {
    const model = classifier();
    const optimizer = kfac({ learningRate: 0.1 });
    const { x, y } = examples(128);
    const losses = Array.from({ length: 60 }, () => {
      const { value, grads } = optimizer.computeGradients(() =>
        tf.tidy(() =>
          tf.metrics
            .categoricalCrossentropy(y, model.apply(x, { training: true }) as tf.Tensor)
            .mean()
            .asScalar(),
        ),
      );
      optimizer.applyGradients(grads);
      tf.dispose(grads);
      return value.dataSync()[0];
    });
    expect(losses[59]).toBeLessThan(0.35 * losses[0]);
    expect(optimizer.stats().fisher).toBe('sampled');
  });

  it('takes a step of exactly minus the damped natural gradient', async () => {
    // Oracle: with learningRate 1 and nothing else, w <- w - (A + pi sqrt(lambda) I)^-1 V (G + sqrt(lambda)/pi I)^-1, with A and G of a
    // one-layer softmax regression written out in float64: A = E[a~ a~'], G = E[diag(p) - p p'].
    const model = tf.sequential({
      layers: [
        tf.layers.dense({
          units: 3,
          activation: 'softmax',
          inputShape: [4],
          kernelInitializer: tf.initializers.glorotUniform({ seed: 5 }),
        }),
      ],
    });
    const lambda = 0.05;
    compiled(
      { learningRate: 1, momentum: 0, klClip: null, damping: lambda, fisher: 'exact', refresh: 'immediate' },
      model,
    );
    const { x, y } = examples(10);
    const [kernel, bias] = weightsOf(model);
    await model.trainOnBatch(x, y);
    const after = weightsOf(model);

    const [inputs, labels] = [x.arraySync(), y.arraySync()];
    const A = new Float64Array(25);
    const G = new Float64Array(9);
    const V = new Float64Array(15);
    inputs.forEach((row, n) => {
      const a = [...row, 1];
      const logits = [0, 1, 2].map((j) =>
        row.reduce((sum, value, i) => sum + value * kernel[3 * i + j], bias[j]),
      );
      const total = logits.reduce((sum, z) => sum + Math.exp(z), 0);
      const p = logits.map((z) => Math.exp(z) / total);
      a.forEach((ai, i) => a.forEach((ak, k) => (A[5 * i + k] += (ai * ak) / 10)));
      p.forEach((pj, j) => p.forEach((pl, l) => (G[3 * j + l] += ((j === l ? pj : 0) - pj * pl) / 10)));
      a.forEach((ai, i) => p.forEach((pj, j) => (V[3 * i + j] += (ai * (pj - labels[n][j])) / 10)));
    });
    const trace = (m: Float64Array, size: number) =>
      Array.from({ length: size }, (_, i) => m[i * size + i]).reduce((s, v) => s + v, 0);
    const pi = Math.sqrt(trace(A, 5) / 5 / (trace(G, 3) / 3));
    const [dampedA, dampedG] = [
      plusDiagonal(A, pi * Math.sqrt(lambda)),
      plusDiagonal(G, Math.sqrt(lambda) / pi),
    ];
    const columns = [0, 1, 2].map((j) =>
      solve(
        dampedA,
        Float64Array.from({ length: 5 }, (_, i) => V[3 * i + j]),
      ),
    );
    const rows = Array.from({ length: 5 }, (_, i) =>
      solve(dampedG, Float64Array.of(...columns.map((column) => column[i]))),
    );
    const expected = [...kernel, ...bias].map((w, at) => w - rows[Math.floor(at / 3)][at % 3]);
    expect(relativeError([...after[0], ...after[1]], expected)).toBeLessThan(2e-5);
  });

  it.each(['overlapped', 'immediate'] as const)('is deterministic with %s refresh', async (refresh) => {
    const runs: Float32Array[][] = [];
    for (let run = 0; run < 2; run++) {
      const { model } = compiled({ refresh, refreshPeriod: 3, seed: 4 });
      await train(model, 12);
      runs.push(weightsOf(model));
    }
    expect(runs[0]).toEqual(runs[1]);
    const { model } = compiled({ refresh, refreshPeriod: 3, seed: 5 });
    await train(model, 12);
    expect(weightsOf(model)).not.toEqual(runs[0]);
  });

  it.each([
    ['sampled', {}],
    ['with momentum off and averaging', { momentum: null, averaging: { decay: 0.9 } }],
    ['exact in float64', { fisher: 'exact', precision: 'float64' }],
    [
      'empirical with adapted damping',
      { fisher: 'empirical', damping: { adapt: 'levenbergMarquardt', initial: 0.3, period: 2 } },
    ],
    [
      'with steps by the quadratic model',
      { learningRate: 'quadraticModel', momentum: 'quadraticModel', rejectSteps: true },
    ],
    [
      'with a schedule',
      {
        learningRate: schedules.exponentialDecay({
          initial: 0.05,
          decaySteps: 5,
          decayRate: 0.5,
        }),
      },
    ],
  ] as [string, NaturalGradientConfig][])(
    'resumes from a saved model as if it had not been interrupted, %s',
    async (_, config) => {
      const whole = compiled({ refreshPeriod: 4, ...config });
      await train(whole.model, 14);

      const first = compiled({ refreshPeriod: 4, ...config });
      await train(first.model, 7);
      let artifacts: tf.io.ModelArtifacts | undefined;
      await first.model.save(
        tf.io.withSaveHandler((saved) => {
          artifacts = saved;
          return Promise.resolve({ modelArtifactsInfo: tf.io.getModelArtifactsInfoForJSON(saved) });
        }),
        { includeOptimizer: true },
      );
      // Saving must not change the run that goes on either.
      await train(first.model, 7, 7);
      expect(weightsOf(first.model)).toEqual(weightsOf(whole.model));

      const second = (await tf.loadLayersModel(tf.io.fromMemory(artifacts!))) as tf.Sequential;
      expect(second.optimizer).toBeInstanceOf(NaturalGradientOptimizer);
      expect(second.optimizer.iterations).toBe(7);
      await train(second, 7, 7);
      expect(weightsOf(second)).toEqual(weightsOf(whole.model));
    },
  );

  it('leaves weights and factors alone when a batch is not finite, and says so', async () => {
    const { model, optimizer } = compiled({ refreshPeriod: 1 });
    await train(model, 3);
    const before = [weightsOf(model), await stateOf(optimizer)];
    const { x, y } = examples(8);
    await model.trainOnBatch(x.mul(NaN), y);
    await model.trainOnBatch(x, y.mul(NaN));
    expect([weightsOf(model), await stateOf(optimizer)]).toEqual(before);
    expect(optimizer.stats()).toMatchObject({ skippedSteps: 2, skippedBatches: 2, step: 5 });
    expect(warnings.mock.calls.flat().join()).toMatch(/not finite/);
    const [loss] = await train(model, 1);
    expect(loss).toBeLessThan(5);
    expect(weightsOf(model)).not.toEqual(before[0]);
  });

  it('keeps the previous inverses when a factor cannot be inverted, counts it, and trains on', async () => {
    const { model, optimizer } = compiled({ refreshPeriod: 1, refresh: 'immediate' });
    await train(model, 3);
    const { x, y } = examples(8);
    // The squares of these inputs overflow float32, so that A becomes infinite while loss and gradients stay finite (tanh saturates).
    await model.trainOnBatch(x.mul(1e22), y);
    expect(optimizer.stats().refreshFailures).toBeGreaterThan(0);
    expect(warnings.mock.calls.flat().join()).toMatch(/could not be inverted/);
    const { refreshFailures } = optimizer.stats();
    const before = weightsOf(model);
    const [loss] = await train(model, 4);
    expect(Number.isFinite(loss)).toBe(true);
    expect(weightsOf(model)).not.toEqual(before);
    // The average of the factors has begun anew, so that they can be inverted again.
    expect(optimizer.stats().refreshFailures).toBe(refreshFailures);
    expect(
      weightsOf(model)
        .flatMap((values) => [...values])
        .every(Number.isFinite),
    ).toBe(true);
  });

  it('keeps the number of tensors and releases everything', async () => {
    const start = tf.memory().numTensors;
    const { model, optimizer } = compiled({
      damping: { adapt: 'levenbergMarquardt', initial: 0.1 },
      averaging: {},
    });
    await train(model, 12);
    const { numTensors } = tf.memory();
    await train(model, 30);
    expect(tf.memory().numTensors).toBe(numTensors);
    optimizer.dispose();
    model.dispose();
    expect(tf.memory().numTensors).toBe(start);
    expect(() => optimizer.applyGradients({})).toThrow(errorWithCode('ERR_NATGRAD_STATE'));
  });

  it('covers every trainable variable and says what each got', async () => {
    const model = tf.sequential({
      layers: [
        tf.layers.embedding({ inputDim: 7, outputDim: 4, inputLength: 6 }),
        tf.layers.layerNormalization(),
        tf.layers.dense({ units: 5, activation: 'relu' }),
        tf.layers.flatten(),
        tf.layers.dense({ units: 3, activation: 'softmax' }),
      ],
    });
    if (backend === 'wasm') return; // Plain wasm has no gradient for embeddings.
    const optimizer = kfac();
    model.compile({ optimizer, loss: 'categoricalCrossentropy' });
    const x = tf.tensor2d(
      Float32Array.from({ length: 48 }, (_, i) => (i * 5) % 7),
      [8, 6],
    );
    const y = tf.oneHot(tf.tensor1d([0, 1, 2, 0, 1, 2, 0, 1], 'int32'), 3).toFloat();
    await model.trainOnBatch(x, y);
    const summary = optimizer.summary();
    const named = summary.flatMap(({ variables }) => variables.split(', ')).sort();
    expect(named).toEqual(model.trainableWeights.map(({ name }) => name).sort());
    const parameters = summary.reduce((sum, row) => sum + row.parameters, 0);
    expect(parameters).toBe(model.countParams());
    const structure = (part: string) => summary.find(({ variables }) => variables.includes(part))!;
    expect(structure('embedding')).toMatchObject({
      structure: 'diagonal (x) Kronecker factor',
      matrices: 'diagonal 7, 4 x 4',
    });
    expect(structure('dense')).toMatchObject({
      structure: 'Kronecker factored',
      matrices: '5 x 5, 5 x 5',
      reason: '',
    });
    expect(structure('gamma')).toMatchObject({ structure: 'exact per channel', reason: '' });
  });

  it('adapts the damping by how well the model predicted the loss', async () => {
    const { model, optimizer } = compiled({
      damping: { adapt: 'levenbergMarquardt', initial: 10, period: 1 },
      momentum: 0,
      learningRate: 1,
      fisher: 'exact',
      refresh: 'immediate',
      refreshPeriod: 1,
      factorDecay: 0,
    });
    const { x, y } = examples(64);
    await model.trainOnBatch(x, y);
    // Damping so large that the step is short: the quadratic model is all but exact there, rho ~ 1, and the damping falls by 19/20.
    expect(optimizer.stats().damping).toBeCloseTo(9.5, 5);
  });

  it('applies the plain gradient when no statistics were gathered, and says so', () => {
    const w = tf.variable(tf.tensor1d([1, 2]));
    const optimizer = kfac({ learningRate: 0.5, momentum: 0, klClip: null });
    const { grads } = tf.variableGrads(() => w.square().sum().asScalar(), [w]);
    optimizer.applyGradients(grads);
    expect([...w.dataSync()]).toEqual([0, 0]);
    expect(warnings.mock.calls.flat().join()).toMatch(/No statistics/);
  });

  it('uses the empirical Fisher matrix where no distribution is recognised, and refuses to under strict', () => {
    const w = tf.variable(tf.randomNormal([3, 2], 0, 1, 'float32', 1));
    const x = tf.randomNormal([5, 3], 0, 1, 'float32', 2);
    const loss = () =>
      tf.tidy(() =>
        x
          .matMul(w as unknown as tf.Tensor2D)
          .tanh()
          .mean()
          .asScalar(),
      );
    const optimizer = kfac();
    optimizer.minimize(loss, false, [w]);
    expect(optimizer.stats().fisher).toBe('empirical');
    expect(warnings.mock.calls.flat().join()).toMatch(/empirical/);
    expect(() => kfac({ strict: true }).minimize(loss, false, [w])).toThrow(
      errorWithCode('ERR_NATGRAD_LIKELIHOOD'),
    );
  });

  it('never writes into arrays that belong to the user', () => {
    const mine = Float32Array.from({ length: 6 }, noise(9));
    const copy = mine.slice();
    const w = tf.variable(tf.tensor2d(mine, [3, 2]));
    const clone = w.clone();
    const x = tf.randomNormal([5, 3], 0, 1, 'float32', 2);
    const optimizer = kfac({ learningRate: 1 });
    const step = () =>
      optimizer.minimize(
        () =>
          tf.tidy(() =>
            tf.losses.meanSquaredError(tf.zeros([5, 2]), x.matMul(w as unknown as tf.Tensor2D)).asScalar(),
          ),
        false,
        [w],
      );
    step();
    const later = w.clone();
    const values = [...later.dataSync()];
    step();
    expect([...mine]).toEqual([...copy]);
    expect([...clone.dataSync()]).toEqual([...copy]);
    expect([...later.dataSync()]).toEqual(values);
    expect([...w.dataSync()]).not.toEqual(values);
  });
});

async function stateOf(optimizer: NaturalGradientOptimizer): Promise<number[][]> {
  const weights = (await optimizer.getWeights()).slice(1).filter(({ name }) => name !== 'skippedSteps');
  return weights.map(({ tensor }) => [...tensor.dataSync()]);
}

describe('the options of kfac', () => {
  it.each([
    [{ learningRat: 0.1 }, /'learningRat' is not an option/],
    [{ learningRate: -1 }, /learningRate/],
    [{ learningRate: NaN }, /learningRate/],
    [{ momentum: 1 }, /momentum/],
    [{ damping: { adapt: 'magic', initial: 1 } }, /damping\.adapt/],
    [{ factorDecay: 1 }, /factorDecay/],
    [{ refreshPeriod: 0 }, /refreshPeriod/],
    [{ refresh: 'sometimes' }, /refresh/],
    [{ klClip: -1 }, /klClip/],
    [{ precision: 'float16' }, /precision/],
    [{ backend: 'tpu' }, /backend/],
    [{ seed: 0.5 }, /seed/],
    [{ fisher: 'guess' }, /fisher/],
    [{ blocks: [{ match: /x/, curvature: 'cubic' }] }, /blocks\[0\]\.curvature/],
    [{ blocks: [{ curvature: 'diagonal' }] }, /blocks\[0\]\.match/],
    [42, /configuration/],
  ])('refuses %p with an error that names it', (config, message) => {
    expect(() => kfac(config as NaturalGradientConfig)).toThrow(
      expect.objectContaining({
        name: 'NatgradError',
        code: expect.stringMatching(/^ERR_NATGRAD_(ARGUMENT|TYPE)$/) as string,
        message: expect.stringMatching(message) as string,
      }) as Error,
    );
  });

  it('survive being saved as JSON and read back', () => {
    const config: NaturalGradientConfig = {
      learningRate: schedules.cosineDecay({ initial: 0.1, decaySteps: 100 }),
      momentum: null,
      damping: { adapt: 'levenbergMarquardt', initial: 2, min: 0.1 },
      weightDecay: { rate: 0.01, exclude: ['bias', /norm/i] },
      fisher: { estimator: 'sampled', draws: 2 },
      blocks: [{ match: /embed/, curvature: 'diagonal' }],
      klClip: 1e-3,
      seed: 9,
    };
    const saved = JSON.parse(JSON.stringify(kfac(config).getConfig())) as tf.serialization.ConfigDict;
    const restored = NaturalGradientOptimizer.fromConfig(
      NaturalGradientOptimizer,
      saved,
    ) as NaturalGradientOptimizer;
    expect(restored.getConfig()).toEqual(kfac(config).getConfig());
    expect((restored.learningRate as (step: number) => number)(50)).toBeCloseTo(0.05, 12);
  });
});
