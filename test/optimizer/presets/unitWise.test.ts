import * as tf from '@tensorflow/tfjs';

import { quasiDiagonal, unitWise } from '../../../src';
import { errorWithCode } from '../../errorWithCode';
import { plusDiagonal, relativeError, solve } from '../../support/matrices';
import { firstStep, masked, testPreset } from './sharedTests';

const sameUnit = (i: number, j: number) => i % 3 === j % 3;

describe('unitWise', () => {
  testPreset(unitWise, 'unit-wise');

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

describe('unitWise in dual form', () => {
  testPreset((config) => unitWise({ ...config, form: 'dual', window: 64 }), 'unit-wise, dual');
});

describe('quasiDiagonal', () => {
  testPreset(quasiDiagonal, 'quasi-diagonal');

  it('steps by the quasi-diagonal matrix of every unit', async () => {
    // Ollivier 2015: w_i = (v_i - F_ib v_b / F_bb) / (F_ii - F_ib^2 / F_bb), b = v_b / F_bb - sum_i F_ib w_i / F_bb.
    const { F, V, step } = await firstStep(quasiDiagonal, 0.05);
    const expected = new Float64Array(15);
    for (const unit of [0, 1, 2]) {
      const entry = (i: number, j: number) => F[15 * (3 * i + unit) + 3 * j + unit] + (i === j ? 0.05 : 0);
      const at = (i: number) => 3 * i + unit;
      expected[at(4)] = V[at(4)] / entry(4, 4);
      for (const i of [0, 1, 2, 3]) {
        const residual = entry(i, i) - entry(i, 4) ** 2 / entry(4, 4);
        expected[at(i)] = (V[at(i)] - (entry(i, 4) * V[at(4)]) / entry(4, 4)) / residual;
        expected[at(4)] -= (entry(i, 4) * expected[at(i)]) / entry(4, 4);
      }
    }
    expect(relativeError(step, expected)).toBeLessThan(2e-6);
  });
});
