import * as tf from '@tensorflow/tfjs';

import { GaussNewton } from '../../src/fisher/gaussNewton';
import { likelihoodHeads } from '../../src/fisher/heads';
import { fisherSettings } from '../../src/fisher/options';
import { host } from '../../src/host/currentHost';
import { withTape } from '../../src/tape/record';
import { backends, useBackend } from '../support/backends';
import { backward, forward, noise, randomInputs, randomNet, score } from '../support/denseNet';
import { addOuterProduct, relativeError } from '../support/matrices';

const ROWS = 6;
const SIZES = [3, 4, 3];

/** H of one row in float64. */
type OutputFisher = (f: Float64Array) => number[][];

const softmaxFisher: OutputFisher = (f) => {
  const e = Array.from(f, Math.exp);
  const total = e.reduce((a, b) => a + b);
  const p = e.map((value) => value / total);
  return p.map((pi, i) => p.map((pj, j) => (i === j ? pi : 0) - pi * pj));
};

/** Mean over the columns of binary cross-entropies. */
const sigmoidFisher: OutputFisher = (f) =>
  Array.from(f, (x, i) => {
    const p = 1 / (1 + Math.exp(-x));
    return Array.from(f, (_, j) => (i === j ? (p * (1 - p)) / f.length : 0));
  });

/** Mean over the columns of squared errors: N(f, columns / 2). */
const squaredFisher: OutputFisher = (f) =>
  Array.from(f, (_, i) => Array.from(f, (__, j) => (i === j ? 2 / f.length : 0)));

const cases: [string, OutputFisher, (y: tf.Tensor2D, f: tf.Tensor2D) => tf.Tensor][] = [
  ['softmax cross-entropy', softmaxFisher, (y, f) => tf.losses.softmaxCrossEntropy(y, f)],
  ['sigmoid cross-entropy', sigmoidFisher, (y, f) => tf.losses.sigmoidCrossEntropy(y, f)],
  ['mean squared error', squaredFisher, (y, f) => tf.losses.meanSquaredError(y, f)],
];

describe.each(backends)('products with the exact Fisher matrix, on %s', (backend) => {
  beforeAll(() => useBackend(backend));
  afterEach(() => tf.disposeVariables());

  test.each(cases)("%s: F v and v'F w are those of the dense matrix of J'H J", (_, outputFisher, lossOf) => {
    const net = randomNet(SIZES, 'tanh', 5);
    const inputs = randomInputs(ROWS, SIZES[0], 7);

    // The dense matrix, from the gradient of every output of every example, in float64.
    const size = net.weights.reduce((sum, { length }) => sum + length, 0);
    const pass = forward(net, inputs);
    const columns = SIZES[2];
    const dense = new Float64Array(size * size);
    for (let row = 0; row < ROWS; row++) {
      const jacobian = Array.from({ length: columns }, (__, c) => {
        const vectors = new Float64Array(ROWS * columns);
        vectors[row * columns + c] = 1;
        const gradients = backward(net, pass, vectors);
        return Float64Array.from(net.weights.flatMap((___, l) => [...score(net, pass, gradients, l, row)]));
      });
      const h = outputFisher(pass.outputs.slice(row * columns, (row + 1) * columns));
      // u'H u = sum h_ij u_i u_j by polarisation: outer products of sums and of each alone.
      for (let i = 0; i < columns; i++) {
        for (let j = 0; j < columns; j++) {
          const plus = jacobian[i].map((value, at) => value + jacobian[j][at]);
          addOuterProduct(dense, plus, h[i][j] / (2 * ROWS));
          addOuterProduct(dense, jacobian[i], -h[i][j] / (2 * ROWS));
          addOuterProduct(dense, jacobian[j], -h[i][j] / (2 * ROWS));
        }
      }
    }

    // The same net in tfjs, kernel and bias apart. Vectors are rows of [kernel; bias] too.
    const variables = net.weights.flatMap((weights, l) => {
      const [n, m] = [SIZES[l], SIZES[l + 1]];
      const part = (from: number, shape: number[], to?: number) =>
        tf.variable(tf.tensor(Float32Array.from(weights.subarray(from, to)), shape));
      return [part(0, [n, m], n * m), part(n * m, [m])];
    });
    const [w1, b1, w2, b2] = variables as tf.Tensor[] as [tf.Tensor2D, tf.Tensor1D, tf.Tensor2D, tf.Tensor1D];
    const x = tf.tensor2d(Float32Array.from(inputs), [ROWS, SIZES[0]]);
    const y = tf.oneHot(tf.tensor1d([0, 2, 1, 0, 1, 2], 'int32'), columns).toFloat() as tf.Tensor2D;
    const loss = () => lossOf(y, x.matMul(w1).add(b1).tanh().matMul<tf.Tensor2D>(w2).add(b2)).asScalar();

    const [v, w] = [3, 4].map((seed) => Float64Array.from({ length: size }, noise(seed)));
    const pieces = (vector: Float64Array) => {
      let begin = 0;
      return variables.map((variable) => Float32Array.from(vector.subarray(begin, (begin += variable.size))));
    };
    const before = tf.memory().numTensors;
    const { product, inner } = withTape(loss, variables, (recording) => {
      const heads = likelihoodHeads(recording, fisherSettings());
      const fisher = new GaussNewton(recording, heads, variables, host());
      const [jv, jw] = [fisher.outputs(pieces(v)), fisher.outputs(pieces(w))];
      return { product: fisher.multiply(pieces(v)), inner: fisher.inner(jv, jw) };
    });
    expect(tf.memory().numTensors).toBe(before);

    const expected = v.map((__, i) => v.reduce((sum, value, j) => sum + dense[i * size + j] * value, 0));
    const actual = product.flatMap((piece) => [...piece]);
    expect(relativeError(actual, expected)).toBeLessThan(2e-6);
    const expectedInner = w.reduce((sum, value, i) => sum + value * expected[i], 0);
    const scale = Math.sqrt(
      expected.reduce((sum, value) => sum + value * value, 0) * w.reduce((s, a) => s + a * a, 0),
    );
    expect(Math.abs(inner - expectedInner) / scale).toBeLessThan(1e-6);
  });
});
