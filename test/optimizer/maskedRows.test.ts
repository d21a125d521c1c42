/** Rows without weight in the loss: a masked batch gives the step of the batch without them, whatever the structure. */
import * as tf from '@tensorflow/tfjs';

import { NaturalGradientOptimizer, observe, type NaturalGradientConfig } from '../../src';
import { structures, type CurvatureOption, type StructureName } from '../../src/curvature/structures';
import { oneStep } from '../support/exactStep';
import { useBackend } from '../support/backends';
import { relativeError } from '../support/matrices';
import { values } from '../tape/nets';

beforeAll(() => useBackend('cpu'));
afterEach(() => tf.disposeVariables());

type Batch = { inputs: tf.Tensor; targets: tf.Tensor2D; weights?: tf.Tensor1D };

interface Problem {
  variables: () => tf.Variable[];
  logits: (variables: tf.Variable[], inputs: tf.Tensor) => tf.Tensor2D;
  /** The batch with rows of weight 0 among the others, and the batch of the others. */
  masked: () => Batch;
  others: () => Batch;
}

/** The mean over the rows of weight * -log p, as a user writes it. */
function crossEntropy({ targets, weights }: Batch, logits: tf.Tensor2D): tf.Scalar {
  const observed = observe(logits, 'categorical', { weights });
  const losses = targets.mul(observed.logSoftmax()).sum(1).neg();
  return (weights ? losses.mul(weights) : losses).mean().asScalar();
}

function stepped(problem: Problem, batch: () => Batch, config: NaturalGradientConfig): Float64Array {
  const variables = problem.variables();
  const optimizer = new NaturalGradientOptimizer({ ...oneStep, damping: 0.1, ...config });
  const before = variables.map((variable) => variable.dataSync().slice());
  const loss = () => {
    const given = batch();
    return crossEntropy(given, problem.logits(variables, given.inputs));
  };
  optimizer.minimize(() => tf.tidy(loss), false, variables);
  const change = variables.flatMap((variable, i) => [...variable.dataSync()].map((w, j) => w - before[i][j]));
  tf.dispose(variables);
  optimizer.dispose();
  return Float64Array.from(change);
}

function difference(problem: Problem, config: NaturalGradientConfig): number {
  const masked = stepped(problem, problem.masked, config);
  return relativeError(masked, stepped(problem, problem.others, config));
}

const classes = 3;
const live = [1, 1, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 1, 0, 1];
const chosen = live.flatMap((on, row) => (on ? [row] : []));
const targetsOf = (rows: number[]) =>
  tf
    .oneHot(
      tf.tensor1d(
        rows.map((row) => (row * 7) % classes),
        'int32',
      ),
      classes,
    )
    .toFloat() as tf.Tensor2D;
/** So that the mean over all rows is the mean over those that are live. */
const weightsOf = (mask: number[]) => {
  const count = mask.reduce((sum, on) => sum + on, 0);
  return tf.tensor1d(mask.map((on) => (on * mask.length) / count));
};
const every = live.map((_, row) => row);

/** Batches whose masked rows are large, so that they show wherever they enter. */
const batches = (inputs: (rows: number[]) => tf.Tensor): Pick<Problem, 'masked' | 'others'> => ({
  masked: () => ({ inputs: inputs(every), targets: targetsOf(every), weights: weightsOf(live) }),
  others: () => ({ inputs: inputs(chosen), targets: targetsOf(chosen) }),
});

const louder = (rows: number[]) => tf.tensor1d(rows.map((row) => (live[row] ? 1 : 5)));

/** Three sequences of five positions, flattened to rows: two dense layers. */
const sequence: Problem = {
  variables: () => [
    tf.variable(values([4, 5], 1), true, 'w1'),
    tf.variable(values([5], 2), true, 'b1'),
    tf.variable(values([5, classes], 3), true, 'w2'),
    tf.variable(values([classes], 4), true, 'b2'),
  ],
  logits([w1, b1, w2, b2], inputs) {
    const hidden = tf.tanh(tf.matMul(inputs as tf.Tensor2D, w1 as tf.Tensor2D).add(b1));
    return tf.matMul(hidden as tf.Tensor2D, w2 as tf.Tensor2D).add(b2);
  },
  ...batches((rows) => tf.gather(values([15, 4], 5), rows).mul(louder(rows).reshape([-1, 1]))),
};

/** Images of which some are masked. */
const images: Problem = {
  variables: () => [
    tf.variable(values([2, 2, 1, 3], 1), true, 'kernel'),
    tf.variable(values([3], 2), true, 'bias'),
    tf.variable(values([3, classes], 3), true, 'w'),
  ],
  logits([kernel, bias, w], inputs) {
    const z = tf.conv2d(inputs as tf.Tensor4D, kernel as tf.Tensor4D, 1, 'same').add(bias);
    return tf.matMul(tf.tanh(z).mean<tf.Tensor2D>([1, 2]), w);
  },
  ...batches((rows) => tf.gather(values([15, 4, 4, 1], 5), rows).mul(louder(rows).reshape([-1, 1, 1, 1]))),
};

/** Words of which some are masked. */
const words: Problem = {
  variables: () => [
    tf.variable(values([6, 4], 1), true, 'table'),
    tf.variable(values([4, classes], 3), true, 'w'),
  ],
  logits: ([table, w], inputs) =>
    tf.matMul(tf.tanh(tf.gather(table as tf.Tensor2D, inputs as tf.Tensor1D)), w),
  // The masked ones are a word of their own.
  ...batches((rows) =>
    tf.tensor1d(
      rows.map((row) => (live[row] ? row % 5 : 5)),
      'int32',
    ),
  ),
};

