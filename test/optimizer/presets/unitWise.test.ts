import * as tf from '@tensorflow/tfjs';

import { unitWise } from '../../../src';
import { errorWithCode } from '../../errorWithCode';
import { plusDiagonal, relativeError, solve } from '../../support/matrices';
import { firstStep, masked } from '../../support/firstStep';
import { testPreset } from '../../support/presetSuite';

const sameUnit = (i: number, j: number) => i % 3 === j % 3;

describe('unitWise', () => {
  testPreset(unitWise, { structure: 'unit-wise' });

  it.each(['primal', 'dual'] as const)('steps by the dense blocks of the units, %s', async (form) => {
    // 10 examples in 3 passes are 30 rows.
    const preset = (config: object) => unitWise({ ...config, form, window: 30 });
    const { F, V, step } = await firstStep(preset, 0.05);
    const expected = solve(plusDiagonal(masked(F, sameUnit), 0.05), V);
    expect(relativeError(step, expected)).toBeLessThan(2e-6);
  });

  it('takes the dual form where a layer has more inputs than the window has rows', async () => {
    await tf.setBackend('cpu');
    const model = tf.sequential({
      layers: [
        tf.layers.dense({ units: 5, activation: 'tanh', inputShape: [20] }),
        tf.layers.dense({ units: 3, activation: 'softmax' }),
      ],
    });
    const optimizer = unitWise({ window: 16 });
    model.compile({ optimizer, loss: 'categoricalCrossentropy' });
    await model.trainOnBatch(tf.randomNormal([8, 20]), tf.oneHot(tf.zeros([8], 'int32'), 3).toFloat());
    expect(optimizer.summary()).toMatchObject([
      { structure: 'unit-wise, dual', matrices: '5 of 16 x 16' },
      { structure: 'unit-wise', matrices: '3 of 6 x 6' },
    ]);
  });

  it('refuses matrices that would not fit, and says what to do', async () => {
    await tf.setBackend('cpu');
    const model = tf.sequential({ layers: [tf.layers.dense({ units: 3, inputShape: [50] })] });
    const loss = 'meanSquaredError';
    model.compile({ optimizer: unitWise({ form: 'primal', memoryLimit: 10000 }), loss });
    const batch = [tf.zeros([4, 50]), tf.zeros([4, 3])] as const;
    await expect(model.trainOnBatch(...batch)).rejects.toThrow(
      expect.objectContaining({
        code: 'ERR_NATGRAD_NO_MEMORY',
        message: expect.stringMatching(/form: 'dual'/) as string,
      }) as Error,
    );
  });

  it.each([
    [{ form: 'both' as 'dual' }, /form/],
    [{ window: 0 }, /window/],
  ])('refuses %p', (config, message) => {
    expect(() => unitWise(config)).toThrow(errorWithCode('ERR_NATGRAD_ARGUMENT'));
    expect(() => unitWise(config)).toThrow(message);
  });
});
