import * as tf from '@tensorflow/tfjs';

import { NaturalGradientOptimizer, trustRegion } from '../../src';
import { errorWithCode } from '../errorWithCode';
import { backends, useBackend } from '../support/backends';
import { randomInputs } from '../support/denseNet';
import { dot, gradientAt, hessian, inputs, linear, ROWS, SIZE, start, lossAt } from '../support/leastSquares';
import { addOuterProduct, plusDiagonal, solve } from '../support/matrices';

/** F = x'x / N of the linear net f = x w with half squared error. */
const fisher = new Float64Array(SIZE * SIZE);
for (let r = 0; r < ROWS; r++) addOuterProduct(fisher, inputs.subarray(r * SIZE, (r + 1) * SIZE), 1 / ROWS);

const gradient = () => gradientAt(start);

describe.each(backends)('trustRegion on the %s backend of tfjs', (backend) => {
  beforeAll(() => useBackend(backend));
  afterEach(() => tf.disposeVariables());
  let warnings: jest.SpyInstance;
  beforeEach(() => (warnings = jest.spyOn(console, 'warn').mockImplementation(() => {})));
  afterEach(() => warnings.mockRestore());

  it('takes a step along the natural gradient whose divergence is the bound', () => {
    const { w, loss } = linear();
    const maxKl = 1e-3;
    // A Gaussian's divergence is quadratic, so the step to the boundary measures maxKl but for rounding, which 1.001 leaves room for.
    const optimizer = trustRegion({
      maxKl,
      iterations: SIZE,
      damping: 0,
      fisher: { distribution: 'gaussian', variance: 1 },
    });
    const cost = optimizer.minimize(loss, true, [w])!;
    const step = Float64Array.from(w.dataSync<'float32'>(), (value, i) => value - Math.fround(start[i]));
    const report = optimizer.stats().trustRegion!;
    const quadratic = dot(step, hessian(step)) / 2;
    expect(Math.abs(report.kl / quadratic - 1)).toBeLessThan(1e-3);
    expect(Math.abs(quadratic / (report.fraction ** 2 * maxKl) - 1)).toBeLessThan(1e-3);
    expect([1, 0.8]).toContain(report.fraction);
    expect(report.kl).toBeLessThanOrEqual(maxKl);
    const natural = solve(fisher, gradient());
    expect(dot(step, natural) / Math.sqrt(dot(step, step) * dot(natural, natural))).toBeCloseTo(-1, 4);
    expect(report.residual).toBeLessThan(1e-3);
    expect(cost.dataSync()[0]).toBeCloseTo(lossAt(start), 5);
  });

  it('solves with the damping that it was given', () => {
    const { w, loss } = linear();
    const optimizer = trustRegion({
      iterations: SIZE,
      damping: 0.5,
      fisher: { distribution: 'gaussian', variance: 1 },
    });
    optimizer.minimize(loss, false, [w]);
    const step = Float64Array.from(w.dataSync<'float32'>(), (value, i) => value - start[i]);
    const damped = solve(plusDiagonal(fisher, 0.5), gradient());
    expect(dot(step, damped) / Math.sqrt(dot(step, step) * dot(damped, damped))).toBeCloseTo(-1, 4);
    expect(optimizer.stats().damping).toBe(0.5);
  });

  it('leaves the weights where every length raises the loss', () => {
    const { w, loss } = linear();
    const optimizer = trustRegion({ fisher: { distribution: 'gaussian', variance: 1 } });
    let calls = 0;
    // A loss that is the higher the more often it is looked at.
    optimizer.minimize(() => tf.tidy(() => loss().add(calls++).asScalar()), false, [w]);
    expect([...w.dataSync()]).toEqual([...Float32Array.from(start)]);
    expect(optimizer.stats().trustRegion).toMatchObject({ fraction: 0, kl: 0 });
    expect(calls).toBe(11);
    expect(optimizer.iterations).toBe(1);
  });

  it('trains a classifier in fit, gives the metrics of one evaluation and leaks nothing', async () => {
    const model = tf.sequential({
      layers: [
        tf.layers.dense({
          units: 6,
          activation: 'tanh',
          inputShape: [4],
          kernelInitializer: tf.initializers.glorotUniform({ seed: 1 }),
        }),
        tf.layers.dense({
          units: 3,
          activation: 'softmax',
          kernelInitializer: tf.initializers.glorotUniform({ seed: 2 }),
        }),
      ],
    });
    const optimizer = trustRegion({ maxKl: 0.05 });
    model.compile({ optimizer, loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
    const values = Float32Array.from(randomInputs(64, 4, 3));
    const x = tf.tensor2d(values, [64, 4]);
    const labels = Array.from({ length: 64 }, (_, r) =>
      values[4 * r] > 0 ? 0 : values[4 * r + 1] > 0 ? 1 : 2,
    );
    const y = tf.tidy(() => tf.oneHot(tf.tensor1d(labels, 'int32'), 3).toFloat());
    const losses: number[] = [];
    let numTensors = 0;
    for (let i = 0; i < 15; i++) {
      const results = (await model.trainOnBatch(x, y)) as number[];
      expect(results).toHaveLength(2);
      losses.push(results[0]);
      const { kl, fraction } = optimizer.stats().trustRegion!;
      expect(kl).toBeLessThanOrEqual(0.05);
      expect(fraction).toBeGreaterThan(0);
      if (i === 1) numTensors = tf.memory().numTensors;
    }
    expect(tf.memory().numTensors).toBe(numTensors);
    losses.slice(1).forEach((loss, i) => expect(loss).toBeLessThanOrEqual(losses[i]));
    expect(losses[14]).toBeLessThan(0.3 * losses[0]);
    expect(optimizer.summary()).toEqual([]);
  });

  it('leaves the weights alone when the loss is not finite, and says so', () => {
    const { w, loss } = linear();
    const optimizer = trustRegion();
    optimizer.minimize(() => tf.tidy(() => loss().div(0).asScalar()), false, [w]);
    expect([...w.dataSync()]).toEqual([...Float32Array.from(start)]);
    expect(optimizer.stats().skippedSteps).toBe(1);
    expect(warnings.mock.calls.flat().join()).toMatch(/not finite/);
  });

  it('refuses what it cannot do', () => {
    const { w, loss } = linear();
    const optimizer = trustRegion();
    const { grads } = optimizer.computeGradients(loss, [w]);
    expect(() => optimizer.applyGradients(grads)).toThrow(errorWithCode('ERR_NATGRAD_STATE'));
    expect(() => (optimizer.learningRate = 0.1)).toThrow(errorWithCode('ERR_NATGRAD_STATE'));
    const unknown = () => tf.tidy(() => w.tanh().mean().asScalar());
    expect(() => optimizer.minimize(unknown, false, [w])).toThrow(errorWithCode('ERR_NATGRAD_LIKELIHOOD'));
    const bad = [{ maxKl: -1 }, { radius: 1 } as object, { fisher: 'empirical' as const }];
    for (const options of bad)
      expect(() => trustRegion(options)).toThrow(errorWithCode('ERR_NATGRAD_ARGUMENT'));
    expect(() => new NaturalGradientOptimizer({ trustRegion: {}, momentum: 0.5 })).toThrow(
      errorWithCode('ERR_NATGRAD_ARGUMENT'),
    );
  });

  it('is saved and restored', () => {
    const config = trustRegion({
      maxKl: 0.02,
      fisher: { distribution: 'gaussian', variance: 1 },
    }).getConfig();
    const json = JSON.parse(JSON.stringify(config)) as tf.serialization.ConfigDict;
    const restored = NaturalGradientOptimizer.fromConfig(NaturalGradientOptimizer, json);
    expect(restored.getConfig()).toEqual(config);
  });
});
