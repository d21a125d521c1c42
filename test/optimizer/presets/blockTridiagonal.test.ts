import * as tf from '@tensorflow/tfjs';

import { blockTridiagonal, kfac } from '../../../src';
import {
  blocks,
  crossMoment,
  identity,
  inverse,
  kronecker,
  matrix,
  plus,
  scaled,
  times,
  trace,
  transpose,
  type Matrix,
} from '../../support/dense';
import { exactStep, oneStep } from '../../support/exactStep';
import { useBackend } from '../../support/backends';
import { relativeError } from '../../support/matrices';
import { classifier, examples } from '../../support/classifier';
import { testPreset } from '../../support/presetSuite';

describe('blockTridiagonal', () => {
  testPreset(blockTridiagonal, {
    structure: 'block tri-diagonal',
    summary: [{ structure: 'block tri-diagonal', reason: '', parameters: 83 }],
    learning: { learningRate: 0.1 },
  });

  it('takes a step of exactly minus the damped natural gradient', async () => {
    // Oracle: Martens & Grosse 2015, section 4.3, with the exact Fisher matrix of the softmax, by dense elimination in float64.
    const damping = 0.05;
    const step = await exactStep(blockTridiagonal({ ...oneStep, damping, fisher: 'exact' }));
    const all = [0, 1, 2];
    const A = all.map((i) => all.map((j) => crossMoment(step.inputs[i], step.inputs[j])));
    const G = all.map((i) =>
      all.map((j) => step.columns.map((g) => crossMoment(g[i], g[j])).reduce((sum, own) => plus(sum, own))),
    );
    for (const i of all) {
      const pi = Math.sqrt(trace(A[i][i]) / A[i][i].length / (trace(G[i][i]) / G[i][i].length));
      A[i][i] = plus(A[i][i], identity(A[i][i].length), pi * Math.sqrt(damping));
      G[i][i] = plus(G[i][i], identity(G[i][i].length), Math.sqrt(damping) / pi);
    }
    const F = all.map((i) => all.map((j) => kronecker(A[i][j], G[i][j])));
    const Psi = [0, 1].map((i) => times(F[i][i + 1], inverse(F[i + 1][i + 1])));
    const zero = (i: number, j: number): Matrix => matrix(F[i][i].length, F[j][j].length, () => 0);
    const Xi = blocks(
      all.map((i) =>
        all.map((j) => (i === j ? identity(F[i][i].length) : j === i + 1 ? scaled(Psi[i], -1) : zero(i, j))),
      ),
    );
    const Lambda = blocks(
      all.map((i) =>
        all.map((j) => {
          if (i !== j) return zero(i, j);
          return inverse(
            i === 2 ? F[2][2] : plus(F[i][i], times(Psi[i], F[i + 1][i + 1], transpose(Psi[i])), -1),
          );
        }),
      ),
    );
    const gradient = step.gradient.flat(2).map((x) => [x]);
    const expected = times(transpose(Xi), Lambda, Xi, gradient).flat();
    expect(relativeError(step.direction.flat(2), expected)).toBeLessThan(2e-5);
  });

  it('is kfac for a single layer', async () => {
    const runs: Float32Array[] = [];
    for (const create of [blockTridiagonal, kfac]) {
      const initializer = tf.initializers.glorotUniform({ seed: 5 });
      const model = tf.sequential({
        layers: [
          tf.layers.dense({
            units: 3,
            activation: 'softmax',
            inputShape: [4],
            kernelInitializer: initializer,
          }),
        ],
      });
      model.compile({ optimizer: create({ learningRate: 0.1, seed: 2 }), loss: 'categoricalCrossentropy' });
      const { x, y } = examples(16);
      for (let step = 0; step < 5; step++) await model.trainOnBatch(x, y);
      runs.push(model.getWeights()[0].dataSync<'float32'>().slice());
    }
    expect(runs[0]).toEqual(runs[1]);
  });

  async function summaryOf(model: tf.LayersModel, x: tf.Tensor): Promise<string[]> {
    const optimizer = blockTridiagonal();
    model.compile({ optimizer, loss: 'categoricalCrossentropy' });
    const y = tf.oneHot(tf.zeros([x.shape[0]], 'int32'), 3).toFloat();
    await model.trainOnBatch(x, y);
    return optimizer
      .summary()
      .map(({ structure, variables }) => `${structure}: ${variables.split(', ').length}`);
  }

  it('tells which layers form a chain', async () => {
    const { x } = examples(8);
    expect(await summaryOf(classifier({ hidden: [6, 5] }), x)).toEqual(['block tri-diagonal: 6']);
  });

  it('ends a chain where the graph branches or joins, and where rows no longer correspond', async () => {
    await useBackend('cpu'); // on wasm no convolution trains unless it is accelerated
    const dense = (units: number, activation: 'relu' | 'softmax' = 'relu') =>
      tf.layers.dense({
        units,
        activation,
        kernelInitializer: tf.initializers.glorotUniform({ seed: units }),
      });
    const input = tf.input({ shape: [4] });
    const trunk = dense(6).apply(dense(5).apply(input)) as tf.SymbolicTensor;
    const branch = dense(6).apply(dense(7).apply(trunk)) as tf.SymbolicTensor;
    const sum = tf.layers.add().apply([trunk, branch]) as tf.SymbolicTensor;
    const residual = tf.model({
      inputs: input,
      outputs: dense(3, 'softmax').apply(sum) as tf.SymbolicTensor,
    });
    // 4-5-6 is a chain, so is the branch 7-6; what comes after the sum stands alone.
    expect(await summaryOf(residual, examples(8).x)).toEqual([
      'block tri-diagonal: 4',
      'block tri-diagonal: 4',
      'Kronecker factored: 2',
    ]);

    const conv = (filters: number) =>
      tf.layers.conv2d({ filters, kernelSize: 3, padding: 'same', activation: 'relu' });
    const image = tf.sequential();
    image.add(tf.layers.conv2d({ filters: 2, kernelSize: 3, padding: 'same', inputShape: [6, 6, 1] }));
    for (const layer of [conv(3), tf.layers.flatten(), dense(5), dense(3, 'softmax')]) image.add(layer);
    expect(await summaryOf(image, tf.randomNormal([8, 6, 6, 1], 0, 1, 'float32', 1))).toEqual([
      'block tri-diagonal: 4',
      'block tri-diagonal: 4',
    ]);
  });
});
