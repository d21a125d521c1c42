/** One step of an optimizer on the classifier of `classifier`, and the same network in float64 to compute it from. */
import * as tf from '@tensorflow/tfjs';

import type { NaturalGradientOptimizer } from '../../src';
import { matrix, type Matrix } from './dense';
import { backward, forward, score, type DenseNet } from './denseNet';
import { classifier, examples, weightsOf } from './classifier';

/** Options under which one step is exactly minus the damped natural gradient. */
export const oneStep = {
  learningRate: 1,
  momentum: 0,
  klClip: null,
  refresh: 'immediate',
  refreshPeriod: 1,
  factorDecay: 0,
  precision: 'float64',
} as const;

export interface ExactStep {
  /** Per layer, kernel rows followed by the bias: weights before minus weights after. */
  direction: Matrix[];
  /** Per layer the gradient of the mean loss, likewise. */
  gradient: Matrix[];
  /** Per layer the inputs of the examples with a 1 appended. */
  inputs: Matrix[];
  /** Per column c of B the gradients of every layer, [N, out]: of the vectors sqrt(p_c) (e_c - p), with B B' = diag(p) - p p'. */
  columns: Matrix[][];
}

/** Takes one step with a batch of ten. */
export async function exactStep(optimizer: NaturalGradientOptimizer): Promise<ExactStep> {
  const rows = 10;
  const model = classifier({ hidden: [6, 5] });
  model.compile({ optimizer, loss: 'categoricalCrossentropy' });
  const { x, y, labels } = examples(rows);
  const before = weightsOf(model);
  await model.trainOnBatch(x, y);
  const after = weightsOf(model);
  const joined = (weights: Float32Array[], l: number) =>
    Float64Array.of(...weights[2 * l], ...weights[2 * l + 1]);
  const all = [0, 1, 2];
  const net: DenseNet = {
    sizes: [4, 6, 5, 3],
    weights: all.map((l) => joined(before, l)),
    activation: 'tanh',
  };
  const pass = forward(net, Float64Array.from(x.dataSync()));
  const p = Array.from({ length: rows }, (_, r) => {
    const exponentials = [0, 1, 2].map((c) => Math.exp(pass.outputs[3 * r + c]));
    const sum = exponentials.reduce((s, e) => s + e);
    return exponentials.map((e) => e / sum);
  });
  const gradients = (vector: (r: number, c: number) => number) =>
    backward(
      net,
      pass,
      Float64Array.from({ length: 3 * rows }, (_, at) => vector(Math.floor(at / 3), at % 3)),
    );
  const own = gradients((r, c) => p[r][c] - (labels[r] === c ? 1 : 0));
  const shape = (l: number): [number, number] => [net.sizes[l] + 1, net.sizes[l + 1]];
  const asMatrix = (l: number, values: ArrayLike<number>) => {
    const [n, m] = shape(l);
    return matrix(n, m, (i, j) => values[i * m + j]);
  };
  tf.dispose([x, y]);
  return {
    direction: all.map((l) => {
      const [from, to] = [joined(before, l), joined(after, l)];
      return asMatrix(
        l,
        from.map((value, i) => value - to[i]),
      );
    }),
    gradient: all.map((l) => {
      const total = new Float64Array(shape(l)[0] * shape(l)[1]);
      for (let r = 0; r < rows; r++) {
        score(net, pass, own, l, r).forEach((value, i) => (total[i] += value / rows));
      }
      return asMatrix(l, total);
    }),
    inputs: all.map((l) =>
      matrix(rows, net.sizes[l] + 1, (r, i) =>
        i === net.sizes[l] ? 1 : pass.activations[l][r * net.sizes[l] + i],
      ),
    ),
    columns: [0, 1, 2].map((column) =>
      gradients((r, c) => Math.sqrt(p[r][column]) * ((c === column ? 1 : 0) - p[r][c])).map((values, l) =>
        matrix(rows, net.sizes[l + 1], (r, j) => values[r * net.sizes[l + 1] + j]),
      ),
    ),
  };
}
