import * as tf from '@tensorflow/tfjs';

import { NatgradError } from '../../src/errors';
import { observe } from '../../src/tape/observe';
import { record } from '../../src/tape/record';
import type { Distribution, Head, Recording } from '../../src/tape/types';
import { labels, randomise, relativeError, values, variablesOf } from './nets';

const { layers } = tf;

/** What is kept of a head after the recording. */
interface Found {
  distribution: Distribution;
  shape: number[];
  id: number;
  probabilities?: number[];
  target?: number[];
}

function kept({ distribution, parameters, probabilities, target }: Head): Found {
  return {
    distribution,
    shape: parameters.shape,
    id: parameters.id,
    probabilities: probabilities && [...probabilities.dataSync()],
    target: target && [...target.dataSync()],
  };
}

function inspect<T>(loss: () => tf.Tensor, variables: tf.Variable[], look: (recording: Recording) => T): T {
  let result: T;
  const { value, grads } = record(loss as () => tf.Scalar, variables, {
    onForward: (recording) => void (result = look(recording)),
  });
  tf.dispose([value, grads]);
  return result!;
}

function headsOf(loss: () => tf.Tensor, variables: tf.Variable[]): Found[] {
  return inspect(loss, variables, ({ heads }) => heads.map(kept));
}

/** The heads that are seen when a compiled model is trained on one batch. */
async function headsInTraining(
  model: tf.LayersModel,
  x: tf.Tensor | tf.Tensor[],
  y: tf.Tensor | tf.Tensor[],
): Promise<[Found[], number]> {
  let found: [Found[], number] = [[], 0];
  const { optimizer } = model;
  const original = optimizer.computeGradients.bind(optimizer);
  optimizer.computeGradients = (f, variables) => {
    found = inspect(f, variables!, ({ heads, examples }) => [heads.map(kept), examples]);
    return original(f, variables);
  };
  await model.trainOnBatch(x, y);
  return found;
}

const x = () => values([6, 4], 1) as tf.Tensor2D;
let w: tf.Variable<tf.Rank.R2>;
const logits = () => x().matMul(w) as tf.Tensor2D;

beforeAll(async () => {
  await tf.setBackend('cpu');
});
beforeEach(() => {
  w = tf.variable(values([4, 3], 2), true, 'w') as tf.Variable<tf.Rank.R2>;
});
afterEach(() => tf.disposeVariables());

const y = () => labels(6, 3);
const scalar = (tensor: tf.Tensor) => tensor.mean<tf.Scalar>();

