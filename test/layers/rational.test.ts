import * as tf from '@tensorflow/tfjs';

import { exactNaturalGradient, kfac, layers, trustRegion } from '../../src';
import type { NaturalGradientConfig } from '../../src';
import type { RationalConfig } from '../../src/layers';
import { errorWithCode } from '../errorWithCode';
import { backends, useBackend } from '../support/backends';
import { randomInputs } from '../support/denseNet';
import { addOuterProduct, plusDiagonal, relativeError, solve } from '../support/matrices';
import { versions } from '../support/rationals';
import { findings } from '../tape/nets';

const silent = { verbose: 0, yieldEvery: 'never' } as const;
const seeded = (seed: number) => tf.initializers.glorotUniform({ seed });

/** 1 input, two rational hidden layers, 1 output; always the same initial weights. */
function net(config: RationalConfig = {}, units = 8): tf.Sequential {
  return tf.sequential({
    layers: [
      tf.layers.dense({ units, inputShape: [1], kernelInitializer: seeded(1) }),
      layers.rational(config),
      tf.layers.dense({ units, kernelInitializer: seeded(2) }),
      layers.rational(config),
      tf.layers.dense({ units: 1, kernelInitializer: seeded(3) }),
    ],
  });
}

/** y = sin(3 x) on [-1, 1]. */
function sine(rows: number): { x: tf.Tensor2D; y: tf.Tensor2D } {
  const x = Float32Array.from({ length: rows }, (_, i) => (2 * i) / (rows - 1) - 1);
  return {
    x: tf.tensor2d(x, [rows, 1]),
    y: tf.tensor2d(
      x.map((value) => Math.sin(3 * value)),
      [rows, 1],
    ),
  };
}

const variablesOf = (model: tf.LayersModel) =>
  model.trainableWeights.map((weight) => weight.read() as tf.Variable);

const valuesOf = (model: tf.LayersModel) =>
  model.getWeights().map((weight) => weight.dataSync<'float32'>().slice());

const meanSquare = (model: tf.LayersModel, x: tf.Tensor, y: tf.Tensor, training = true) =>
  tf.tidy(() => (model.apply(x, { training }) as tf.Tensor).sub(y).square().mean().asScalar());

