import * as tf from '@tensorflow/tfjs';

import { kfac, radam, schedules, trustRegion } from '../../src';
import { learningRateScheduler } from '../../src/callbacks';
import { errorWithCode } from '../errorWithCode';
import { weightsOf } from '../support/classifier';
import { compiled, fit, useCpu } from './fitting';

beforeAll(useCpu);

/** What the optimizer reads as its learning rate in every step. */
function seenBy(optimizer: tf.Optimizer): number[] {
  const seen: number[] = [];
  const apply = optimizer.applyGradients.bind(optimizer);
  optimizer.applyGradients = (gradients: Parameters<typeof apply>[0]) => {
    seen.push((optimizer as unknown as { learningRate: number }).learningRate);
    apply(gradients);
  };
  return seen;
}

const optimizers: [string, () => tf.Optimizer][] = [
  ['radam', () => radam({ learningRate: 0.8 })],
  ['tf.train.sgd', () => tf.train.sgd(0.8)],
  ['tf.train.momentum', () => tf.train.momentum(0.8, 0.9)],
  ['tf.train.adam', () => tf.train.adam(0.8)],
  ['tf.train.adamax', () => tf.train.adamax(0.8)],
  ['tf.train.adagrad', () => tf.train.adagrad(0.8)],
  ['tf.train.adadelta', () => tf.train.adadelta(0.8)],
  ['tf.train.rmsprop', () => tf.train.rmsprop(0.8)],
];

describe('learningRateScheduler', () => {
  it.each(optimizers)('gives %s the rate of each epoch from the one before', async (_, create) => {
    const optimizer = create();
    const seen = seenBy(optimizer);
    const epochs: number[] = [];
    const halve = (epoch: number, rate: number) => {
      epochs.push(epoch);
      return rate / 2;
    };
    await fit(compiled(optimizer), learningRateScheduler(halve), { epochs: 2 });
    expect(epochs).toEqual([0, 1]);
    expect(seen).toEqual([0.4, 0.4, 0.4, 0.2, 0.2, 0.2]);
  });

  it.each(optimizers)('gives %s the rate that a ready-made schedule has at each step', async (_, create) => {
    const schedule = schedules.polynomialDecay({ initial: 1, decaySteps: 10, end: 0 });
    const optimizer = create();
    const seen = seenBy(optimizer);
    await fit(compiled(optimizer), learningRateScheduler(schedule), { epochs: 2 });
    expect(seen).toEqual([0, 1, 2, 3, 4, 5].map(schedule));
  });

  it.each([
    ['kfac', () => kfac({ learningRate: 9, seed: 1 }), () => kfac({ learningRate: 0.02, seed: 1 })],
    ['tf.train.sgd', () => tf.train.sgd(9), () => tf.train.sgd(0.02)],
    ['tf.train.momentum', () => tf.train.momentum(9, 0.9), () => tf.train.momentum(0.02, 0.9)],
  ])('makes %s take the steps of that rate', async (_, create, same) => {
    const [scheduled, plain] = [compiled(create()), compiled(same())];
    await fit(
      scheduled,
      learningRateScheduler(() => 0.02),
      { epochs: 2 },
    );
    await fit(plain, [], { epochs: 2 });
    expect(weightsOf(scheduled)).toEqual(weightsOf(plain));
  });

  it('goes on with a schedule where the optimizer is, in another training', async () => {
    const optimizer = tf.train.sgd(9);
    const seen = seenBy(optimizer);
    const model = compiled(optimizer);
    for (let training = 0; training < 2; training++) {
      await fit(
        model,
        learningRateScheduler(schedules.inverseTimeDecay({ initial: 1, decaySteps: 1, decayRate: 1 })),
      );
    }
    expect(seen).toEqual([1, 1 / 2, 1 / 3, 1 / 4, 1 / 5, 1 / 6]);
  });

  it.each([[undefined], [0.1], [{ initial: 1 }]])('refuses %p as a schedule', (schedule) => {
    expect(() => learningRateScheduler(schedule as never)).toThrow(errorWithCode('ERR_NATGRAD_TYPE'));
  });

  it.each([[NaN], [-1], [Infinity], [undefined], ['0.1']])(
    'refuses %p as a rate, and names the epoch',
    async (rate) => {
      const training = fit(
        compiled(tf.train.adam(0.1)),
        learningRateScheduler(() => rate as number),
      );
      await expect(training).rejects.toMatchObject({
        code: 'ERR_NATGRAD_ARGUMENT',
        message: expect.stringMatching(/for epoch 0 is .*; give a finite number/) as string,
      });
    },
  );

  it.each([
    [
      'leaves it to the model',
      () => kfac({ learningRate: 'quadraticModel' }),
      /leaves its learning rate to 'quadraticModel'/,
    ],
    ['has a trust region', () => trustRegion(), /learningRate has no effect with trustRegion/],
    [
      'has none',
      () => {
        const own = tf.train.sgd(1) as unknown as { learningRate?: number };
        delete own.learningRate;
        return own as unknown as tf.Optimizer;
      },
      /SGD has no learning rate; leave out the callback/,
    ],
  ])('says so if the optimizer %s', async (_, create, message) => {
    const training = fit(
      compiled(create()),
      learningRateScheduler(() => 0.1),
    );
    await expect(training).rejects.toThrow(errorWithCode('ERR_NATGRAD_STATE'));
    await expect(
      fit(
        compiled(create()),
        learningRateScheduler(() => 0.1),
      ),
    ).rejects.toThrow(message);
  });
});
