import * as tf from '@tensorflow/tfjs';

import { kfac, schedules } from '../../src';
import { reduceLROnPlateau, type ReduceLROnPlateauConfig } from '../../src/callbacks';
import { errorWithCode } from '../errorWithCode';
import { compiled, endEpochs, fit, useCpu } from './fitting';

beforeAll(useCpu);

/** The learning rate after each epoch in which `monitor` had these values, from 1 on. */
async function ratesAfter(config: ReduceLROnPlateauConfig, values: number[]): Promise<number[]> {
  const model = compiled(kfac({ learningRate: 1 }));
  const logs = values.map((value) => ({ [config.monitor ?? 'val_loss']: value }));
  const rates: number[] = [];
  await endEpochs(reduceLROnPlateau(config), model, logs, () => {
    rates.push((model.optimizer as unknown as { learningRate: number }).learningRate);
  });
  return rates;
}

describe('reduceLROnPlateau', () => {
  // Expected values by hand, from the rule of tf.keras: an epoch waits unless it betters the best by more than minDelta; as many waiting
  // epochs as patience reduce; an epoch does not wait while, after it, some of the cooldown remains.
  it.each<[string, ReduceLROnPlateauConfig, number[], number[]]>([
    [
      'after `patience` epochs without improvement',
      { factor: 0.5, patience: 2 },
      [5, 4, 4, 4, 4, 4],
      [1, 1, 1, 0.5, 0.5, 0.25],
    ],
    [
      'counting from the last improvement',
      { factor: 0.5, patience: 2 },
      [5, 5, 4, 4, 3, 3],
      [1, 1, 1, 1, 1, 1],
    ],
    [
      'not when less than minDelta is gained',
      { factor: 0.5, patience: 1, minDelta: 0.5 },
      [5, 4.6, 4.4, 4.3],
      [1, 0.5, 0.5, 0.25],
    ],
    ['with the minDelta of tf.keras', { factor: 0.5, patience: 1 }, [5, 4.99995, 4.9998], [1, 0.5, 0.5]],
    [
      'not below minLearningRate',
      { factor: 0.1, patience: 1, minLearningRate: 0.05 },
      [5, 5, 5, 5],
      [1, 0.1, 0.05, 0.05],
    ],
    [
      'not while it cools down',
      { factor: 0.5, patience: 1, cooldown: 3 },
      [5, 5, 5, 5, 5, 5],
      [1, 0.5, 0.5, 0.5, 0.25, 0.25],
    ],
    [
      'when accuracy does not rise',
      { monitor: 'val_acc', factor: 0.5, patience: 1 },
      [0.1, 0.2, 0.2, 0.1, 0.3],
      [1, 1, 0.5, 0.25, 0.25],
    ],
    [
      'in the mode that is given',
      { monitor: 'score', mode: 'max', factor: 0.5, patience: 1 },
      [1, 2, 1],
      [1, 1, 0.5],
    ],
    ['when it is not a number', { factor: 0.5, patience: 1 }, [5, NaN, 4], [1, 0.5, 0.5]],
    [
      'by a factor of 0.1 after 10 epochs, if nothing is said',
      {},
      Array<number>(12).fill(5),
      [...Array<number>(10).fill(1), 0.1, 0.1],
    ],
  ])('reduces the rate %s', async (_, config, values, rates) => {
    const found = await ratesAfter(config, values);
    found.forEach((rate, epoch) => expect(rate).toBeCloseTo(rates[epoch], 12));
    expect(found).toHaveLength(rates.length);
  });

  it('works in fit, and tells what it does with verbose: 1', async () => {
    const lines = jest.spyOn(console, 'log').mockImplementation(() => {});
    const optimizer = tf.train.adam(0.01);
    // No loss is better than the one before by as much as this.
    const callback = reduceLROnPlateau({ patience: 1, factor: 0.5, minDelta: 1e9, verbose: 1 });
    await fit(compiled(optimizer), callback, { epochs: 3, validate: true });
    expect((optimizer as unknown as { learningRate: number }).learningRate).toBe(0.0025);
    expect(lines.mock.calls.flat()).toEqual([
      'Epoch 2: val_loss has not improved; the learning rate is 0.005 now.',
      'Epoch 3: val_loss has not improved; the learning rate is 0.0025 now.',
    ]);
    lines.mockRestore();
  });

  it.each<[unknown, RegExp]>([
    [{ factor: 1 }, /factor is 1; give a number between 0 and 1/],
    [{ factor: 0 }, /factor is 0/],
    [{ patience: 0 }, /patience is 0; give a positive integer/],
    [{ cooldown: -1 }, /cooldown is -1/],
    [{ minDelta: -1 }, /minDelta is -1/],
    [{ minLearningRate: NaN }, /minLearningRate is NaN/],
    [{ mode: 'down' }, /mode is 'down'; use 'auto' or 'min' or 'max'/],
    [{ monitor: 3 }, /monitor is 3; give a string/],
    [{ minLR: 3 }, /reduceLROnPlateau\.minLR is not an option; use monitor, mode, minDelta, factor/],
    [null, /reduceLROnPlateau is null; give an object with monitor/],
  ])('refuses %p', (config, message) => {
    expect(() => reduceLROnPlateau(config as never)).toThrow(message);
  });

  it('needs what it monitors among the logs', async () => {
    const training = fit(compiled('adam'), reduceLROnPlateau());
    await expect(training).rejects.toMatchObject({
      code: 'ERR_NATGRAD_ARGUMENT',
      message:
        "monitor is 'val_loss', which is not among the logs; give validation data, or monitor one of loss, acc.",
    });
  });

  it('does not end a schedule', async () => {
    const learningRate = schedules.cosineDecay({ initial: 0.1, decaySteps: 100 });
    const training = fit(compiled(kfac({ learningRate })), reduceLROnPlateau({ monitor: 'loss' }));
    await expect(training).rejects.toThrow(errorWithCode('ERR_NATGRAD_STATE'));
  });
});