describe('losses written with tfjs operations', () => {
  const categorical: [string, (z: tf.Tensor2D) => tf.Scalar][] = [
    ['tf.losses.softmaxCrossEntropy', (z) => tf.losses.softmaxCrossEntropy(y(), z)],
    [
      'tf.losses.softmaxCrossEntropy with weights and smoothing',
      (z) => tf.losses.softmaxCrossEntropy(y(), z, tf.ones([6]), 0.1),
    ],
    [
      'the mean of tf.metrics.categoricalCrossentropy on a softmax',
      (z) => scalar(tf.metrics.categoricalCrossentropy(y(), z.softmax())),
    ],
    ['tf.logSoftmax', (z) => scalar(tf.logSoftmax(z).mul(y()).neg().sum(-1))],
    ['softmax and log by hand', (z) => scalar(z.softmax().log().mul(y()).neg().sum(1))],
    ['tf.losses.logLoss on a softmax', (z) => tf.losses.logLoss(y(), z.softmax())],
    [
      'a policy gradient on chosen probabilities',
      (z) =>
        scalar(
          z
            .softmax()
            .mul(y())
            .sum(1)
            .log()
            .mul(values([6], 5))
            .neg(),
        ),
    ],
  ];

  test.each(categorical)('%s is a categorical distribution', (_, loss) => {
    const expected = tf.tidy(() => [...logits().softmax().dataSync()]);
    const heads = headsOf(() => loss(logits()), [w]);
    expect(heads).toHaveLength(1);
    expect(heads[0]).toMatchObject({ distribution: 'categorical', shape: [6, 3] });
    expect(relativeError(heads[0].probabilities!, expected)).toBeLessThan(1e-6);
  });

  const bernoulli: [string, (z: tf.Tensor2D) => tf.Scalar][] = [
    ['tf.losses.sigmoidCrossEntropy', (z) => tf.losses.sigmoidCrossEntropy(y(), z)],
    [
      'the mean of tf.metrics.binaryCrossentropy on a sigmoid',
      (z) => scalar(tf.metrics.binaryCrossentropy(y(), z.sigmoid())),
    ],
    ['tf.losses.logLoss on a sigmoid', (z) => tf.losses.logLoss(y(), z.sigmoid())],
  ];

  test.each(bernoulli)('%s is a Bernoulli distribution', (_, loss) => {
    const expected = tf.tidy(() => [...logits().sigmoid().dataSync()]);
    const heads = headsOf(() => loss(logits()), [w]);
    expect(heads).toHaveLength(1);
    expect(heads[0]).toMatchObject({ distribution: 'bernoulli', shape: [6, 3] });
    expect(relativeError(heads[0].probabilities!, expected)).toBeLessThan(1e-6);
  });

  const gaussian: [string, (z: tf.Tensor2D) => tf.Scalar][] = [
    ['tf.losses.meanSquaredError', (z) => tf.losses.meanSquaredError(y(), z)],
    ['tf.squaredDifference', (z) => scalar(tf.squaredDifference(z, y()))],
    ['sub and square', (z) => scalar(z.sub(y()).square())],
    ['sub the other way round and square', (z) => scalar(y().sub(z).square())],
    [
      'a difference times itself',
      (z) => {
        const difference = z.sub(y());
        return scalar(difference.mul(difference));
      },
    ],
    ['the mean of tf.metrics.meanSquaredError', (z) => scalar(tf.metrics.meanSquaredError(y(), z))],
  ];

  test.each(gaussian)('%s is a Gaussian whose mean is the side that depends on variables', (_, loss) => {
    let id = -1;
    const heads = headsOf(() => {
      const z = logits();
      id = z.id;
      return loss(z);
    }, [w]);
    expect(heads).toEqual([
      { distribution: 'gaussian', shape: [6, 3], id, probabilities: undefined, target: [...y().dataSync()] },
    ]);
  });

  test('the squared error of a sigmoid is a Gaussian around the sigmoid', () => {
    const heads = headsOf(() => tf.losses.meanSquaredError(y(), logits().sigmoid()), [w]);
    expect(heads.map(({ distribution }) => distribution)).toEqual(['gaussian']);
  });

  test('probabilities can be read although the user disposed of the logits', () => {
    const expected = tf.tidy(() => [...logits().softmax().dataSync()]);
    const loss = () => tf.tidy(() => tf.losses.softmaxCrossEntropy(y(), logits()));
    const [head] = inspect(loss, [w], ({ heads }) =>
      heads.map((found) => ({ ...kept(found), gone: found.parameters.isDisposed })),
    );
    expect(head.gone).toBe(true);
    expect(relativeError(head.probabilities!, expected)).toBeLessThan(1e-6);
  });
});

describe('what is no head', () => {
  test('a hidden sigmoid behind a loss that is not recognised', () => {
    const v = tf.variable(values([3, 2], 3), true, 'v') as tf.Variable<tf.Rank.R2>;
    const output = () => logits().sigmoid().matMul(v);
    expect(headsOf(() => tf.losses.hingeLoss(labels(6, 2), output()), [w, v])).toEqual([]);
    expect(headsOf(() => scalar(output().cosh().log()), [w, v])).toEqual([]);
  });

  test('a sigmoid gate or softmax that feeds a loss without a logarithm', () => {
    expect(headsOf(() => tf.losses.hingeLoss(y(), logits().mul(logits().sigmoid())), [w])).toEqual([]);
    expect(headsOf(() => tf.losses.absoluteDifference(y(), logits().softmax()), [w])).toEqual([]);
  });

  test('attention weights behind an unrecognised loss on logarithms', () => {
    const attention = () =>
      logits()
        .softmax()
        .matMul(values([3, 3], 4));
    expect(headsOf(() => scalar(attention().square().add(1).log()), [w])).toEqual([]);
  });

  test('a squared difference of which both sides depend on variables, or neither does', () => {
    expect(headsOf(() => scalar(logits().sub(logits().tanh()).square()), [w])).toEqual([]);
    const constant = () =>
      scalar(
        y()
          .sub(values([6, 3], 5))
          .square(),
      );
    expect(headsOf(() => constant().add(tf.losses.huberLoss(y(), logits())), [w])).toEqual([]);
  });

  test('the squared distance of a variable from a constant', () => {
    const anchor = values([4, 3], 8);
    const loss = () => tf.losses.softmaxCrossEntropy(y(), logits()).add(w.sub(anchor).square().sum());
    expect(headsOf(loss, [w]).map(({ distribution }) => distribution)).toEqual(['categorical']);
  });

  test('metrics that are computed in the same function', () => {
    const loss = () => {
      const z = logits();
      tf.keep(tf.losses.meanSquaredError(y(), z)).dispose();
      return tf.losses.softmaxCrossEntropy(y(), z);
    };
    expect(headsOf(loss, [w]).map(({ distribution }) => distribution)).toEqual(['categorical']);
  });
});

