import * as tf from '@tensorflow/tfjs';

import { kfac, mirrorDescent } from '../../../src';
import { errorWithCode } from '../../errorWithCode';
import { backends, useBackend } from '../../support/backends';
import { classifier, examples, reloaded, trainSteps, weightsOf } from '../../support/classifier';
import { relativeError } from '../../support/matrices';

describe.each(backends)('mirrorDescent on the %s backend of tfjs', (backend) => {
  beforeAll(() => useBackend(backend));
  afterEach(() => tf.disposeVariables());

  it('is natural-gradient descent with the quadratic potential', async () => {
    // Oracle: grad G(w) = F w, so w <- w - a F^-1 g with the same F: the steps of kfac without momentum.
    const config = { learningRate: 0.1, damping: 0.1, refreshPeriod: 3, fisher: 'exact' } as const;
    const runs = await Promise.all(
      [mirrorDescent(config), kfac({ ...config, momentum: null, klClip: null })].map(async (optimizer) => {
        const model = classifier();
        model.compile({ optimizer, loss: 'categoricalCrossentropy' });
        await trainSteps(model, 8);
        return weightsOf(model);
      }),
    );
    expect(runs[0]).toEqual(runs[1]);
  });

  it('keeps mixture weights on the simplex with the negative entropy, by exponentiated gradients', () => {
    // Oracle: p_i <- p_i exp(-a g_i) / Z in float64, g from the loss sum_j (sum_i p_i M_ij - t_j)^2.
    const mixture = tf.variable(tf.tensor2d([[0.25, 0.25, 0.5]]), true, 'mixture');
    const components = tf.tensor2d([
      [1, 0],
      [0, 1],
      [-1, 0.5],
    ]);
    const target = tf.tensor2d([[-0.2, 0.3]]);
    const optimizer = mirrorDescent({ potential: 'negativeEntropy', learningRate: 0.5 });
    const loss = () => tf.squaredDifference(tf.matMul(mixture, components), target).sum<tf.Scalar>();
    const M = components.arraySync();
    const t = target.arraySync()[0];
    let p = [0.25, 0.25, 0.5];
    const losses: number[] = [];
    for (let i = 0; i < 120; i++) {
      losses.push(optimizer.minimize(loss, true, [mixture])!.dataSync()[0]);
      const residual = [0, 1].map((j) => p.reduce((sum, value, k) => sum + value * M[k][j], -t[j]));
      const moved = p.map(
        (value, k) => value * Math.exp(-0.5 * 2 * (M[k][0] * residual[0] + M[k][1] * residual[1])),
      );
      const total = moved[0] + moved[1] + moved[2];
      p = moved.map((value) => value / total);
      expect(relativeError(mixture.dataSync(), p)).toBeLessThan(1e-5);
    }
    expect(losses[119]).toBeLessThan(0.01 * losses[0]);
    expect(optimizer.summary()).toMatchObject([{ variables: 'mixture', structure: 'identity' }]);
  });

  it('takes natural steps in the mean parameters of logits, beside natural-gradient steps of the rest', () => {
    const { x, y } = examples(32);
    const kernel = tf.variable(tf.tensor2d(new Float32Array(12), [4, 3]), true, 'kernel');
    const prior = tf.variable(tf.zeros([3]), true, 'prior');
    const optimizer = mirrorDescent({ potential: 'logPartition', match: /prior/, learningRate: 0.2 });
    const loss = () => {
      const logits = tf.add<tf.Tensor2D>(tf.matMul(x, kernel), tf.logSoftmax(prior));
      return tf.losses.softmaxCrossEntropy(y, logits).asScalar();
    };
    const losses = Array.from({ length: 40 }, () => optimizer.minimize(loss, true)!.dataSync()[0]);
    expect(losses[39]).toBeLessThan(0.4 * losses[0]);
    const structures = Object.fromEntries(optimizer.summary().map((row) => [row.variables, row.structure]));
    expect(structures).toMatchObject({ kernel: 'Kronecker factored', prior: 'identity' });
  });

  it('resumes as if it had not stopped, with momentum in the dual coordinates', async () => {
    const compiled = () => {
      const model = classifier();
      const optimizer = mirrorDescent({ potential: 'logPartition', learningRate: 0.01, momentum: 0.5 });
      model.compile({ optimizer, loss: 'categoricalCrossentropy' });
      return model;
    };
    const [whole, first] = [compiled(), compiled()];
    await trainSteps(whole, 8);
    await trainSteps(first, 4);
    const second = await reloaded(first);
    await trainSteps(second, 4, 4);
    expect(weightsOf(second)).toEqual(weightsOf(whole));
  });

  it('leaves the weights alone when a gradient is not finite', async () => {
    const warnings = jest.spyOn(console, 'warn').mockImplementation(() => {});
    const model = classifier();
    model.compile({
      optimizer: mirrorDescent({ potential: 'logPartition' }),
      loss: 'categoricalCrossentropy',
    });
    const before = weightsOf(model);
    const { x, y } = examples(8);
    await model.trainOnBatch(x.mul(NaN), y);
    expect(weightsOf(model)).toEqual(before);
    warnings.mockRestore();
  });

  it('refuses what is no potential, and a match without effect', () => {
    expect(() => mirrorDescent({ potential: 'cubic' as never })).toThrow(
      errorWithCode('ERR_NATGRAD_ARGUMENT'),
    );
    expect(() => mirrorDescent({ match: /a/ })).toThrow(errorWithCode('ERR_NATGRAD_ARGUMENT'));
  });
});
