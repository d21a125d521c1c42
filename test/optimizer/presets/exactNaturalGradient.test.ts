import * as tf from '@tensorflow/tfjs';

import { exactNaturalGradient } from '../../../src';
import { useBackend } from '../../support/backends';
import { compiled, itTrains, stepError, train } from '../../support/batchPresets';
import { oneStep } from '../../support/exactStep';
import { forward, randomInputs, randomNet } from '../../support/denseNet';
import { relativeError, solve } from '../../support/matrices';
import { examples, weightsOf } from '../../support/classifier';
import { fisherVectors, naturalGradientParts, scoresOf, softmax } from '../../support/softmaxNet';

describe('exactNaturalGradient', () => {
  beforeAll(() => useBackend('cpu'));

  itTrains(exactNaturalGradient, [{ structure: 'full Fisher, dual', matrices: '48 x 48, of 48 scores' }]);

  // Oracle: (F + lambda I)^-1 gradient by elimination, F and gradient written out in float64. What is left is the float32 of tfjs.
  it.each([
    ['exact', 'primal', 0.05],
    ['exact', 'dual', 0.05],
    ['exact', 'auto', 0.005],
    ['empirical', 'primal', 0.05],
    ['empirical', 'dual', 0.05],
  ] as const)('takes exactly minus the damped natural gradient, %s and %s', async (fisher, form, lambda) => {
    const error = await stepError(
      (config) => exactNaturalGradient({ ...config, form }),
      fisher,
      lambda,
      'whole',
    );
    expect(error).toBeLessThan(1e-4);
  });

  it('reaches the optimum of linear least squares in one step as the damping goes to 0', async () => {
    // Oracle: the normal equations. F of N(f, I C/2), which mean squared error belongs to, is the Hessian of the loss.
    const [x, y] = [randomInputs(20, 3, 1), randomInputs(20, 2, 2)].map((values, i) =>
      tf.tensor2d(Float32Array.from(values), [20, 3 - i]),
    );
    const optimum = leastSquares(x.arraySync(), y.arraySync());
    for (const form of ['primal', 'dual'] as const) {
      const model = tf.sequential({ layers: [tf.layers.dense({ units: 2, inputShape: [3] })] });
      model.compile({
        optimizer: exactNaturalGradient({ ...oneStep, damping: 1e-6, form }),
        loss: 'meanSquaredError',
      });
      await model.trainOnBatch(x, y);
      const [kernel, bias] = weightsOf(model);
      expect(relativeError([...kernel, ...bias], optimum)).toBeLessThan(1e-4);
    }
  });

  it('takes the same step in function space whatever affine map the inputs went through', async () => {
    // With x -> M x + c and W~ changed so that the network is the same function, the natural gradient changes it in the same way.
    const inputs = randomInputs(12, 3, 5);
    const { y } = examples(12);
    const [m, c] = [
      [1.5, 0.2, -0.3, 0.1, 0.8, 0.4, -0.2, 0.3, 1.2],
      [0.5, -0.4, 0.3],
    ];
    const mapped = Float64Array.from({ length: 36 }, (_, at) => {
      const [r, i] = [Math.floor(at / 3), at % 3];
      return [0, 1, 2].reduce((sum, j) => sum + m[3 * i + j] * inputs[3 * r + j], c[i]);
    });
    const start = Float32Array.from(randomInputs(4, 3, 6));
    const outputs = await Promise.all(
      [inputs, mapped].map(async (values, which) => {
        const model = tf.sequential({
          layers: [tf.layers.dense({ units: 3, activation: 'softmax', inputShape: [3] })],
        });
        // kernel' = M^-T kernel and bias' = bias - c' kernel', column by column.
        const kernel = [...start.subarray(0, 9)];
        const bias = [...start.subarray(9)];
        if (which === 1) {
          const transposed = m.map((_, at) => m[3 * (at % 3) + Math.floor(at / 3)]);
          for (let j = 0; j < 3; j++) {
            const column = solve(
              transposed,
              [0, 1, 2].map((i) => start[3 * i + j]),
            );
            column.forEach((value, i) => {
              kernel[3 * i + j] = value;
              bias[j] -= c[i] * value;
            });
          }
        }
        model.setWeights([tf.tensor2d(kernel, [3, 3]), tf.tensor1d(bias)]);
        const optimizer = exactNaturalGradient({ ...oneStep, damping: 1e-5, learningRate: 0.5 });
        model.compile({ optimizer, loss: 'categoricalCrossentropy' });
        const x = tf.tensor2d(Float32Array.from(values), [12, 3]);
        await model.trainOnBatch(x, y);
        return (model.predict(x) as tf.Tensor).dataSync();
      }),
    );
    // What is left is the damping, which is no function of the metric, and the float32 of tfjs over it.
    expect(relativeError(outputs[0], outputs[1])).toBeLessThan(2e-3);
    const plain = softmax(
      forward({ sizes: [3, 3], weights: [Float64Array.from(start)], activation: 'linear' }, inputs).outputs,
      3,
    );
    expect(relativeError(outputs[0], plain)).toBeGreaterThan(0.1);
  });

  it('has a Fisher matrix that is both the covariance of the scores and minus the expected Hessian', () => {
    // Oracle: for a linear softmax model the Hessian of the loss does not depend on the labels, so it is its own expectation; central
    // differences of the gradient in float64. The covariance is the sum over all labels of p(label) times the score's outer product.
    const net = randomNet([3, 3], 'linear', 8);
    const inputs = randomInputs(5, 3, 9);
    const targets = new Float64Array(15);
    [0, 2, 1, 1, 0].forEach((label, r) => (targets[3 * r + label] = 1));
    const gradientAt = (weights: Float64Array) =>
      naturalGradientParts({ ...net, weights: [weights] }, inputs, targets, 'empirical').gradient;
    const n = 12;
    const hessian = new Float64Array(n * n);
    for (let j = 0; j < n; j++) {
      const [up, down] = [1e-4, -1e-4].map((step) =>
        gradientAt(net.weights[0].map((value, i) => (i === j ? value + step : value))),
      );
      for (let i = 0; i < n; i++) hessian[i * n + j] = (up[i] - down[i]) / 2e-4;
    }
    const pass = forward(net, inputs);
    const p = softmax(pass.outputs, 3);
    const covariance = new Float64Array(n * n);
    for (let label = 0; label < 3; label++) {
      const vectors = p.map((value, i) => value - (i % 3 === label ? 1 : 0));
      scoresOf(net, pass, vectors).forEach((s, r) =>
        s.forEach((a, i) => s.forEach((b, j) => (covariance[i * n + j] += (p[3 * r + label] * a * b) / 5))),
      );
    }
    const { fisher } = naturalGradientParts(net, inputs, targets, 'exact');
    expect(fisherVectors('exact', p, targets, 3)).toHaveLength(3);
    expect(relativeError(fisher, covariance)).toBeLessThan(1e-13);
    expect(relativeError(fisher, hessian)).toBeLessThan(1e-8);
  });

  it('keeps the matrix itself where an average is asked for, or where it is the smaller', async () => {
    const averaged = compiled(exactNaturalGradient, { factorDecay: 0.9 });
    await train(averaged.model, 1);
    expect(averaged.optimizer.summary()).toMatchObject([
      { structure: 'full Fisher, primal', matrices: '51 x 51' },
    ]);
    const many = compiled(exactNaturalGradient);
    const { x, y } = examples(17);
    await many.model.trainOnBatch(x, y);
    expect(many.optimizer.summary()[0].structure).toBe('full Fisher, primal');
  });

  it('trains with a Nystrom approximation, and with one of full rank takes the same steps', async () => {
    const weights = async (nystrom: { rank: number } | null) => {
      const { model } = compiled((config) =>
        exactNaturalGradient({ ...config, nystrom, form: nystrom ? 'auto' : 'dual' }),
      );
      const losses = await train(model, 20);
      return { weights: weightsOf(model), losses };
    };
    const exact = await weights(null);
    expect((await weights({ rank: 48 })).weights).toEqual(exact.weights);
    const approximate = await weights({ rank: 12 });
    expect(approximate.weights).not.toEqual(exact.weights);
    expect(approximate.losses[19]).toBeLessThan(approximate.losses[0]);
  });

  it.each(['dual', 'primal'] as const)(
    'refuses a %s form that does not fit, naming size and alternative',
    async (form) => {
      const { model } = compiled((config) => exactNaturalGradient({ ...config, form }), {
        memoryLimit: 10000,
      });
      const { x, y } = examples(16);
      await expect(model.trainOnBatch(x, y)).rejects.toMatchObject({
        code: 'ERR_NATGRAD_NO_MEMORY',
        message: expect.stringMatching(
          /MiB, more than memoryLimit.*'blockDiagonal' or 'kroneckerFactored'/,
        ) as string,
      });
    },
  );

  it.each([
    [{ form: 'both' }, /form is both; use 'auto', 'primal', 'dual'/],
    [{ nystrom: 5 }, /nystrom/],
    [{ nystrom: { rank: 0 } }, /nystrom\.rank is 0/],
    [{ nystrom: { rank: 2, columns: 1 } }, /nystrom\.columns/],
    [{ sketchSize: 4 }, /'sketchSize' is not an option/],
  ])('refuses %j', (config, message) => {
    expect(() => exactNaturalGradient(config as object)).toThrow(message);
  });

  it('covers convolutions, embeddings and recurrent layers, and trains them', async () => {
    const { y } = examples(8);
    const images = tf.layers.input({ shape: [5, 5, 2] });
    const words = tf.layers.input({ shape: [3], dtype: 'int32' });
    const convolution = tf.layers.conv2d({ filters: 2, kernelSize: 3, activation: 'tanh' }).apply(images);
    const embedded = tf.layers.embedding({ inputDim: 6, outputDim: 4 }).apply(words);
    const joined = tf.layers
      .concatenate()
      .apply([
        tf.layers.flatten().apply(convolution),
        tf.layers.simpleRNN({ units: 3 }).apply(embedded),
      ] as tf.SymbolicTensor[]);
    const outputs = tf.layers.dense({ units: 3, activation: 'softmax' }).apply(joined) as tf.SymbolicTensor;
    const optimizer = exactNaturalGradient({ learningRate: 0.1, damping: 0.1 });
    const model = tf.model({ inputs: [images, words], outputs });
    model.compile({ optimizer, loss: 'categoricalCrossentropy' });
    const x = [
      tf.tensor4d(Float32Array.from(randomInputs(8, 50, 1)), [8, 5, 5, 2]),
      tf.tensor2d(
        Int32Array.from({ length: 24 }, (_, i) => (5 * i + (i >> 2)) % 6),
        [8, 3],
        'int32',
      ),
    ];
    const losses: number[] = [];
    for (let step = 0; step < 15; step++) losses.push((await model.trainOnBatch(x, y)) as number);
    expect(losses[14]).toBeLessThan(0.7 * losses[0]);
    const [whole, ...others] = optimizer.summary();
    expect(others).toEqual([]);
    expect(whole.parameters).toBe(model.countParams());
  });

  it('gives layers it has no scores for a block of their own', async () => {
    const model = tf.sequential({
      layers: [
        tf.layers.dense({ units: 6, inputShape: [4] }),
        tf.layers.layerNormalization(),
        tf.layers.dense({ units: 3, activation: 'softmax' }),
      ],
    });
    const { optimizer } = compiled(exactNaturalGradient, {}, model);
    await train(model, 2);
    const summary = optimizer.summary();
    expect(summary).toHaveLength(2);
    const own = summary.find(({ variables }) => variables.includes('gamma'))!;
    expect(own.structure).not.toMatch(/full Fisher/);
  });
});

/** [kernel; bias] that minimises the mean squared error, by the normal equations. */
function leastSquares(inputs: number[][], targets: number[][]): number[] {
  const rows = inputs.map((row) => [...row, 1]);
  const moment = new Float64Array(16);
  rows.forEach((row) => row.forEach((a, i) => row.forEach((b, j) => (moment[4 * i + j] += a * b))));
  const columns = [0, 1].map((k) =>
    solve(
      moment,
      [0, 1, 2, 3].map((i) => rows.reduce((sum, row, r) => sum + row[i] * targets[r][k], 0)),
    ),
  );
  return [0, 1, 2, 3].flatMap((i) => columns.map((column) => column[i]));
}
