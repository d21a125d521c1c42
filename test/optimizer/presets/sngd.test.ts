import * as tf from '@tensorflow/tfjs';

import { sngd } from '../../../src';
import { errorWithCode } from '../../errorWithCode';
import { backends, useBackend } from '../../support/backends';
import { classifier, examples, reloaded, trainSteps, weightsOf } from '../../support/classifier';
import { plusDiagonal, relativeError, solve } from '../../support/matrices';
import { testPreset } from '../../support/presetSuite';

describe.each(backends)('sngd on the %s backend of tfjs', (backend) => {
  beforeAll(() => useBackend(backend));

  testPreset(sngd, {
    structure: 'local Fisher',
    learning: { learningRate: 0.3, factorUpdatePeriod: 1, refreshPeriod: 5 },
    on: [backend],
  });

  it.each(['update', 'reparametrised'] as const)(
    'takes a step of exactly minus the damped natural gradient in the form %s',
    async (form) => {
      // Oracle: softmax regression in float64, w <- w - (A + lambda tr A / 5 I)^-1 V diag(v + lambda mean v)^-1 with A = E[x~ x~'],
      // v = E[p (1 - p)] (Liu, Boumaraf et al., equation 12).
      const model = classifier({ hidden: [] });
      const lambda = 0.05;
      const optimizer = sngd({
        learningRate: 1, momentum: 0, damping: lambda, factorDecay: 0, factorUpdatePeriod: 1, refresh: 'immediate', precision: 'float64', form,
      }); // prettier-ignore
      model.compile({ optimizer, loss: 'categoricalCrossentropy' });
      const { x, y } = examples(10);
      const [kernel, bias] = weightsOf(model);
      await model.trainOnBatch(x, y);
      const after = weightsOf(model);

      const [inputs, labels] = [x.arraySync(), y.arraySync()];
      const A = new Float64Array(25);
      const v = new Float64Array(3);
      const V = new Float64Array(15);
      inputs.forEach((row, n) => {
        const a = [...row, 1];
        const exponentials = [0, 1, 2].map((j) =>
          Math.exp(row.reduce((sum, value, i) => sum + value * kernel[3 * i + j], bias[j])),
        );
        const total = exponentials.reduce((sum, e) => sum + e, 0);
        const p = exponentials.map((e) => e / total);
        a.forEach((ai, i) => a.forEach((ak, k) => (A[5 * i + k] += (ai * ak) / 10)));
        p.forEach((pj, j) => (v[j] += (pj * (1 - pj)) / 10));
        a.forEach((ai, i) => p.forEach((pj, j) => (V[3 * i + j] += (ai * (pj - labels[n][j])) / 10)));
      });
      const trace = [0, 6, 12, 18, 24].reduce((sum, at) => sum + A[at], 0);
      const damped = plusDiagonal(A, (lambda * trace) / 5);
      const mean = (v[0] + v[1] + v[2]) / 3;
      const expected = Float64Array.from([...kernel, ...bias]);
      for (let j = 0; j < 3; j++) {
        const column = Float64Array.from({ length: 5 }, (_, i) => V[3 * i + j]);
        solve(damped, column).forEach((value, i) => (expected[3 * i + j] -= value / (v[j] + lambda * mean)));
      }
      expect(relativeError([...after[0], ...after[1]], expected)).toBeLessThan(5e-6);
    },
  );

  it('takes the same steps reparametrised as with the inverse, and goes on from weights that are set', async () => {
    // Oracle 14: plain gradient descent on w' = G^1/2 w is natural-gradient descent on w.
    const runs = await Promise.all(
      (['update', 'reparametrised'] as const).map(async (form) => {
        const model = classifier({ activation: 'relu' });
        const optimizer = sngd({
          form,
          factorUpdatePeriod: 1,
          refreshPeriod: 4,
          weightDecay: 0.01,
          l2: 1e-3,
        });
        model.compile({ optimizer, loss: 'categoricalCrossentropy' });
        await trainSteps(model, 10);
        model.setWeights(model.getWeights().map((weight) => weight.mul(0.5)));
        await trainSteps(model, 10, 10);
        return weightsOf(model);
      }),
    );
    runs[0].forEach((values, i) => expect(relativeError(runs[1][i], values)).toBeLessThan(1e-4));
  });

  it('resumes reparametrised as if it had not stopped', async () => {
    const config = { form: 'reparametrised', factorUpdatePeriod: 1, refreshPeriod: 4 } as const;
    const compiled = () => {
      const model = classifier();
      model.compile({ optimizer: sngd(config), loss: 'categoricalCrossentropy' });
      return model;
    };
    const [whole, first] = [compiled(), compiled()];
    await trainSteps(whole, 14);
    await trainSteps(first, 7);
    const second = await reloaded(first);
    await trainSteps(second, 7, 7);
    expect(weightsOf(second)).toEqual(weightsOf(whole));
  });

  it('refuses a velocity in coordinates that change', async () => {
    const model = classifier();
    model.compile({
      optimizer: sngd({ form: 'reparametrised', momentum: 0.9 }),
      loss: 'categoricalCrossentropy',
    });
    const { x, y } = examples(4);
    await expect(model.trainOnBatch(x, y)).rejects.toThrow(errorWithCode('ERR_NATGRAD_ARGUMENT'));
  });

  it('covers convolutions and recurrent kernels, and trains them', async () => {
    if (backend === 'wasm') return; // Plain wasm has no gradient for convolution filters.
    const image = tf.input({ shape: [5, 5, 2] });
    const initializer = (seed: number) => tf.initializers.glorotUniform({ seed });
    const features = tf.layers.flatten().apply(
      tf.layers
        .conv2d({
          filters: 3,
          kernelSize: 3,
          activation: 'relu',
          kernelInitializer: initializer(1),
          name: 'filters',
        })
        .apply(image),
    );
    const sequence = tf.layers.reshape({ targetShape: [3, 9] }).apply(features);
    const state = tf.layers
      .lstm({
        units: 4,
        kernelInitializer: initializer(2),
        recurrentInitializer: initializer(3),
        name: 'memory',
      })
      .apply(sequence);
    const output = tf.layers
      .dense({ units: 2, activation: 'softmax', kernelInitializer: initializer(4) })
      .apply(state) as tf.SymbolicTensor;
    const model = tf.model({ inputs: image, outputs: output });
    const optimizer = sngd({ learningRate: 0.1, damping: 0.1, factorUpdatePeriod: 1, refreshPeriod: 5 });
    model.compile({ optimizer, loss: 'categoricalCrossentropy' });
    const x = tf.randomNormal([16, 5, 5, 2], 0, 1, 'float32', 7);
    const y = tf.tidy(() => tf.oneHot(x.mean([1, 2, 3]).greater(0).cast<tf.Tensor1D>('int32'), 2).toFloat());
    const losses: number[] = [];
    for (let step = 0; step < 40; step++) losses.push((await model.trainOnBatch(x, y)) as number);
    expect(losses[39]).toBeLessThan(0.5 * losses[0]);
    const structureOf = (part: string) =>
      optimizer.summary().find(({ variables }) => variables.includes(part))!;
    expect(structureOf('filters')).toMatchObject({
      structure: 'local Fisher',
      matrices: '19 x 19, diagonal 3',
    });
    expect(structureOf('memory/kernel')).toMatchObject({
      structure: 'local Fisher',
      matrices: '9 x 9, diagonal 16',
    });
    expect(structureOf('memory/recurrent_kernel')).toMatchObject({
      structure: 'local Fisher',
      matrices: '4 x 4, diagonal 16',
    });
  });
});
