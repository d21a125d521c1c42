import * as tf from '@tensorflow/tfjs';

import { foof } from '../../../src';
import { plusDiagonal, relativeError, solve } from '../../support/matrices';
import { firstStep, kroneckerProduct } from '../../support/firstStep';
import { testPreset } from '../../support/presetSuite';

const identity = (n: number) => plusDiagonal(new Float64Array(n * n), 1);

describe('foof', () => {
  testPreset(foof, { structure: 'input factor' });

  it.each(['empirical', 'exact'] as const)('steps by (A + lambda I)^-1 V, fisher: %s', async (fisher) => {
    const { A, V, step } = await firstStep(foof, 0.05, { fisher });
    const expected = solve(kroneckerProduct(plusDiagonal(A, 0.05), identity(3)), V);
    expect(relativeError(step, expected)).toBeLessThan(2e-6);
  });

  it('needs no predictive distribution, and makes no backward pass for one', async () => {
    await tf.setBackend('cpu');
    const warnings = jest.spyOn(console, 'warn').mockImplementation(() => {});
    const w = tf.variable(tf.randomNormal<tf.Rank.R2>([4, 2], 0, 1, 'float32', 1));
    const x = tf.randomNormal<tf.Rank.R2>([5, 4], 0, 1, 'float32', 2);
    const optimizer = foof({ fisher: 'sampled', strict: true, learningRate: 0.5 });
    const loss = () =>
      tf.tidy(() =>
        x
          .matMul(w as unknown as tf.Tensor2D)
          .cosh()
          .mean()
          .asScalar(),
      );
    const first = optimizer.minimize(loss, true, [w])!.dataSync()[0];
    for (let step = 0; step < 20; step++) optimizer.minimize(loss, false, [w]);
    expect(loss().dataSync()[0]).toBeLessThan(first);
    expect(optimizer.summary().map(({ structure }) => structure)).toEqual(['input factor']);
    expect(warnings.mock.calls.flat().join()).not.toMatch(/distribution/);
    warnings.mockRestore();
  });
});
