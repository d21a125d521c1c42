import * as tf from '@tensorflow/tfjs';

import { kfac, NaturalGradientOptimizer } from '../../src';
import type { NaturalGradientConfig } from '../../src';
import { LevenbergMarquardt } from '../../src/step/levenbergMarquardt';
import { errorWithCode } from '../errorWithCode';
import { backends, useBackend } from '../support/backends';
import { classifier, examples } from '../support/classifier';
import { dot, gradientAt, hessian, linear, lossAt, start } from '../support/leastSquares';
import { relativeError } from '../support/matrices';

/** `steps` iterates of conjugate gradients on that loss, by the textbook (Hestenes & Stiefel 1952). */
function conjugateIterates(steps: number): Float64Array[] {
  let w = start.slice();
  let r = gradientAt(w).map((value) => -value);
  let p = r.slice();
  return Array.from({ length: steps }, () => {
    const product = hessian(p);
    const length = dot(r, r) / dot(p, product);
    w = w.map((value, i) => value + length * p[i]);
    const next = r.map((value, i) => value - length * product[i]);
    const share = dot(next, next) / dot(r, r);
    p = next.map((value, i) => value + share * p[i]);
    r = next;
    return w;
  });
}

describe.each(backends)("'quadraticModel' on the %s backend of tfjs", (backend) => {
  beforeAll(() => useBackend(backend));
  afterEach(() => tf.disposeVariables());
  let warnings: jest.SpyInstance;
  beforeEach(() => (warnings = jest.spyOn(console, 'warn').mockImplementation(() => {})));
  afterEach(() => warnings.mockRestore());

  /** No factor is ever made, so that the direction is the gradient itself: the identity as preconditioner. */
  const identity: NaturalGradientConfig = {
    damping: 0,
    fisher: { variance: 1, distribution: 'gaussian' },
  };

  const descend = (config: NaturalGradientConfig, steps: number) => {
    const { w, loss } = linear();
    const optimizer = kfac({ ...identity, ...config });
    jest.spyOn(optimizer['estimation'], 'due').mockReturnValue(false);
    const iterates = Array.from({ length: steps }, () => {
      optimizer.minimize(loss, false, [w]);
      return w.dataSync<'float32'>().slice();
    });
    return { optimizer, iterates };
  };

  it('takes the steps of conjugate gradients, with the identity as preconditioner and no damping', () => {
    const { iterates } = descend({ learningRate: 'quadraticModel', momentum: 'quadraticModel' }, 4);
    // Float32 products; conjugacy amplifies their rounding from step to step.
    conjugateIterates(4).forEach((expected, i) => {
      expect(relativeError(iterates[i], expected)).toBeLessThan(2e-6);
    });
  });

  it('with a fixed momentum the learning rate minimises the loss along the step', () => {
    const { iterates, optimizer } = descend({ learningRate: 'quadraticModel', momentum: 0.5 }, 3);
    // The loss is the model here: no other length of the last step gives less.
    const [, before, after] = iterates.map((values) => Float64Array.from(values));
    const direction = gradientAt(before);
    const along = dot(gradientAt(after), direction) / dot(direction, direction);
    expect(Math.abs(along)).toBeLessThan(1e-5);
    expect(optimizer.stats()).toMatchObject({ momentum: 0.5, klClip: 1 });
    expect(optimizer.stats().learningRate).toBeGreaterThan(0);
  });

  it('with a fixed learning rate the momentum minimises the loss along the previous step', () => {
    const { iterates } = descend({ learningRate: 0.1, klClip: null, momentum: 'quadraticModel' }, 3);
    const [first, second, third] = iterates.map((values) => Float64Array.from(values));
    const previous = second.map((value, i) => value - first[i]);
    const along =
      dot(gradientAt(third), previous) /
      Math.sqrt(dot(previous, previous) * dot(gradientAt(second), gradientAt(second)));
    expect(Math.abs(along)).toBeLessThan(1e-5);
  });

  it('trains a classifier with damping by the exact model, in fit, and leaves the results of fit as they are', async () => {
    const model = classifier();
    const optimizer = kfac({
      learningRate: 'quadraticModel',
      momentum: 'quadraticModel',
      damping: { adapt: 'levenbergMarquardt', initial: 1, period: 2 },
      fisher: 'exact',
      refresh: 'immediate',
    });
    model.compile({ optimizer, loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
    const { x, y } = examples(64);
    const before = tf.memory().numTensors;
    const history = await model.fit(x, y, {
      epochs: 16,
      batchSize: 64,
      verbose: 0,
      shuffle: false,
      yieldEvery: 'never',
    });
    expect(tf.memory().numTensors).toBeGreaterThanOrEqual(before);
    const { loss } = history.history as { loss: number[] };
    expect(loss[15]).toBeLessThan(0.3 * loss[0]);
    expect(Object.keys(history.history).sort()).toEqual(['acc', 'loss']);
    expect(optimizer.stats().damping).toBeLessThan(1);
    expect(await model.trainOnBatch(x, y)).toHaveLength(2);
    const { numTensors } = tf.memory();
    for (let i = 0; i < 4; i++) await model.trainOnBatch(x, y);
    expect(tf.memory().numTensors).toBe(numTensors);
  });

  it('Levenberg-Marquardt damping compares the loss with the exact model, whatever the curvature is', () => {
    const { w, loss } = linear();
    const optimizer = kfac({
      damping: { adapt: 'levenbergMarquardt', initial: 0.2, period: 1 },
      fisher: { variance: 1, distribution: 'gaussian' },
      learningRate: 0.05,
      klClip: null,
    });
    const observe = jest.spyOn(LevenbergMarquardt.prototype, 'observe');
    let before = start;
    for (let step = 0; step < 3; step++) {
      const lambda = optimizer.stats().damping;
      optimizer.minimize(loss, false, [w]);
      const after = Float64Array.from(w.dataSync<'float32'>());
      const delta = after.map((value, i) => value - before[i]);
      const { actual, predicted } = observe.mock.calls[step][0];
      // This loss is its own quadratic model, so M without its damping is the change of the loss.
      expect(actual).toBeCloseTo(lossAt(after) - lossAt(before), 6);
      expect(predicted - (lambda * dot(delta, delta)) / 2).toBeCloseTo(lossAt(after) - lossAt(before), 6);
      before = after;
    }
    observe.mockRestore();
  });

  it('leaves the moving averages of a batch normalisation to the one call that the user made', async () => {
    const averages = async (config: NaturalGradientConfig) => {
      const model = tf.sequential({
        layers: [
          tf.layers.dense({
            units: 4,
            inputShape: [4],
            kernelInitializer: tf.initializers.glorotUniform({ seed: 1 }),
          }),
          tf.layers.batchNormalization(),
          tf.layers.dense({ units: 3, activation: 'softmax' }),
        ],
      });
      model.compile({ optimizer: kfac(config), loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
      const { x, y } = examples(32);
      await model.trainOnBatch(x, y);
      return model.layers[1]
        .getWeights()
        .slice(2)
        .flatMap((weight) => [...weight.dataSync()]);
    };
    const expected = await averages({});
    expect(
      await averages({ learningRate: 'quadraticModel', momentum: 'quadraticModel', rejectSteps: true }),
    ).toEqual(expected);
  });

  it('needs the loss as a function and a distribution, and goes with no clip', () => {
    const { w, loss } = linear();
    const optimizer = kfac({ learningRate: 'quadraticModel' });
    const { grads } = optimizer.computeGradients(loss, [w]);
    expect(() => optimizer.applyGradients(grads)).toThrow(errorWithCode('ERR_NATGRAD_STATE'));
    const unknown = () => tf.tidy(() => w.tanh().mean().asScalar());
    expect(() => optimizer.minimize(unknown, false, [w])).toThrow(errorWithCode('ERR_NATGRAD_LIKELIHOOD'));
    for (const other of [{ klClip: 1e-3 }, { normConstraint: 1e-3 }]) {
      expect(() => kfac({ learningRate: 'quadraticModel', ...other })).toThrow(
        errorWithCode('ERR_NATGRAD_ARGUMENT'),
      );
    }
    expect(() => kfac({ learningRate: 'exact' as never })).toThrow(errorWithCode('ERR_NATGRAD_TYPE'));
  });

  it('is saved and restored', () => {
    const config = kfac({
      learningRate: 'quadraticModel',
      momentum: 'quadraticModel',
      rejectSteps: true,
    }).getConfig();
    const json = JSON.parse(JSON.stringify(config)) as tf.serialization.ConfigDict;
    const restored = NaturalGradientOptimizer.fromConfig(NaturalGradientOptimizer, json);
    expect(restored.getConfig()).toEqual(config);
    expect((restored as NaturalGradientOptimizer).learningRate).toBe('quadraticModel');
  });

  it('a step that raises the loss is taken back, with its velocity and its averages, and the damping is raised', async () => {
    const { w, loss } = linear();
    const optimizer = kfac({
      // On this loss a step of this length overshoots by far.
      learningRate: 1e3,
      momentum: 0.9,
      klClip: null,
      rejectSteps: true,
      averaging: {},
      damping: { adapt: 'levenbergMarquardt', initial: 0.5, period: 3 },
    });
    const state = async () =>
      (await optimizer.getWeights()).filter(({ name }) => /velocity|average/.test(name));
    const before = w.dataSync<'float32'>().slice();
    optimizer.minimize(loss, false, [w]);
    expect(w.dataSync()).toEqual(before);
    expect(optimizer.stats()).toMatchObject({ rejectedSteps: 1, step: 1 });
    expect(optimizer.stats().damping).toBeCloseTo(0.5 / (19 / 20) ** 3, 6);
    expect((await state()).filter(({ name }) => name.startsWith('velocity'))).toEqual([]);
    optimizer.learningRate = 1e-3;
    optimizer.minimize(loss, false, [w]);
    expect(optimizer.stats().rejectedSteps).toBe(1);
    expect(lossAt(Float64Array.from(w.dataSync()))).toBeLessThan(lossAt(Float64Array.from(before)));
  });

  it('the norm constraint bounds the squared length of the step in the geometry of the curvature', () => {
    const { w, loss } = linear();
    const optimizer = kfac({
      learningRate: 2,
      momentum: 0,
      normConstraint: 1e-4,
      fisher: 'exact',
      refresh: 'immediate',
    });
    optimizer.minimize(loss, false, [w]);
    const { klClip, gradientDotDirection } = optimizer.stats();
    expect(klClip).toBeLessThan(1);
    expect(klClip ** 2 * 4 * gradientDotDirection).toBeCloseTo(1e-4, 9);
    expect(() => kfac({ normConstraint: 1e-3, klClip: 1e-3 })).toThrow(errorWithCode('ERR_NATGRAD_ARGUMENT'));
  });
});