describe('losses of models', () => {
  const cases: [string, 'softmax' | 'sigmoid' | 'linear', string, Distribution][] = [
    ['categoricalCrossentropy', 'softmax', 'categoricalCrossentropy', 'categorical'],
    ['sparseCategoricalCrossentropy', 'softmax', 'sparseCategoricalCrossentropy', 'categorical'],
    ['binaryCrossentropy', 'sigmoid', 'binaryCrossentropy', 'bernoulli'],
    ['meanSquaredError', 'linear', 'meanSquaredError', 'gaussian'],
    ['meanSquaredError of probabilities', 'sigmoid', 'meanSquaredError', 'gaussian'],
  ];

  test.each(cases)(
    '%s, with hidden sigmoids, penalties and metrics around it',
    async (_, activation, loss, distribution) => {
      const model = tf.sequential({
        layers: [
          layers.dense({ units: 5, inputShape: [4], activation: 'sigmoid', kernelRegularizer: 'l1l2' }),
          layers.dense({ units: 3, activation, biasRegularizer: 'l1l2' }),
        ],
      });
      model.compile({ optimizer: tf.train.sgd(0.1), loss, metrics: ['accuracy', 'mse'] });
      const target = loss.startsWith('sparse') ? tf.tensor2d([0, 1, 2, 0, 1, 2], [6, 1]) : y();
      const predicted = [...(model.predict(x()) as tf.Tensor).dataSync()];
      const [heads, examples] = await headsInTraining(model, x(), target);
      expect(heads.map((head) => [head.distribution, head.shape])).toEqual([[distribution, [6, 3]]]);
      expect(examples).toBe(6);
      if (distribution !== 'gaussian')
        expect(relativeError(heads[0].probabilities!, predicted)).toBeLessThan(1e-6);
      model.dispose();
    },
  );

  test('several outputs are several heads on the same examples', async () => {
    const input = tf.input({ shape: [4] });
    const hidden = layers.dense({ units: 3, activation: 'tanh' }).apply(input) as tf.SymbolicTensor;
    const outputs = (['softmax', 'sigmoid', 'linear'] as const).map(
      (activation, i) => layers.dense({ units: i + 2, activation }).apply(hidden) as tf.SymbolicTensor,
    );
    const model = tf.model({ inputs: input, outputs });
    model.compile({
      optimizer: tf.train.sgd(0.1),
      loss: ['categoricalCrossentropy', 'binaryCrossentropy', 'meanSquaredError'],
    });
    const [heads, examples] = await headsInTraining(model, x(), [
      labels(6, 2),
      labels(6, 3),
      values([6, 4], 3),
    ]);
    expect(heads.map((head) => [head.distribution, head.shape])).toEqual([
      ['categorical', [6, 2]],
      ['bernoulli', [6, 3]],
      ['gaussian', [6, 4]],
    ]);
    expect(examples).toBe(6);
    model.dispose();
  });

  test('a time-distributed softmax has a head per step, whose rows add up', async () => {
    const model = tf.sequential({
      layers: [
        layers.lstm({ units: 3, returnSequences: true, inputShape: [5, 4] }),
        layers.timeDistributed({ layer: layers.dense({ units: 2, activation: 'softmax' }) }),
      ],
    });
    model.compile({ optimizer: tf.train.sgd(0.1), loss: 'categoricalCrossentropy' });
    const [heads, examples] = await headsInTraining(
      model,
      values([3, 5, 4], 1),
      labels(15, 2).reshape([3, 5, 2]),
    );
    expect(heads.map((head) => [head.distribution, head.shape])).toEqual(
      Array(5).fill(['categorical', [3, 2]]),
    );
    expect(examples).toBe(15);
    model.dispose();
  });
});

