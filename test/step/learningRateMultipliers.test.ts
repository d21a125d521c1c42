import * as tf from '@tensorflow/tfjs';

import { kfac, NaturalGradientOptimizer, type LearningRateMultiplier } from '../../src';
import { LearningRateMultipliers, restoreMultipliers } from '../../src/step/learningRateMultipliers';
import { errorWithCode } from '../errorWithCode';
import { useBackend } from '../support/backends';
import { relativeError } from '../support/matrices';

describe('LearningRateMultipliers', () => {
  it('gives the factor of the first rule that picks a name', () => {
    const multipliers = new LearningRateMultipliers([
      { match: ['numerator', /denominator$/], factor: 0.1 },
      { match: (name) => name.startsWith('dense'), factor: 2 },
      { match: 'dense_2', factor: 3 },
    ]);
    const names = ['rational/numerator', 'rational/denominator', 'dense_2/kernel', 'conv/kernel'];
    expect(names.map((name) => multipliers.factor(name))).toEqual([0.1, 0.1, 2, 1]);
  });

  it('is restored from JSON', () => {
    const saved = new LearningRateMultipliers([{ match: ['a_b', /c\d/i], factor: 0.5 }]).config();
    const restored = new LearningRateMultipliers(restoreMultipliers(JSON.parse(JSON.stringify(saved))));
    expect(['x/a_b/y', 'C7', 'ab'].map((name) => restored.factor(name))).toEqual([0.5, 0.5, 1]);
  });

  it.each([
    [{}, 'ERR_NATGRAD_TYPE'],
    [[{ factor: 1 }], 'ERR_NATGRAD_ARGUMENT'],
    [[{ match: 'a' }], 'ERR_NATGRAD_ARGUMENT'],
    [[{ match: 'a', factor: -1 }], 'ERR_NATGRAD_ARGUMENT'],
    [[{ match: '', factor: 1 }], 'ERR_NATGRAD_ARGUMENT'],
    [[{ match: 3, factor: 1 }], 'ERR_NATGRAD_TYPE'],
    [[{ match: 'a', factor: 1, rate: 2 }], 'ERR_NATGRAD_ARGUMENT'],
  ] as const)('refuses %j', (option, code) => {
    expect(() => new LearningRateMultipliers(option as unknown as LearningRateMultiplier[])).toThrow(
      errorWithCode(code),
    );
  });
});

describe('the option learningRateMultipliers', () => {
  beforeAll(() => useBackend('cpu'));

  /** How far the kernel and the bias of a layer go in two steps. */
  function changes(option: LearningRateMultiplier[], momentum: number): Float32Array[] {
    const model = tf.sequential({
      layers: [
        tf.layers.dense({
          units: 2,
          inputShape: [3],
          kernelInitializer: tf.initializers.glorotUniform({ seed: 1 }),
        }),
      ],
    });
    const x = tf.tensor2d([1, 2, 3, -1, 0.5, 2], [2, 3]);
    const y = tf.tensor2d([1, 0, -1, 2], [2, 2]);
    const before = model.getWeights().map((weight) => weight.dataSync<'float32'>().slice());
    const optimizer = kfac({
      learningRate: 0.01,
      momentum,
      klClip: null,
      weightDecay: 0.1,
      learningRateMultipliers: option,
    });
    optimizer.minimize(() => tf.tidy(() => (model.apply(x) as tf.Tensor).sub(y).square().mean().asScalar()));
    return model
      .getWeights()
      .map((weight, i) => weight.dataSync<'float32'>().map((value, k) => value - before[i][k]));
  }

  // Oracle: the same step with one learning rate for all, times the factor; decay too, since it goes with the learning rate.
  it.each([0, 0.9])('multiplies the steps of matching variables, with momentum %d', (momentum) => {
    const [kernel, bias] = changes([], momentum);
    const [slowKernel, sameBias] = changes([{ match: 'kernel', factor: 0.1 }], momentum);
    expect(
      relativeError(
        slowKernel,
        kernel.map((value) => 0.1 * value),
      ),
    ).toBeLessThan(1e-4);
    expect(relativeError(sameBias, bias)).toBeLessThan(1e-6);
    const [stopped] = changes([{ match: 'kernel', factor: 0 }], momentum);
    expect(Math.max(...stopped.map(Math.abs))).toBe(0);
  });

  it('is saved with the optimizer', () => {
    const optimizer = kfac({ learningRateMultipliers: [{ match: /_numerator/, factor: 0.1 }] });
    const config = JSON.parse(JSON.stringify(optimizer.getConfig())) as tf.serialization.ConfigDict;
    const restored = NaturalGradientOptimizer.fromConfig(NaturalGradientOptimizer, config);
    expect(restored.getConfig()).toEqual(optimizer.getConfig());
  });
});