/** Sequences of three steps of which some are masked as a whole. */
const recurrent: Problem = {
  variables: () => [
    tf.variable(values([2, 4], 1), true, 'kernel'),
    tf.variable(values([4, 4], 2), true, 'recurrent'),
    tf.variable(values([4, classes], 3), true, 'w'),
  ],
  logits([kernel, transition, w], inputs) {
    let state = tf.zeros<tf.Rank.R2>([inputs.shape[0], 4]);
    for (let t = 0; t < 3; t++) {
      const x = inputs.slice([0, t, 0], [-1, 1, -1]).reshape<tf.Tensor2D>([-1, 2]);
      const z = tf.matMul(x, kernel as tf.Tensor2D).add(tf.matMul(state, transition as tf.Tensor2D));
      state = tf.tanh(z) as tf.Tensor2D;
    }
    return tf.matMul<tf.Tensor2D>(state, w);
  },
  ...batches((rows) => tf.gather(values([15, 3, 2], 5), rows).mul(louder(rows).reshape([-1, 1, 1]))),
};

// Float64 statistics of float32 tensors, whose sums have rows of zeros between their terms.
const tolerance = 1e-4;

/** What they keep of the exact estimate depends on the random signs of all rows, which are others where there are more rows. */
const withSigns: CurvatureOption[] = ['diagonal', 'shampoo'];

describe.each(['exact', 'empirical'] as const)(
  'masked rows leave no trace with the %s estimator',
  (fisher) => {
    const names = Object.keys(structures) as StructureName[];
    test.each(names.filter((name) => fisher === 'empirical' || !withSigns.includes(name)))(
      'in dense layers with %s',
      (curvature) => {
        expect(difference(sequence, { fisher, curvature })).toBeLessThan(tolerance);
      },
    );

    test.each<[string, CurvatureOption]>([
      ['reduced rows', { structure: 'kroneckerFactored', weightSharing: 'reduce' }],
      ['diagonal factors of SINGD', { structure: 'singd', factors: 'diagonal' }],
      ['blocks of SINGD', { structure: 'singd', factors: 'blockDiagonal' }],
    ])('in dense layers with %s', (_, curvature) => {
      expect(difference(sequence, { fisher, curvature })).toBeLessThan(tolerance);
    });

    test.each<CurvatureOption>([
      'kroneckerFactored',
      { structure: 'kroneckerFactored', weightSharing: 'reduce' },
      'eigenvalueCorrected',
      'foof',
      'singd',
      'localFisher',
      'unitWise',
      'tengrad',
      { structure: 'tengrad', scoreRank: 1 },
      'onlineNaturalGradient',
    ])('in convolutions with %j', (curvature) => {
      expect(difference(images, { fisher, curvature })).toBeLessThan(tolerance);
    });

    test.each<CurvatureOption>([
      'kroneckerFactored',
      { structure: 'kroneckerFactored', weightSharing: 'reduce' },
      'foof',
      'tengrad',
    ])('in embeddings with %j', (curvature) => {
      expect(difference(words, { fisher, curvature })).toBeLessThan(tolerance);
    });

    test.each<CurvatureOption>([
      'kroneckerFactored',
      { structure: 'recurrent', transition: 'symmetric' },
      { structure: 'recurrent', transition: 'infinite' },
    ])('in recurrent kernels with %j', (curvature) => {
      expect(difference(recurrent, { fisher, curvature })).toBeLessThan(tolerance);
    });
  },
);

test('masked rows leave no trace in the axes of gradients', () => {
  const curvature = { structure: 'onlineNaturalGradient', form: 'axes' } as const;
  expect(difference(sequence, { fisher: 'empirical', curvature })).toBeLessThan(tolerance);
});

test('rows count by their weight', () => {
  // Oracle: a row of weight 2 is a row that is there twice, for the factors of K-FAC and for the gradient.
  const rows = [0, 1, 4];
  const inputs = (chosen: number[]) => tf.gather(values([15, 4], 5), chosen);
  const twice = [0, 1, 1, 4];
  const problem: Problem = {
    ...sequence,
    masked: () => ({
      inputs: inputs(rows),
      targets: targetsOf(rows),
      weights: tf.tensor1d([0.75, 1.5, 0.75]),
    }),
    others: () => ({ inputs: inputs(twice), targets: targetsOf(twice) }),
  };
  for (const curvature of [
    'kroneckerFactored',
    'foof',
    'blockTridiagonal',
    'singd',
    'localFisher',
  ] as const) {
    expect(difference(problem, { fisher: 'exact', curvature })).toBeLessThan(tolerance);
  }
});

test('a batch without a row that counts leaves the statistics as they are, and says so', () => {
  const warnings = jest.spyOn(console, 'warn').mockImplementation(() => {});
  const variables = sequence.variables();
  const optimizer = new NaturalGradientOptimizer({ ...oneStep, factorDecay: 0.5, seed: 1 });
  const step = (weights: tf.Tensor1D) =>
    optimizer.minimize(
      () =>
        tf.tidy(() => {
          const given = { ...sequence.masked(), weights };
          return crossEntropy(given, sequence.logits(variables, given.inputs));
        }),
      false,
      variables,
    );
  step(weightsOf(live));
  const dense = () => optimizer.curvature().blocks.map((block) => block.toDense());
  const before = dense();
  expect(optimizer.stats().skippedBatches).toBe(0);
  step(tf.zeros([live.length]));
  expect(optimizer.stats().skippedBatches).toBe(1);
  expect(dense()).toEqual(before);
  expect(warnings.mock.calls.flat().join()).toMatch(
    /statistics of the batch of step 1 are left out because every row of its outputs has the weight 0/,
  );
  for (const variable of variables) expect([...variable.dataSync()].every(Number.isFinite)).toBe(true);
  warnings.mockRestore();
});
