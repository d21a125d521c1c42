import * as tf from '@tensorflow/tfjs';

import { onlineNaturalGradient } from '../../../src';
import { errorWithCode } from '../../errorWithCode';
import { backends, useBackend } from '../../support/backends';
import { classifier, trainSteps, weightsOf } from '../../support/classifier';
import { testPreset } from '../../support/presetSuite';

describe.each(backends)('onlineNaturalGradient on the %s backend of tfjs', (backend) => {
  beforeAll(() => useBackend(backend));

  testPreset(onlineNaturalGradient, {
    structure: 'online natural gradient',
    learning: { learningRate: 0.5, momentum: 0.5 },
    damped: false,
    on: [backend],
  });

  it('takes the step of SGD in the first batch where all directions are alike', async () => {
    // Oracle: with alpha -> infinity G is a multiple of I, and gamma undoes it: w <- w - a g to the smoothing that is left, 1 / alpha.
    const runs = await Promise.all(
      [onlineNaturalGradient({ learningRate: 0.3, alpha: 1e7 }), tf.train.sgd(0.3)].map(async (optimizer) => {
        const model = classifier();
        model.compile({ optimizer, loss: 'categoricalCrossentropy' });
        await trainSteps(model, 5);
        return weightsOf(model);
      }),
    );
    runs[0].forEach((values, i) => values.forEach((value, j) => expect(value).toBeCloseTo(runs[1][i][j], 5)));
  });

  it.each(['rows', 'axes'] as const)('trains convolutions and normalisations, by %s', async (form) => {
    if (backend === 'wasm') return; // Plain wasm has no gradient for convolution filters.
    const model = tf.sequential({
      layers: [
        tf.layers.conv2d({ filters: 3, kernelSize: 3, inputShape: [5, 5, 2], name: 'filters' }),
        tf.layers.batchNormalization(),
        tf.layers.reLU(),
        tf.layers.flatten(),
        tf.layers.dense({ units: 2, activation: 'softmax', name: 'last' }),
      ],
    });
    const optimizer = onlineNaturalGradient({ learningRate: 0.1, momentum: 0.9, form, rank: 5 });
    model.compile({ optimizer, loss: 'categoricalCrossentropy' });
    const { x } = tf.tidy(() => ({ x: tf.randomNormal([16, 5, 5, 2], 0, 1, 'float32', 7) }));
    const y = tf.tidy(() => tf.oneHot(x.mean([1, 2, 3]).greater(0).cast<tf.Tensor1D>('int32'), 2).toFloat());
    const losses: number[] = [];
    for (let step = 0; step < 40; step++) losses.push((await model.trainOnBatch(x, y)) as number);
    expect(losses[39]).toBeLessThan(0.5 * losses[0]);
    const filters = optimizer.summary().find(({ variables }) => variables.includes('filters'))!;
    expect(filters).toMatchObject(
      form === 'rows'
        ? { structure: 'online natural gradient', matrices: '19 x 19 of rank 5, 3 x 3 of rank 2' }
        : { structure: 'online natural gradient, by axes' },
    );
    const gamma = optimizer.summary().find(({ variables }) => variables.includes('gamma'))!;
    expect(gamma.structure).toBe('online natural gradient, by axes');
  });

  it('refuses options that have no effect on it', () => {
    expect(() => onlineNaturalGradient({ damping: 0.1 } as never)).toThrow(
      errorWithCode('ERR_NATGRAD_ARGUMENT'),
    );
    expect(() => onlineNaturalGradient({ rank: 0 })).toThrow(errorWithCode('ERR_NATGRAD_ARGUMENT'));
    expect(() => onlineNaturalGradient({ form: 'columns' as never })).toThrow(
      errorWithCode('ERR_NATGRAD_ARGUMENT'),
    );
  });
});
