import * as tf from '@tensorflow/tfjs';

import { kfac, NaturalGradientOptimizer, type NaturalGradientConfig } from '../../src';
import { errorWithCode } from '../errorWithCode';
import { useBackend } from '../support/backends';
import { noise, randomInputs } from '../support/denseNet';

/** A linear net with half squared error, whose Fisher matrix x'x / N is also its Hessian, so that G = 1 and A + gamma I is all there is. */
const ROWS = 12;
const SIZE = 5;

function linear() {
  const w = tf.variable<tf.Rank.R2>(tf.tensor2d(Float32Array.from({ length: SIZE }, noise(5)), [SIZE, 1]));
  const x = tf.tensor2d(Float32Array.from(randomInputs(ROWS, SIZE, 3)), [ROWS, SIZE]);
  const y = tf.tensor2d(Float32Array.from(randomInputs(ROWS, 1, 4)), [ROWS, 1]);
  const loss = () => tf.tidy(() => tf.squaredDifference(x.matMul(w), y).mean().div(2).asScalar());
  return { w, loss };
}

const exactly = {
  fisher: { estimator: 'exact', variance: 1, distribution: 'gaussian' },
  refresh: 'immediate',
  momentum: null,
  dampingSplit: 'equal',
} as const;

const lambda = 0.3;
const omega = 0.95;

describe('preconditionerDamping', () => {
  beforeAll(() => useBackend('cpu'));
  afterEach(() => tf.disposeVariables());

  // With D = -(A + gamma I)^-1 g and the best length along it, the model is lowest for gamma = lambda, by Cauchy's inequality: there D is
  // the minimiser of the model itself. gamma is the root of the option.
  it.each([
    ['goes down where the model says so', lambda ** 2 / omega ** 3, 3],
    ['goes up where the model says so', lambda ** 2 * omega ** 3, 3],
    ['stays at the minimum of the model', lambda ** 2, 0],
  ])('%s', (_, initial, searches) => {
    const { w, loss } = linear();
    const preconditionerDamping = { adapt: 'quadraticModel', initial, period: 1, decay: omega } as const;
    const optimizer = kfac({
      ...exactly,
      learningRate: 'quadraticModel',
      damping: lambda,
      preconditionerDamping,
    });
    const values = Array.from({ length: searches + 2 }, () => {
      optimizer.minimize(loss, false, [w]);
      return optimizer.stats().preconditionerDamping;
    });
    expect(values[0]).toBe(Math.fround(initial));
    expect(values[searches] / lambda ** 2).toBeCloseTo(1, 6);
    expect(values[searches + 1]).toBe(values[searches]);
    expect(optimizer.stats().damping).toBe(lambda);
  });

  it('starts from the damping, and keeps within its bounds', () => {
    const { w, loss } = linear();
    const preconditionerDamping = { adapt: 'quadraticModel', min: 0.29, period: 2 } as const;
    const optimizer = kfac({
      ...exactly,
      learningRate: 'quadraticModel',
      damping: lambda,
      preconditionerDamping,
    });
    const values = Array.from({ length: 5 }, () => {
      optimizer.minimize(loss, false, [w]);
      return optimizer.stats().preconditionerDamping;
    });
    // 0.3 omega would be below 0.29; the search is due in steps 2 and 4.
    expect(values).toEqual([lambda, lambda, ...Array<number>(3).fill(Math.fround(0.29))]);
  });

  it('inverts with a value of its own, or with one per step', () => {
    const plain = { ...exactly, learningRate: 1, klClip: null };
    const stepOf = (config: NaturalGradientConfig) => {
      const { w, loss } = linear();
      const optimizer = kfac({ ...plain, ...config });
      optimizer.minimize(loss, false, [w]);
      optimizer.minimize(loss, false, [w]);
      return w.dataSync().slice();
    };
    const expected = stepOf({ damping: 0.2 });
    expect(stepOf({ damping: 0.7, preconditionerDamping: 0.2 })).toEqual(expected);
    expect(stepOf({ damping: 0.7, preconditionerDamping: () => 0.2 })).toEqual(expected);
    expect(stepOf({ damping: 0.7 })).not.toEqual(expected);
  });

  it('is saved and resumed with the optimizer', async () => {
    const config = {
      ...exactly,
      learningRate: 'quadraticModel',
      damping: lambda,
      preconditionerDamping: { adapt: 'quadraticModel', initial: 2, period: 2 },
    } as const;
    const { w, loss } = linear();
    const optimizer = kfac(config);
    for (let i = 0; i < 3; i++) optimizer.minimize(loss, false, [w]);
    const saved = w.dataSync().slice();
    const weights = await optimizer.getWeights();
    const json = JSON.parse(JSON.stringify(optimizer.getConfig())) as tf.serialization.ConfigDict;
    for (let i = 0; i < 3; i++) optimizer.minimize(loss, false, [w]);

    const resumed = NaturalGradientOptimizer.fromConfig<NaturalGradientOptimizer>(
      NaturalGradientOptimizer,
      json,
    );
    await resumed.setWeights(weights);
    const after = w.dataSync().slice();
    w.assign(tf.tensor2d(saved, [SIZE, 1]));
    for (let i = 0; i < 3; i++) resumed.minimize(loss, false, [w]);
    expect(w.dataSync()).toEqual(after);
    expect(resumed.stats().preconditionerDamping).toBe(optimizer.stats().preconditionerDamping);
  });

  it.each([
    [{ adapt: 'levenbergMarquardt' }, /adapt is 'levenbergMarquardt'/],
    [{ adapt: 'quadraticModel', initial: -1 }, /initial/],
    [{ adapt: 'quadraticModel', initial: 1, max: 0.5 }, /initial is 1; give a value from min/],
    [{ adapt: 'quadraticModel', period: 0.5 }, /period is 0.5/],
    [{ adapt: 'quadraticModel', decay: 1 }, /decay is 1/],
    [{ adapt: 'quadraticModel', rate: 1 }, /rate is not an option/],
  ])('refuses %j', (preconditionerDamping, message) => {
    const make = () => kfac({ preconditionerDamping } as unknown as NaturalGradientConfig);
    expect(make).toThrow(message);
    expect(make).toThrow(errorWithCode('ERR_NATGRAD_ARGUMENT'));
  });

  it('cannot be searched for without the loss as a function', () => {
    const optimizer = kfac({ preconditionerDamping: { adapt: 'quadraticModel' } });
    expect(() => optimizer.applyGradients([])).toThrow(errorWithCode('ERR_NATGRAD_STATE'));
  });
});
