/** What the layers get that have a block of their own in place of the chosen structure, seen from the optimizer. */
import * as tf from '@tensorflow/tfjs';

import { kfac, NaturalGradientOptimizer, type NaturalGradientConfig } from '../../src';
import { errorWithCode } from '../errorWithCode';
import { useBackend } from '../support/backends';
import { addOuterProduct, plusDiagonal, relativeError, solve } from '../support/matrices';
import { labels, randomise, values, variablesOf } from '../tape/nets';

const { layers } = tf;

beforeAll(() => useBackend('cpu'));
let warnings: jest.SpyInstance;
beforeEach(() => (warnings = jest.spyOn(console, 'warn').mockImplementation(() => {})));
afterEach(() => warnings.mockRestore());

interface Example {
  stack: () => tf.layers.Layer[];
  inputShape: number[];
  /** Structure by the last part of the variables' names, of the layers that are no plain matrices. */
  structures: Record<string, { structure: string; matrices: string }>;
}

const examples: Record<string, Example> = {
  'depthwise and separable convolutions with batch normalisation': {
    inputShape: [6, 6, 2],
    stack: () => [
      layers.depthwiseConv2d({
        kernelSize: 3,
        depthMultiplier: 2,
        inputShape: [6, 6, 2],
        activation: 'relu',
      }),
      layers.batchNormalization(),
      layers.separableConv2d({ kernelSize: 2, filters: 3, activation: 'relu' }),
      layers.flatten(),
      layers.dense({ units: 3, activation: 'softmax' }),
    ],
    structures: {
      'depthwise_kernel, bias': { structure: 'exact per channel', matrices: '2 of 20 x 20' },
      'gamma, beta': { structure: 'exact per channel', matrices: '4 of 2 x 2' },
      depthwise_kernel: { structure: 'exact per channel', matrices: '4 of 4 x 4' },
      'pointwise_kernel, bias': { structure: 'Kronecker factored', matrices: '5 x 5, 3 x 3' },
    },
  },
  'a transposed convolution': {
    inputShape: [3, 3, 2],
    stack: () => [
      layers.conv2dTranspose({
        kernelSize: 2,
        filters: 3,
        strides: 2,
        inputShape: [3, 3, 2],
        activation: 'tanh',
      }),
      layers.flatten(),
      layers.dense({ units: 3, activation: 'softmax' }),
    ],
    structures: {
      kernel: { structure: 'Kronecker factored', matrices: '2 x 2, 12 x 12' },
      bias: { structure: 'exact', matrices: '3 x 3' },
    },
  },
  'a GRU': {
    inputShape: [4, 3],
    stack: () => [
      layers.gru({ units: 2, inputShape: [4, 3] }),
      layers.dense({ units: 3, activation: 'softmax' }),
    ],
    structures: {
      'kernel, bias': { structure: 'Kronecker factored', matrices: '4 x 4, 6 x 6' },
      recurrent_kernel: {
        structure: 'Kronecker factored, 2 blocks of columns',
        matrices: '2 x 2, 4 x 4, 2 x 2, 2 x 2',
      },
    },
  },
  'an LSTM with layer normalisation': {
    inputShape: [4, 3],
    stack: () => [
      layers.lstm({ units: 2, inputShape: [4, 3], returnSequences: true }),
      layers.layerNormalization(),
      layers.flatten(),
      layers.dense({ units: 3, activation: 'softmax' }),
    ],
    structures: {
      kernel: { structure: 'Kronecker factored', matrices: '3 x 3, 8 x 8' },
      recurrent_kernel: { structure: 'Kronecker factored', matrices: '2 x 2, 8 x 8' },
      bias: { structure: 'exact', matrices: '8 x 8' },
      'gamma, beta': { structure: 'exact per channel', matrices: '2 of 2 x 2' },
    },
  },
  'bidirectional and time-distributed layers': {
    inputShape: [3, 2],
    stack: () => [
      layers.bidirectional({
        layer: layers.simpleRNN({ units: 2, returnSequences: true }),
        mergeMode: 'concat',
        inputShape: [3, 2],
      }),
      layers.timeDistributed({ layer: layers.dense({ units: 2, activation: 'tanh' }) }),
      layers.flatten(),
      layers.dense({ units: 3, activation: 'softmax' }),
    ],
    structures: {
      'kernel, bias': { structure: 'Kronecker factored', matrices: '3 x 3, 2 x 2' },
      recurrent_kernel: { structure: 'Kronecker factored', matrices: '2 x 2, 2 x 2' },
    },
  },
};

