import * as tf from '@tensorflow/tfjs';

import { ekfac } from '../../../src';
import { symmetricEigen } from '../../../src/linalg/reference/symmetricEigen';
import { errorWithCode } from '../../errorWithCode';
import { relativeError } from '../../support/matrices';
import { firstStep, type FirstStep } from '../../support/firstStep';
import { testPreset } from '../../support/presetSuite';

/** U (U'V / (S + lambda)) with U the eigenvectors of A (x) G and S given by the columns of U. */
function inEigenbasis({ A, G, V }: FirstStep, lambda: number, S: (u: Float64Array) => number): Float64Array {
  const [a, g] = [symmetricEigen(A.slice(), 5)!.rows, symmetricEigen(G.slice(), 3)!.rows];
  const result = new Float64Array(15);
  for (let k = 0; k < 15; k++) {
    const [p, q] = [Math.floor(k / 3), k % 3];
    const u = Float64Array.from({ length: 15 }, (_, i) => a[5 * p + Math.floor(i / 3)] * g[3 * q + (i % 3)]);
    const along = u.reduce((sum, value, i) => sum + value * V[i], 0) / (S(u) + lambda);
    for (let i = 0; i < 15; i++) result[i] += along * u[i];
  }
  return result;
}

const quadratic = (matrix: Float64Array, u: Float64Array) =>
  u.reduce((sum, x, i) => sum + x * u.reduce((row, y, j) => row + matrix[15 * i + j] * y, 0), 0);

describe('ekfac', () => {
  testPreset(ekfac, { structure: 'eigenvalue-corrected Kronecker factored' });

  it('steps by the damped second moments of the scores in the eigenbasis', async () => {
    const facts = await firstStep(ekfac, 0.05);
    const expected = inEigenbasis(facts, 0.05, (u) => quadratic(facts.F, u));
    expect(relativeError(facts.step, expected)).toBeLessThan(2e-6);
  });

  it('does so in the second step too, where its moments come over from the basis of the first', async () => {
    const facts = await firstStep(ekfac, 0.05, {}, 2);
    const expected = inEigenbasis(facts, 0.05, (u) => quadratic(facts.F, u));
    expect(relativeError(facts.step, expected)).toBeLessThan(2e-6);
  });

  it('with running correction steps by the gradient of the batch in the eigenbasis', async () => {
    // Empirical Fisher: S = N (u'V)^2.
    const options = { fisher: 'empirical' as const };
    const facts = await firstStep((config) => ekfac({ ...config, correction: 'running' }), 0.05, options);
    // The factor G is then that of the true labels.
    const expected = (G: Float64Array) =>
      inEigenbasis({ ...facts, G }, 0.05, (u) => {
        return 10 * u.reduce((sum, value, i) => sum + value * facts.V[i], 0) ** 2;
      });
    expect(relativeError(facts.step, expected(facts.empiricalG))).toBeLessThan(2e-6);
  });

  it('covers convolutions and embeddings', async () => {
    await tf.setBackend('cpu');
    const model = tf.sequential({
      layers: [
        tf.layers.embedding({ inputDim: 7, outputDim: 4, inputLength: 6 }),
        tf.layers.conv1d({ filters: 3, kernelSize: 3, activation: 'tanh' }),
        tf.layers.flatten(),
        tf.layers.dense({ units: 3, activation: 'softmax' }),
      ],
    });
    const optimizer = ekfac({ learningRate: 0.1 });
    model.compile({ optimizer, loss: 'categoricalCrossentropy' });
    const x = tf.tensor2d(
      Float32Array.from({ length: 48 }, (_, i) => (i * 5) % 7),
      [8, 6],
    );
    const y = tf.oneHot(tf.tensor1d([0, 1, 2, 0, 1, 2, 0, 1], 'int32'), 3).toFloat();
    const losses: number[] = [];
    for (let step = 0; step < 40; step++) losses.push((await model.trainOnBatch(x, y)) as number);
    expect(losses[39]).toBeLessThan(0.3 * losses[0]);
    const kinds = optimizer.summary().map(({ structure }) => structure);
    expect(kinds).toEqual([
      'Kronecker factored, exact damping',
      'eigenvalue-corrected Kronecker factored',
      'eigenvalue-corrected Kronecker factored',
    ]);
    expect(optimizer.summary()[0].reason).not.toBe('');
  });

  it('refuses another correction', () => {
    expect(() => ekfac({ correction: 'none' as 'batch' })).toThrow(errorWithCode('ERR_NATGRAD_ARGUMENT'));
  });
});