describe('how many examples a loss averages over', () => {
  const examplesOf = (loss: () => tf.Tensor) => inspect(loss, [w], ({ examples }) => examples);
  const parts = () => tf.split(logits(), 2, 0);

  test('rows of one head, whatever its rank', () => {
    expect(examplesOf(() => tf.losses.softmaxCrossEntropy(y(), logits()))).toBe(6);
    expect(examplesOf(() => scalar(logits().reshape([2, 3, 3]).softmax().log()))).toBe(6);
    expect(
      examplesOf(() =>
        scalar(
          logits()
            .sum(1)
            .sub(values([6], 3))
            .square(),
        ),
      ),
    ).toBe(6);
    expect(examplesOf(() => logits().sum().sub(1).square())).toBe(1);
  });

  test('heads that are concatenated or stacked along other axes than the last add up', () => {
    expect(examplesOf(() => scalar(tf.concat(parts().map((part) => part.softmax())).log()))).toBe(6);
    expect(
      examplesOf(() =>
        scalar(
          tf
            .stack(
              parts().map((part) => part.softmax()),
              1,
            )
            .log(),
        ),
      ),
    ).toBe(6);
    expect(examplesOf(() => scalar(tf.concat([logits().softmax(), logits().softmax()], 1).log()))).toBe(6);
  });

  test('without a head, the rows of the first layer', () => {
    expect(examplesOf(() => tf.losses.absoluteDifference(y(), logits()))).toBe(6);
  });
});

describe('observe', () => {
  test('declares the head of a loss that is not recognised', () => {
    const expected = tf.tidy(() => [...logits().softmax().dataSync()]);
    let id = -1;
    const loss = () => {
      const z = observe(logits(), 'categorical');
      id = z.id;
      return scalar(z.logSumExp(1).sub(z.mul(y()).sum(1)));
    };
    expect(headsOf(() => scalar(logits().logSumExp(1)), [w])).toEqual([]);
    const heads = headsOf(loss, [w]);
    expect(heads).toEqual([expect.objectContaining({ distribution: 'categorical', shape: [6, 3], id })]);
    expect(relativeError(heads[0].probabilities!, expected)).toBeLessThan(1e-6);
  });

  test('goes before what is found', () => {
    const loss = () => tf.losses.meanSquaredError(y(), observe(logits(), 'bernoulli').sigmoid());
    expect(headsOf(loss, [w]).map(({ distribution }) => distribution)).toEqual(['bernoulli']);
    const gaussian = () => tf.losses.softmaxCrossEntropy(y(), observe(logits(), 'gaussian'));
    expect(headsOf(gaussian, [w]).map(({ distribution }) => distribution)).toEqual(['gaussian']);
  });

  test('is readable although the tensor was disposed of, and leaks nothing', () => {
    const before = tf.memory().numTensors;
    let [head]: Found[] = [];
    tf.tidy(() => {
      [head] = headsOf(() => tf.tidy(() => scalar(observe(logits(), 'bernoulli').square())), [w]);
    });
    expect(head.probabilities).toHaveLength(18);
    expect(tf.memory().numTensors).toBe(before);
  });

  test('returns its argument and does nothing outside of training', () => {
    const tensor = tf.ones([2]);
    const before = tf.memory().numTensors;
    expect(observe(tensor, 'gaussian')).toBe(tensor);
    expect(tf.memory().numTensors).toBe(before);
  });

  test('does not count where the tensor depends on no variable that is trained', () => {
    const loss = () => {
      observe(y(), 'categorical');
      return tf.losses.sigmoidCrossEntropy(y(), logits());
    };
    expect(headsOf(loss, [w]).map(({ distribution }) => distribution)).toEqual(['bernoulli']);
  });

  test('refuses what is no tensor or no distribution it knows', () => {
    expect(() => observe([1] as unknown as tf.Tensor, 'gaussian')).toThrow(NatgradError);
    expect(() => observe(tf.tensor1d([1], 'int32'), 'gaussian')).toThrow(/float32/);
    expect(() => observe(tf.ones([1]), 'normal' as Distribution)).toThrow(/categorical, bernoulli, gaussian/);
  });
});

test('searching for heads and reading them leaks nothing', () => {
  const model = tf.sequential({
    layers: [layers.dense({ units: 3, inputShape: [4], activation: 'softmax' })],
  });
  randomise(model);
  const [input, target] = [x(), y()];
  const run = () =>
    headsOf(
      () => tf.losses.softmaxCrossEntropy(target, model.apply(input) as tf.Tensor2D),
      variablesOf(model),
    );
  run();
  const before = tf.memory();
  for (let i = 0; i < 5; i++) run();
  expect(tf.memory().numTensors).toBe(before.numTensors);
  expect(tf.memory().numBytes).toBe(before.numBytes);
  model.dispose();
});
