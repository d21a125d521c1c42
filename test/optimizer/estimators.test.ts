/** The estimators of the Fisher matrix and the ways to declare a predictive distribution, seen from the optimizer. */
import * as tf from '@tensorflow/tfjs';

import { kfac, observe, type FisherOption } from '../../src';
import { useBackend } from '../support/backends';
import { oneStep } from '../support/exactStep';
import { relativeError } from '../support/matrices';
import { values } from '../tape/nets';

beforeAll(() => useBackend('cpu'));
afterEach(() => tf.disposeVariables());

/** The weights of `make()`, a loss with its variable, after one step. */
function stepped(
  fisher: FisherOption,
  make: () => { loss: () => tf.Scalar; variable: tf.Variable },
): Float32Array {
  const { loss, variable } = make();
  const optimizer = kfac({ ...oneStep, damping: 0.1, fisher });
  optimizer.minimize(() => tf.tidy(loss), false, [variable]);
  const weights = variable.dataSync<'float32'>().slice();
  expect(optimizer.stats()).toMatchObject({ skippedBatches: 0, skippedSteps: 0 });
  variable.dispose();
  return weights;
}

const [rows, inputs] = [6, 3];
const weightsOf = (columns: number) =>
  tf.variable(values([inputs, columns], 2), true, 'w') as tf.Variable<tf.Rank.R2>;
const x = () => values([rows, inputs], 1) as tf.Tensor2D;

function binary() {
  const variable = weightsOf(1);
  const y = tf.tensor2d([0, 1, 1, 0, 1, 0], [rows, 1]);
  return {
    variable,
    loss: () => tf.losses.sigmoidCrossEntropy(y, x().matMul(variable)).asScalar(),
  };
}

it.each(['gaussNewton', 'curvaturePropagation'] as const)(
  'takes the same step with %s as with exact, for one output per row',
  (estimator) => {
    // Oracle: with one output B is a number, so that (B v)^2 = B^2 and both are the exact Fisher matrix.
    expect(relativeError(stepped(estimator, binary), stepped('exact', binary))).toBeLessThan(1e-6);
  },
);

it('takes the same step from outputFisher as from the likelihood that it belongs to', () => {
  const own = {
    outputFisher: ({ parameters }: { parameters?: Float32Array }, row: number) => {
      const p = 1 / (1 + Math.exp(-parameters![row]));
      return Float64Array.of(p * (1 - p));
    },
  };
  const fisher: FisherOption = { estimator: 'exact', distribution: own, output: 'w' };
  expect(relativeError(stepped(fisher, binary), stepped('exact', binary))).toBeLessThan(1e-5);
});

/** A regression with predicted variances; the loss goes on with the tensor that is observed, or with its parts. */
function heteroscedastic(joined: boolean, variance: (raw: tf.Tensor) => tf.Tensor) {
  const variable = weightsOf(2);
  const y = values([rows, 1], 3);
  const loss = () => {
    const [mean, raw] = tf.split(x().matMul(variable), 2, 1);
    const parts = [mean, variance(raw)];
    const output = observe(tf.concat(parts, 1), 'gaussianWithVariance');
    const [m, v] = joined ? tf.split(output, 2, 1) : parts;
    return m.sub(y).square().div(v.mul(2)).add(v.log().mul(0.5)).mean<tf.Scalar>();
  };
  return { variable, loss };
}

it('knows a normal distribution with predicted variances', () => {
  // Oracle: with v = 1 for all rows the Fisher matrix in (mean, raw) is diag(1, v'^2 / 2) per row: for v = exp(raw) at raw = 0 it is
  // diag(1, 1/2), so that G = diag(1, 1/2) and A = X'X / N; the damped step follows by hand.
  const make = () => {
    const made = heteroscedastic(true, (raw) => raw.exp());
    const zeroed = tf.tidy(() => made.variable.mul(tf.tensor2d([[1, 0]])));
    made.variable.assign(zeroed as tf.Tensor2D);
    return made;
  };
  const { variable, loss } = make();
  const gradient = tf.variableGrads(loss, [variable]).grads.w.dataSync<'float32'>();
  const before = variable.dataSync<'float32'>().slice();
  variable.dispose();
  const X = x().dataSync<'float32'>();
  const A = Array.from({ length: 9 }, (_, at) => {
    const [i, j] = [Math.floor(at / 3), at % 3];
    let sum = 0;
    for (let n = 0; n < rows; n++) sum += (X[3 * n + i] * X[3 * n + j]) / rows;
    return sum;
  });
  const G = [1, 0.5];
  const pi = Math.sqrt((A[0] + A[4] + A[8]) / 3 / ((G[0] + G[1]) / 2));
  const root = Math.sqrt(0.1);
  const damped = tf.tensor2d(
    A.map((value, at) => value + (at % 4 === 0 ? pi * root : 0)),
    [3, 3],
  );
  const after = stepped('exact', make);
  // (A + pi root I) D (G + root / pi I) must be the gradient, D being the step that was taken.
  const D = before.map((value, i) => value - after[i]);
  const left = damped.matMul(tf.tensor2d(D, [3, 2])).dataSync<'float32'>();
  const product = left.map((value, i) => value * (G[i % 2] + root / pi));
  expect(relativeError(product, gradient)).toBeLessThan(1e-5);
});

it('takes means and variances of two outputs that are joined for it only', () => {
  const softplus = (raw: tf.Tensor) => tf.softplus(raw).add(0.1);
  const one = stepped('exact', () => heteroscedastic(true, softplus));
  const two = stepped('exact', () => heteroscedastic(false, softplus));
  expect(relativeError(two, one)).toBeLessThan(1e-6);
});

it('leaves masked rows out, given weights for the rows', () => {
  // Oracle: a mean over the unmasked rows is the loss of a batch that holds those alone. The block of a bias is exact and has no activations,
  // so that all of it comes from what is sent back.
  const mask = [1, 0, 1, 1, 0, 1];
  const kept = mask.flatMap((value, row) => (value ? [row] : []));
  const make = (masked: boolean) => {
    const variable = tf.variable(values([3], 4), true, 'bias');
    const offsets = values([rows, 3], 5) as tf.Tensor2D;
    const y = tf.oneHot(tf.tensor1d([0, 1, 2, 0, 1, 2], 'int32'), 3).toFloat() as tf.Tensor2D;
    const pick = <T extends tf.Tensor>(t: T) => (masked ? t : tf.gather(t, tf.tensor1d(kept, 'int32')));
    const loss = () => {
      const weights = tf.tensor1d(mask).mul(rows / kept.length);
      const logits = observe(pick(offsets).add(variable), 'categorical', masked ? { weights: weights } : {});
      const terms = tf.neg(tf.sum(pick(y).mul(tf.logSoftmax(logits)), 1));
      return (masked ? terms.mul(weights) : terms).mean<tf.Scalar>();
    };
    return { variable, loss };
  };
  expect(
    relativeError(
      stepped('exact', () => make(true)),
      stepped('exact', () => make(false)),
    ),
  ).toBeLessThan(1e-5);
});
