import * as tf from '@tensorflow/tfjs';

import { foof, kfac, type NaturalGradientOptimizer } from '../../src';
import { InputFactoredBlock } from '../../src/curvature/kronecker/inputFactored';
import { KroneckerFactoredBlock } from '../../src/curvature/kronecker/kroneckerFactored';
import type { NaturalGradientConfig } from '../../src/optimizer/config';
import { backends, useBackend } from '../support/backends';
import { relativeError } from '../support/matrices';

type Minimize = (optimizer: tf.Optimizer, f: () => tf.Scalar) => void;

const minimize: Minimize = (optimizer, f) => void optimizer.minimize(f);

/** The same gradients in other tensors, which are not known to be products of rows. */
const minimizeByCopies: Minimize = (optimizer, f) => {
  const { value, grads } = optimizer.computeGradients(f);
  const copies = Object.fromEntries(Object.entries(grads).map(([name, tensor]) => [name, tensor.clone()]));
  optimizer.applyGradients(copies);
  tf.dispose([value, grads, copies]);
};

interface Variation {
  preset?: (config: NaturalGradientConfig) => NaturalGradientOptimizer;
  config?: NaturalGradientConfig;
  step?: Minimize;
  /** What is added to the loss. */
  penalty?: (kernel: tf.Tensor) => tf.Scalar;
  /** How many of the eight examples each step has; default all. */
  batchSizes?: number[];
  /** How many times the first layer is applied. */
  applications?: number;
  steps?: number;
}

/** Trains a classifier whose first layer is wider than its batch has rows. */
function train(variation: Variation): Float32Array[] {
  const {
    preset = kfac,
    config,
    step = minimize,
    penalty,
    batchSizes,
    applications = 1,
    steps = 1,
  } = variation;
  const uniform = (shape: number[], range: number, seed: number) =>
    tf.randomUniform(shape, -range, range, 'float32', seed);
  const variables = tf.tidy(() => [
    tf.variable(uniform([200, 200], 0.1, 1)),
    tf.variable(uniform([200], 0.1, 2)),
    tf.variable(uniform([200, 3], 0.1, 3)),
  ]);
  const [kernel, bias, last] = variables;
  const all = uniform([8, 200], 1, 4);
  const labels = tf.tidy(() => tf.oneHot(tf.tensor1d([0, 1, 2, 0, 1, 2, 0, 1], 'int32'), 3).toFloat());
  const optimizer = preset({ seed: 5, refresh: 'immediate', ...config });
  const loss = (count: number) => {
    const y = labels.slice(0, count);
    let hidden: tf.Tensor = all.slice(0, count);
    for (let i = 0; i < applications; i++) hidden = tf.tanh(tf.add(tf.matMul(hidden, kernel), bias));
    const fit = tf.losses.softmaxCrossEntropy<tf.Tensor, tf.Scalar>(y, tf.matMul(hidden, last));
    return penalty ? tf.add<tf.Scalar>(fit, penalty(kernel)) : fit;
  };
  for (let i = 0; i < steps; i++) step(optimizer, () => tf.tidy(() => loss(batchSizes?.[i] ?? 8)));
  const weights = variables.map((variable) => variable.dataSync<'float32'>().slice());
  optimizer.dispose();
  tf.dispose([variables, all, labels]);
  return weights;
}

describe.each(backends)('gradients as products of rows on the %s backend', (backend) => {
  let byRows: jest.SpyInstance;
  beforeAll(() => useBackend(backend));
  beforeEach(() => (byRows = jest.spyOn(KroneckerFactoredBlock.prototype, 'preconditionRows')));
  afterEach(() => jest.restoreAllMocks());

  describe.each(['immediate', 'overlapped'] as const)('with %s refresh', (refresh) => {
    test.each(['empirical', 'sampled', 'exact'] as const)('give the steps of the %s gradients', (fisher) => {
      const begun = jest.spyOn(KroneckerFactoredBlock.prototype, 'beginRows');
      // The second refresh comes into use in the sixth step.
      const steps = 7;
      const config = { fisher, refresh };
      const rows = train({ config, steps });
      expect(byRows).toHaveBeenCalledTimes(steps);
      // The first step computes the first inverses; from then on those of a step are known before its statistics are.
      expect(begun).toHaveBeenCalledTimes(refresh === 'overlapped' ? steps - 1 : 0);
      byRows.mockClear();
      const plain = train({ config, steps, step: minimizeByCopies });
      expect(byRows).not.toHaveBeenCalled();
      rows.forEach((weights, i) => expect(relativeError(weights, plain[i])).toBeLessThan(1e-5));
    });
  });

  test('give the steps of foof, which has no factor of the outputs and takes no backward pass for statistics', () => {
    const byInputRows = jest.spyOn(InputFactoredBlock.prototype, 'preconditionRows');
    const steps = 5;
    const rows = train({ preset: foof, steps });
    expect(byInputRows).toHaveBeenCalledTimes(steps);
    byInputRows.mockClear();
    const plain = train({ preset: foof, steps, step: minimizeByCopies });
    expect(byInputRows).not.toHaveBeenCalled();
    rows.forEach((weights, i) => expect(relativeError(weights, plain[i])).toBeLessThan(1e-5));
  });

  test('are those of their own batch, where only smaller batches are taken by rows', () => {
    const isSmall = (rows: number) => rows <= 4;
    jest.spyOn(KroneckerFactoredBlock.prototype, 'prefersRows').mockImplementation(isSmall);
    const variation = { batchSizes: [8, 4, 8, 8, 4], steps: 5 };
    const rows = train(variation);
    // Two small batches, two layers.
    expect(byRows).toHaveBeenCalledTimes(4);
    const plain = train({ ...variation, step: minimizeByCopies });
    rows.forEach((weights, i) => expect(relativeError(weights, plain[i])).toBeLessThan(1e-5));
  });

  test('give the same bits every time', () => {
    const variation = { config: { fisher: 'sampled', refresh: 'overlapped' }, steps: 12 } as const;
    expect(train(variation)).toEqual(train(variation));
  });

  test('leave nothing behind', () => {
    train({});
    const { numTensors } = tf.memory();
    train({ steps: 3 });
    expect(tf.memory().numTensors).toBe(numTensors);
  });

  test.each<[string, Variation]>([
    ['a penalty on the kernel', { penalty: (kernel) => kernel.square().sum().mul(0.1) }],
    ['a layer that is used twice', { applications: 2 }],
    ['a gradient that is clipped', { config: { clipNorm: 1e-3 } }],
    ['L2 of the optimizer', { config: { l2: 0.1 } }],
    ['a step without statistics', { config: { factorUpdatePeriod: 2 }, steps: 2 }],
  ])('are not used with %s', (_, variation) => {
    const weights = train(variation);
    const count = variation.config?.factorUpdatePeriod === 2 ? 1 : 0;
    expect(byRows).toHaveBeenCalledTimes(count);
    const plain = train({ ...variation, step: minimizeByCopies });
    if (count === 0) expect(weights).toEqual(plain);
  });

  test('a penalty on another layer does not matter', () => {
    const other = tf.variable(tf.ones([3]));
    train({ penalty: () => other.square().sum<tf.Scalar>() });
    expect(byRows).toHaveBeenCalledTimes(1);
    other.dispose();
  });
});