describe.each(backends)('layers.rational on the %s backend', (backend) => {
  beforeAll(() => useBackend(backend));
  let warnings: jest.SpyInstance;
  beforeEach(() => (warnings = jest.spyOn(console, 'warn').mockImplementation(() => {})));
  afterEach(() => warnings.mockRestore());

  // Oracle: autodiff's gradients, which those rebuilt from (x, g) and the coefficients must equal.
  it('is a layer of its own kind on the tape, of one node', () => {
    const { x, y } = sine(12);
    for (const config of [
      {},
      { version: 'A', type: [4, 3] },
      { shared: false },
      { version: 'D' },
    ] as RationalConfig[]) {
      const model = net(config);
      const found = findings(() => meanSquare(model, x, y));
      const rationals = found.filter(({ kind }) => kind === 'rational');
      expect(rationals.map(({ names, roles, uses }) => ({ names, roles, uses }))).toEqual(
        [1, 1].map((uses) => ({
          names: ['numerator', 'denominator'],
          roles: ['numerator', 'denominator'],
          uses,
        })),
      );
      for (const { error } of rationals) expect(error).toBeLessThan(1e-4);
      expect(found.filter(({ kind }) => kind === 'dense').length).toBe(3);
    }
  });

  it('is understood where one layer is used twice, per channel, and behind a transposition', () => {
    const images = tf.tensor(Float32Array.from(randomInputs(2 * 3 * 4 * 5, 1, 2)), [2, 3, 4, 5]);
    for (const sharedAxes of [[1, 2], [2, 3], [2], undefined]) {
      const layer = layers.rational({ shared: false, sharedAxes, version: 'B' });
      const input = tf.input({ shape: [3, 4, 5] });
      const model = tf.model({
        inputs: input,
        outputs: layer.apply(layer.apply(input)) as tf.SymbolicTensor,
      });
      const [found] = findings(
        () => tf.tidy(() => (model.apply(images) as tf.Tensor).square().mean().asScalar()),
        [...model.trainableWeights.map((weight) => weight.read() as tf.Variable)],
      );
      expect(found).toMatchObject({ kind: 'rational', uses: 2 });
      expect(found.error).toBeLessThan(1e-4);
    }
  });

  // Oracle: scores of single examples by tf.grads, and Gaussian elimination in float64.
  it('is trained by the natural gradient of its own coefficients', () => {
    const { x, y } = sine(10);
    const model = net({ shared: false, version: 'B' }, 3);
    const lambda = 0.02;
    const [, , ...rest] = model.trainableWeights.map((weight) => weight.read() as tf.Variable);
    const own = rest.slice(0, 2);
    const flatGradients = (rows: number[]) =>
      tf.tidy(() => {
        const [input, target] = [x, y].map((tensor) => tf.gather(tensor, tf.tensor1d(rows, 'int32')));
        const { grads } = tf.variableGrads(() => meanSquare(model, input, target), own);
        return own.map(({ name }) => Array.from(grads[name].dataSync()));
      });
    const all = flatGradients(Array.from({ length: 10 }, (_, i) => i));
    const scores = Array.from({ length: 10 }, (_, i) => flatGradients([i]));
    const expected = [new Float64Array(12), new Float64Array(6)];
    for (let unit = 0; unit < 3; unit++) {
      const part = ([a, b]: number[][]) => [
        ...a.slice(4 * unit, 4 * unit + 4),
        ...b.slice(2 * unit, 2 * unit + 2),
      ];
      const fisher = new Float64Array(36);
      for (const score of scores) addOuterProduct(fisher, part(score), 1 / 10);
      const direction = solve(plusDiagonal(fisher, lambda), part(all));
      expected[0].set(direction.subarray(0, 4), 4 * unit);
      expected[1].set(direction.subarray(4), 2 * unit);
    }
    const before = own.map((variable) => variable.dataSync<'float32'>().slice());
    const optimizer = kfac({
      learningRate: 1,
      momentum: 0,
      klClip: null,
      damping: lambda,
      fisher: 'empirical',
      refresh: 'immediate',
    });
    optimizer.minimize(() => meanSquare(model, x, y), false, variablesOf(model));
    own.forEach((variable, i) => {
      const step = variable.dataSync<'float32'>().map((value, k) => before[i][k] - value);
      expect(relativeError(step, expected[i])).toBeLessThan(2e-3);
    });
    const [, ofRational] = optimizer.summary();
    expect(ofRational).toMatchObject({
      structure: 'exact',
      matrices: '3 of 6 x 6',
      parameters: 18,
      reason: '',
    });
  });

  it('has its exact block with every structure, but where a rule asks for the diagonal', () => {
    const { x, y } = sine(8);
    const structures = (config: NaturalGradientConfig) => {
      const model = net();
      const optimizer = kfac(config);
      optimizer.minimize(() => meanSquare(model, x, y), false, variablesOf(model));
      return optimizer
        .summary()
        .filter(({ variables }) => variables.includes('numerator'))
        .map((row) => row.structure);
    };
    expect(structures({})).toEqual(['exact', 'exact']);
    expect(structures({ strict: true, precision: 'float64' })).toEqual(['exact', 'exact']);
    expect(structures({ blocks: [{ match: 'dense', curvature: 'diagonal' }] })).toEqual(['exact', 'exact']);
    expect(structures({ blocks: [{ match: 'numerator', curvature: 'diagonal' }] })).toEqual([
      'diagonal',
      'diagonal',
    ]);
  });

  it('learns a sine in fit, faster with K-FAC than with SGD', async () => {
    const { x, y } = sine(64);
    const lossAfter = async (optimizer: tf.Optimizer) => {
      const model = net();
      model.compile({ optimizer, loss: 'meanSquaredError' });
      const { history } = await model.fit(x, y, { epochs: 60, batchSize: 64, shuffle: false, ...silent });
      return (history.loss as number[])[59];
    };
    const multipliers = [{ match: /numerator|denominator/, factor: 0.1 }];
    const natural = await lossAfter(
      kfac({ learningRate: 0.1, damping: 0.01, klClip: 1e-2, learningRateMultipliers: multipliers }),
    );
    const plain = Math.min(
      ...(await Promise.all([0.03, 0.1, 0.3].map((rate) => lossAfter(tf.train.sgd(rate))))).map((loss) =>
        Number.isNaN(loss) ? Infinity : loss,
      ),
    );
    expect(natural).toBeLessThan(0.5 * plain);
    expect(warnings.mock.calls.flat().join()).not.toMatch(/natgrad/);
  });

  it.each<[string, () => tf.Optimizer]>([
    [
      'the quadratic model',
      () => kfac({ learningRate: 'quadraticModel', momentum: 'quadraticModel', damping: 0.01 }),
    ],
    ['the trust region', () => trustRegion()],
    ['the exact Fisher matrix', () => exactNaturalGradient({ learningRate: 0.1 })],
  ])('learns with what differentiates forward: %s', async (_, optimizer) => {
    const { x, y } = sine(64);
    const model = net();
    model.compile({ optimizer: optimizer(), loss: 'meanSquaredError' });
    const { history } = await model.fit(x, y, { epochs: 20, batchSize: 64, shuffle: false, ...silent });
    const loss = history.loss as number[];
    expect(loss[19]).toBeLessThan(0.5 * loss[0]);
  });

  it.each(versions)('is saved and loaded with its model in version %s', async (version) => {
    const model = net({ version, shared: false, clip: 4, seed: 3, initializer: 'tanh' }, 4);
    model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
    const { x, y } = sine(8);
    await model.fit(x, y, { epochs: 2, ...silent });
    let artifacts: tf.io.ModelArtifacts = {};
    await model.save(
      tf.io.withSaveHandler((saved) => {
        artifacts = saved;
        return Promise.resolve({ modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } });
      }),
    );
    const modelTopology = JSON.parse(JSON.stringify(artifacts.modelTopology)) as object;
    const loaded = await tf.loadLayersModel(tf.io.fromMemory({ ...artifacts, modelTopology }));
    expect(loaded.layers[1]).toBeInstanceOf(layers.Rational);
    expect(loaded.layers[1].getConfig()).toEqual(model.layers[1].getConfig());
    const outputs = [model, loaded].map((m) => (m.predict(x) as tf.Tensor).dataSync<'float32'>().slice());
    expect(outputs[1]).toEqual(outputs[0]);
  });

  // Oracle: the definition of version D, "a uniform number from [0.9, 1.1) times every coefficient".
  it('has noise in training only in version D, the same for the same seed', () => {
    const x = tf.tensor2d([0.2, 0.5, -0.7, 1], [4, 1]);
    const outputs = (seed: number, training: boolean) => {
      const layer = layers.rational({ version: 'D', seed });
      return [0, 1].map(() => {
        const y = layer.apply(x, { training }) as tf.Tensor;
        return Array.from(y.dataSync());
      });
    };
    const [first, second] = outputs(1, true);
    expect(first).not.toEqual(second);
    expect(outputs(1, true)).toEqual([first, second]);
    expect(outputs(2, true)[0]).not.toEqual(first);
    const [quiet, again] = outputs(1, false);
    expect(again).toEqual(quiet);
    expect(outputs(2, false)[0]).toEqual(quiet);
    // Numerator and denominator are off by a tenth at most, so y by 1.1 / 0.9 where all terms are positive.
    expect(first[0] / quiet[0]).toBeGreaterThan(0.9 / 1.1);
    expect(first[0] / quiet[0]).toBeLessThan(1.1 / 0.9);
  });

  it('clips its input', () => {
    const layer = layers.rational({ clip: 2 });
    const [a, b, c] = (layer.apply(tf.tensor2d([2, 7, 1.5], [3, 1])) as tf.Tensor).dataSync();
    expect(b).toBe(a);
    expect(c).not.toBe(a);
  });

  it('leaves the weights as they are where a denominator of version N is zero', () => {
    // Q = 1 - x is zero at x = 1.
    const initializer = { numerator: [0, 1, 0, 0], denominator: [-1, 0] };
    const model = tf.sequential({
      layers: [
        layers.rational({ version: 'N', initializer, inputShape: [1] }),
        tf.layers.dense({ units: 1, kernelInitializer: seeded(1) }),
      ],
    });
    const optimizer = kfac({ damping: 0.1 });
    const before = valuesOf(model);
    const y = tf.zeros([2, 1]);
    optimizer.minimize(() => meanSquare(model, tf.tensor2d([1, 0.5], [2, 1]), y));
    expect(optimizer.stats().skippedSteps).toBe(1);
    expect(valuesOf(model)).toEqual(before);
    optimizer.minimize(() => meanSquare(model, tf.tensor2d([0.3, 0.5], [2, 1]), y));
    expect(optimizer.stats().skippedSteps).toBe(1);
    expect(valuesOf(model)).not.toEqual(before);
  });
});