function compiled(example: Example, config: NaturalGradientConfig): tf.Sequential {
  const model = tf.sequential({ layers: example.stack() });
  randomise(model);
  model.compile({ optimizer: kfac(config), loss: 'categoricalCrossentropy' });
  return model;
}

async function train(model: tf.Sequential, steps: number, from = 0): Promise<number[]> {
  const losses: number[] = [];
  for (let step = from; step < from + steps; step++) {
    const x = values([9, ...(model.inputs[0].shape.slice(1) as number[])], 1 + (step % 3));
    const y = labels(9, 3);
    losses.push((await model.trainOnBatch(x, y)) as number);
    tf.dispose([x, y]);
  }
  return losses;
}

const weightsOf = (model: tf.LayersModel) =>
  model.getWeights().map((weight) => weight.dataSync<'float32'>().slice());

const shortened = (names: string) =>
  names
    .split(', ')
    .map((name) => name.replace(/^.*\//, '').replace(/(_\d+)+$/, ''))
    .join(', ');

describe.each(Object.entries(examples))('%s', (_, example) => {
  afterEach(() => tf.disposeVariables());

  it('have no block that is coarser than need be, and strict allows them', async () => {
    const model = compiled(example, { strict: true });
    await train(model, 1);
    const summary = (model.optimizer as NaturalGradientOptimizer).summary();
    for (const { structure, reason } of summary) {
      expect(structure).not.toBe('diagonal');
      expect(reason).toBe('');
    }
    const found = summary.map(({ variables, ...row }) => ({ name: shortened(variables), ...row }));
    for (const [name, expected] of Object.entries(example.structures)) {
      expect(found).toContainEqual(expect.objectContaining({ name, ...expected }));
    }
    expect(summary.reduce((sum, { parameters }) => sum + parameters, 0)).toBe(
      variablesOf(model).reduce((sum, { size }) => sum + size, 0),
    );
  });

  it.each(['sampled', 'exact'] as const)('learn with the %s Fisher matrix', async (fisher) => {
    const model = compiled(example, { learningRate: 0.1, fisher, klClip: 1e-3 });
    const losses = await train(model, 31);
    expect(losses[30]).toBeLessThan(0.85 * losses[0]);
    expect((model.optimizer as NaturalGradientOptimizer).stats()).toMatchObject({
      skippedSteps: 0,
      skippedBatches: 0,
      refreshFailures: 0,
    });
  });

  it('resume from a saved model as if nothing had happened', async () => {
    const config = { refreshPeriod: 4, learningRate: 0.02 };
    const whole = compiled(example, config);
    const first = tf.sequential({ layers: example.stack() });
    first.setWeights(whole.getWeights());
    first.compile({ optimizer: kfac(config), loss: 'categoricalCrossentropy' });
    await train(whole, 10);
    await train(first, 5);
    let artifacts: tf.io.ModelArtifacts | undefined;
    const handler = tf.io.withSaveHandler((saved) => {
      artifacts = saved;
      return Promise.resolve({ modelArtifactsInfo: tf.io.getModelArtifactsInfoForJSON(saved) });
    });
    await first.save(handler, { includeOptimizer: true });
    const second = (await tf.loadLayersModel(tf.io.fromMemory(artifacts!))) as tf.Sequential;
    await train(second, 5, 5);
    expect(weightsOf(second)).toEqual(weightsOf(whole));
  });

  it('leave weights alone on a batch that is not finite', async () => {
    const model = compiled(example, {});
    await train(model, 2);
    const trained = () => variablesOf(model).map((variable) => variable.dataSync<'float32'>().slice());
    const before = trained();
    await model.trainOnBatch(values([3, ...example.inputShape], 1).mul(NaN), labels(3, 3));
    expect(trained()).toEqual(before);
  });
});

it.each(['symmetric', 'infinite'] as const)(
  'trains recurrent kernels with %s transitions, and resumes',
  async (transition) => {
    const example = examples['an LSTM with layer normalisation'];
    const config: NaturalGradientConfig = {
      learningRate: 0.1,
      klClip: 1e-3,
      refreshPeriod: 3,
      blocks: [{ match: /kernel/, curvature: { structure: 'recurrent', transition } }],
    };
    const model = compiled(example, config);
    const losses = await train(model, 7);
    const summary = (model.optimizer as NaturalGradientOptimizer).summary();
    const found = summary.filter(({ structure }) => structure.includes(`${transition} transition`));
    expect(found.map(({ variables }) => shortened(variables))).toEqual(['kernel', 'recurrent_kernel']);
    let artifacts: tf.io.ModelArtifacts | undefined;
    const handler = tf.io.withSaveHandler((saved) => {
      artifacts = saved;
      return Promise.resolve({ modelArtifactsInfo: tf.io.getModelArtifactsInfoForJSON(saved) });
    });
    await model.save(handler, { includeOptimizer: true });
    const resumed = (await tf.loadLayersModel(tf.io.fromMemory(artifacts!))) as tf.Sequential;
    await train(resumed, 4, 7);
    losses.push(...(await train(model, 24, 7)));
    expect(losses[30]).toBeLessThan(0.85 * losses[0]);
    const again = tf.sequential({ layers: example.stack() });
    again.setWeights(resumed.getWeights());
    const uninterrupted = compiled(example, config);
    await train(uninterrupted, 11);
    expect(weightsOf(again)).toEqual(weightsOf(uninterrupted));
  },
);

it('shares weights by reducing, which changes the step of layers with several rows only', async () => {
  const example = examples['an LSTM with layer normalisation'];
  const weights = await Promise.all(
    (['expand', 'reduce'] as const).map(async (weightSharing) => {
      const model = tf.sequential({ layers: example.stack() });
      randomise(model);
      const optimizer = kfac({ weightSharing, refresh: 'immediate', klClip: null, momentum: 0 });
      model.compile({ optimizer, loss: 'categoricalCrossentropy' });
      await train(model, 1);
      return weightsOf(model);
    }),
  );
  const [expand, reduce] = weights;
  expect(reduce[0]).not.toEqual(expand[0]);
  // The last dense layer has one row per example.
  expect(reduce.slice(-2)).toEqual(expand.slice(-2));
});

it('takes the exact natural step of scale and shift and of a bias that stands alone', () => {
  // Oracle: scores per example from autodiff, one example at a time; per channel (or over the bias) (1/N sum s s' + lambda I)^-1 g.
  const [N, R, C, lambda] = [5, 3, 4, 0.05];
  const x = values([N, R, C], 1);
  const y = values([N, C], 2);
  const gamma = tf.variable(values([C], 3), true, 'gamma');
  const beta = tf.variable(values([C], 4), true, 'beta');
  const offset = tf.variable(values([C], 5), true, 'offset');
  const lossOf = (input: tf.Tensor, target: tf.Tensor) => () =>
    tf.tidy(() =>
      tf
        .tanh(tf.relu(input.mul(gamma).add(beta)).add(offset))
        .mean(1)
        .sub(target)
        .square()
        .mean<tf.Scalar>(),
    );
  const all = [gamma, beta, offset];
  const gradientOf = (loss: () => tf.Scalar) => {
    const { grads } = tf.variableGrads(loss, all);
    return Float64Array.from(all.flatMap(({ name }) => [...grads[name].dataSync()]));
  };
  const gradient = gradientOf(lossOf(x, y));
  const scores = Array.from({ length: N }, (_, n) =>
    gradientOf(lossOf(x.slice([n], [1]), y.slice([n], [1]))),
  );
  const before = all.flatMap((variable) => [...variable.dataSync()]);
  const groups = [...Array.from({ length: C }, (_, c) => [c, C + c]), [8, 9, 10, 11]];
  const expected = [...before];
  for (const group of groups) {
    const moment = new Float64Array(group.length ** 2);
    for (const s of scores)
      addOuterProduct(
        moment,
        group.map((i) => s[i]),
        1 / N,
      );
    const step = solve(
      plusDiagonal(moment, lambda),
      group.map((i) => gradient[i]),
    );
    group.forEach((i, at) => (expected[i] -= step[at]));
  }
  const optimizer = kfac({
    learningRate: 1,
    momentum: 0,
    klClip: null,
    damping: lambda,
    fisher: 'empirical',
    factorDecay: 0,
    refresh: 'immediate',
    refreshPeriod: 1,
    precision: 'float64',
  });
  optimizer.minimize(lossOf(x, y), false, all);
  expect(optimizer.summary().map(({ structure }) => structure)).toEqual(['exact per channel', 'exact']);
  expect(
    relativeError(
      all.flatMap((variable) => [...variable.dataSync()]),
      expected,
    ),
  ).toBeLessThan(1e-5);
});

it('falls back to the diagonal where an exact block is too large, and says so; strict refuses', async () => {
  const example = examples['a transposed convolution'];
  const model = compiled(example, { maxFactorSize: 8 });
  await train(model, 1);
  const summary = (model.optimizer as NaturalGradientOptimizer).summary();
  expect(summary[0]).toMatchObject({
    structure: 'diagonal',
    reason: expect.stringMatching(/12 rows.*maxFactorSize/) as string,
  });
  const strict = compiled(example, { maxFactorSize: 8, strict: true });
  await expect(train(strict, 1)).rejects.toThrow(errorWithCode('ERR_NATGRAD_UNSUPPORTED_LAYER'));
});