describe('the options of layers.rational', () => {
  beforeAll(() => useBackend('cpu'));

  it.each([
    [{ type: [3] }, 'ERR_NATGRAD_ARGUMENT'],
    [{ type: [3, 0] }, 'ERR_NATGRAD_ARGUMENT'],
    [{ version: 'Q' }, 'ERR_NATGRAD_ARGUMENT'],
    [{ initializer: 'sine' }, 'ERR_NATGRAD_ARGUMENT'],
    [{ initializer: { numerator: [1], denominator: [1] } }, 'ERR_NATGRAD_SHAPE'],
    [{ shared: 1 }, 'ERR_NATGRAD_ARGUMENT'],
    [{ sharedAxes: [1] }, 'ERR_NATGRAD_ARGUMENT'],
    [{ shared: false, sharedAxes: [0] }, 'ERR_NATGRAD_ARGUMENT'],
    [{ clip: 0 }, 'ERR_NATGRAD_ARGUMENT'],
    [{ seed: -1 }, 'ERR_NATGRAD_ARGUMENT'],
    [{ degree: 3 }, 'ERR_NATGRAD_ARGUMENT'],
  ] as const)('refuse %j', (config, code) => {
    expect(() => layers.rational(config as unknown as RationalConfig)).toThrow(errorWithCode(code));
  });

  it('are checked against the input when the layer is built', () => {
    const of = (config: RationalConfig, shape: (number | null)[]) => () =>
      layers.rational({ shared: false, ...config }).apply(tf.input({ shape }));
    expect(of({ sharedAxes: 3 }, [4, 5])).toThrow(errorWithCode('ERR_NATGRAD_ARGUMENT'));
    expect(of({}, [null, 5])).toThrow(errorWithCode('ERR_NATGRAD_ARGUMENT'));
    expect(of({ sharedAxes: 1 }, [null, 5])).not.toThrow();
  });

  it('decide the shapes of the weights', () => {
    const shapes = (config: RationalConfig) => {
      const layer = layers.rational({ inputShape: [6, 7, 8], ...config });
      tf.sequential({ layers: [layer] });
      return layer.getWeights().map(({ shape }) => shape);
    };
    expect(shapes({})).toEqual([[4], [2]]);
    expect(shapes({ type: [5, 4], version: 'C' })).toEqual([[6], [5]]);
    expect(shapes({ version: 'boulle', shared: false, sharedAxes: [1, 2] })).toEqual([
      [1, 1, 8, 4],
      [1, 1, 8, 3],
    ]);
  });

  it('take any function to begin with', () => {
    const layer = layers.rational({
      initializer: { function: Math.sin, interval: [-2, 2] },
      inputShape: [1],
    });
    tf.sequential({ layers: [layer] });
    const [y] = (layer.apply(tf.tensor2d([0.8], [1, 1])) as tf.Tensor).dataSync();
    expect(Math.abs(y - Math.sin(0.8))).toBeLessThan(0.05);
  });

  it('may forbid training', () => {
    const model = tf.sequential({ layers: [layers.rational({ trainable: false, inputShape: [2] })] });
    expect(model.trainableWeights).toEqual([]);
    expect(model.nonTrainableWeights.length).toBe(2);
  });
});
