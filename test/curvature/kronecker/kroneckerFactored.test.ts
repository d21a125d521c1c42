import type { CurvatureBlock } from '../../../src/curvature/block';
import { WeightedAverage } from '../../../src/curvature/curvature';
import type { Precision } from '../../../src/curvature/shared/factor';
import { runPhases } from '../../../src/curvature/phases';
import { KroneckerFactoredBlock } from '../../../src/curvature/kronecker/kroneckerFactored';
import { categorical } from '../../../src/fisher/categorical';
import { backwardVectors } from '../../../src/fisher/estimator';
import { gaussian } from '../../../src/fisher/gaussian';
import type { Likelihood } from '../../../src/fisher/likelihood';
import { randomStream } from '../../../src/fisher/random';
import type { FloatArray, Kernels } from '../../../src/linalg/jobs';
import { kernels } from '../../../src/linalg/kernels';
import {
  feed,
  multiplyBy,
  once,
  precondition as preconditionBy,
  refresh,
  type Batch,
} from '../../support/blocks';
import { backward, forward, randomInputs, randomNet, score, type DenseNet } from '../../support/denseNet';
import { addOuterProduct, plusDiagonal, relativeError, solve } from '../../support/matrices';

function denseBlock(
  inputSize: number,
  outputSize: number,
  precision: Precision = 'float64',
): KroneckerFactoredBlock {
  return new KroneckerFactoredBlock({
    shape: { names: ['kernel', 'bias'], shapes: [[inputSize, outputSize], [outputSize]] },
    inputSize,
    outputSize,
    bias: true,
    precision,
  });
}

function statistics(
  net: DenseNet,
  pass: { activations: Float64Array[] },
  gradients: Float64Array[],
  l: number,
): Batch {
  const [n, m] = [net.sizes[l], net.sizes[l + 1]];
  const rows = gradients[l].length / m;
  return {
    examples: rows,
    activations: [{ data: pass.activations[l], rows, columns: n }],
    outputGradients: [{ data: gradients[l], rows, columns: m }],
  };
}

/** Brings the block up to date with several backward passes of one batch, as the optimizer does. */
function update(
  kernel: Kernels,
  block: CurvatureBlock,
  passes: { weight: number; statistics: Batch }[],
): void {
  const { examples, activations } = passes[0].statistics;
  const all = passes.map(({ weight, statistics: { outputGradients } }) => {
    return { weight, gradientScale: 1, outputGradients };
  });
  runPhases(kernel, block.updatePhases([{ examples, activations, passes: all }], once));
}

/** The vectors of the estimator for float64 outputs; they are float32, so the oracle must use the very same ones. */
function vectorsOf(
  estimator: 'exact' | 'sampled',
  likelihood: Likelihood,
  outputs: Float64Array,
  columns: number,
  draws = 1,
): { weight: number; vectors: Float64Array }[] {
  const head = {
    likelihood,
    parameters: Float32Array.from(outputs),
    rows: outputs.length / columns,
    columns,
  };
  return [...backwardVectors(estimator, [head], randomStream(7, 0), draws)].map(({ weight, vectors }) => ({
    weight,
    vectors: Float64Array.from(vectors[0]!),
  }));
}

describe.each(['cpu', 'reference'] as const)('KroneckerFactoredBlock on the %s kernels', (backend) => {
  let kernel: Kernels;
  beforeAll(() => (kernel = kernels(backend)));

  describe('for a batch of one example', () => {
    // Oracle: with one example vec(a g') vec(a g')' = a a' (x) g g', so the approximation is exact (Martens & Grosse 2015, section 3).
    it.each([
      ['float64', 1e-12],
      ['float32', 1e-5],
    ] as const)('is the exact block in %s', (precision, tolerance) => {
      const net = randomNet([4, 5, 3], 'tanh', 1);
      const pass = forward(net, randomInputs(1, 4, 2));
      const gradients = backward(net, pass, randomInputs(1, 3, 3));
      for (const l of [0, 1]) {
        const block = denseBlock(net.sizes[l], net.sizes[l + 1], precision);
        const as = (values: Float64Array): FloatArray =>
          precision === 'float64' ? values : Float32Array.from(values);
        const { examples, activations, outputGradients } = statistics(net, pass, gradients, l);
        const converted = {
          examples,
          activations: activations!.map((rows) => ({
            ...rows,
            data: as((rows as { data: Float64Array }).data),
          })),
          outputGradients: outputGradients!.map((rows) => ({ ...rows, data: as(rows.data as Float64Array) })),
        } as Batch;
        feed(kernel, block, converted, once);
        const s = score(net, pass, gradients, l, 0);
        const exact = new Float64Array(s.length ** 2);
        addOuterProduct(exact, s, 1);
        expect(relativeError(block.toDense(), exact)).toBeLessThan(tolerance);
      }
    });
  });

  it('is the exact block of a deep linear network with half squared error, for any batch', () => {
    // Oracle: the second moment of the back-propagated columns of B = I does not depend on the example, so E[aa' (x) gg'] factorises
    // (Bernacchia, Lengyel & Hennequin, "Exact natural gradient in deep linear networks", 2018).
    const net = randomNet([3, 4, 4, 2], 'linear', 4);
    const pass = forward(net, randomInputs(6, 3, 5));
    const passes = vectorsOf('exact', gaussian({ variance: 1 }), pass.outputs, 2).map(
      ({ weight, vectors }) => ({
        weight,
        gradients: backward(net, pass, vectors),
      }),
    );
    for (const l of [0, 1, 2]) {
      const block = denseBlock(net.sizes[l], net.sizes[l + 1]);
      update(
        kernel,
        block,
        passes.map(({ weight, gradients }) => ({ weight, statistics: statistics(net, pass, gradients, l) })),
      );
      const exact = exactBlock(net, pass, passes, l);
      expect(relativeError(block.toDense(), exact)).toBeLessThan(1e-10);
    }
  });

  it('of a linear classifier approaches the exact estimate with 25000 draws', () => {
    // Oracle: curvlinops' Monte-Carlo test, rtol 5e-2 and atol 5e-4 for 25000 samples.
    const net = randomNet([3, 4, 3], 'tanh', 6);
    const pass = forward(net, randomInputs(4, 3, 7));
    const block = (estimator: 'exact' | 'sampled', draws?: number) => {
      const result = denseBlock(3, 4);
      const passes = vectorsOf(estimator, categorical, pass.outputs, 3, draws).map(({ weight, vectors }) => ({
        weight,
        statistics: statistics(net, pass, backward(net, pass, vectors), 0),
      }));
      update(kernel, result, passes);
      return result.toDense();
    };
    const exact = block('exact');
    const sampled = block('sampled', 25000);
    exact.forEach((value, i) =>
      expect(Math.abs(sampled[i] - value)).toBeLessThan(5e-4 + 5e-2 * Math.abs(value)),
    );
  });

  it('has the generalised Gauss-Newton matrix, which is the Hessian of a piecewise linear network under a convex loss', () => {
    // Oracle: for the last layer of a ReLU network and cross-entropy, GGN = Hessian (kfac-jax tests it so). The Hessian comes from central
    // differences of the gradient in float64, the GGN from the scores of the exact estimator.
    const net = randomNet([3, 4, 3], 'relu', 8);
    const inputs = randomInputs(5, 3, 9);
    const labels = [0, 2, 1, 1, 0];
    const gradient = (weights: Float64Array): Float64Array => {
      const moved = { ...net, weights: [net.weights[0], weights] };
      const pass = forward(moved, inputs);
      const vectors = softmaxMinusOneHot(pass.outputs, labels);
      const total = new Float64Array(weights.length);
      const gradients = backward(moved, pass, vectors);
      labels.forEach((_, r) =>
        score(moved, pass, gradients, 1, r).forEach((value, i) => (total[i] += value / labels.length)),
      );
      return total;
    };
    const n = net.weights[1].length;
    const hessian = new Float64Array(n * n);
    for (let j = 0; j < n; j++) {
      const [up, down] = [1e-4, -1e-4].map((step) =>
        gradient(net.weights[1].map((value, i) => (i === j ? value + step : value))),
      );
      for (let i = 0; i < n; i++) hessian[i * n + j] = (up[i] - down[i]) / 2e-4;
    }
    const pass = forward(net, inputs);
    const ggn = new Float64Array(n * n);
    for (let c = 0; c < 3; c++) {
      const vectors = categoricalColumn(pass.outputs, 3, c);
      const gradients = backward(net, pass, vectors);
      labels.forEach((_, r) => addOuterProduct(ggn, score(net, pass, gradients, 1, r), 1 / labels.length));
    }
    expect(relativeError(ggn, hessian)).toBeLessThan(1e-8);
    // And the estimator's own columns of B, which are float32, give the same matrix to float32 rounding.
    const passes = vectorsOf('exact', categorical, pass.outputs, 3).map(({ weight, vectors }) => ({
      weight,
      gradients: backward(net, pass, vectors),
    }));
    expect(relativeError(exactBlock(net, pass, passes, 1), hessian)).toBeLessThan(1e-6);
  });

  it('takes a 1x1 convolution as the dense layer on the reshaped images', () => {
    // Oracle: the same rows; the block of the convolution sums over its R = 12 positions where the dense one averages, so F is R times it.
    const images = randomInputs(2 * 3 * 4, 5, 10);
    const g = randomInputs(2 * 3 * 4, 2, 11);
    const geometry = {
      batch: 2, inHeight: 3, inWidth: 4, channels: 5, kernelHeight: 1, kernelWidth: 1, strideHeight: 1, strideWidth: 1,
      dilationHeight: 1, dilationWidth: 1, padTop: 0, padLeft: 0, outHeight: 3, outWidth: 4,
    }; // prettier-ignore
    const outputGradients = [{ data: g, rows: 24, columns: 2 }];
    const convolution = denseBlock(5, 2);
    feed(
      kernel,
      convolution,
      { examples: 2, activations: [{ data: images, geometry }], outputGradients },
      once,
    );
    const dense = denseBlock(5, 2);
    const activations = [{ data: images, rows: 24, columns: 5 }];
    feed(kernel, dense, { examples: 24, activations, outputGradients }, once);
    expect(
      relativeError(
        convolution.toDense(),
        dense.toDense().map((value) => 12 * value),
      ),
    ).toBeLessThan(1e-12);
  });

  it('preconditions with vanishing damping as LBANN computes it, A^-1 V G^-1', () => {
    // Oracle: LBANN's NumPy test, damping 1e-30: the solution of (A (x) G) x = vec(V) by elimination.
    const block = denseBlock(4, 3);
    const activations = [{ data: randomInputs(20, 4, 12), rows: 20, columns: 4 }];
    const outputGradients = [{ data: randomInputs(20, 3, 13), rows: 20, columns: 3 }];
    feed(kernel, block, { examples: 20, activations, outputGradients }, once);
    const gradient = randomInputs(5, 3, 14);
    expect(
      relativeError(direction(kernel, block, gradient, 1e-30), solve(block.toDense(), gradient)),
    ).toBeLessThan(1e-8);
  });

  it('damps both factors by pi-split Tikhonov, (A + pi sqrt(lambda) I) (x) (G + sqrt(lambda) / pi I)', () => {
    // Oracle: Martens & Grosse 2015, section 6.3, with the factors of the undamped block and elimination.
    const block = denseBlock(3, 2);
    const activations = [{ data: randomInputs(9, 3, 15), rows: 9, columns: 3 }];
    const outputGradients = [{ data: randomInputs(9, 2, 16), rows: 9, columns: 2 }];
    feed(kernel, block, { examples: 9, activations, outputGradients }, once);
    const { A, G } = block.state();
    const full = (lower: FloatArray, n: number) =>
      Float64Array.from({ length: n * n }, (_, at) => {
        const [i, j] = [Math.floor(at / n), at % n];
        return i >= j ? lower[at] : lower[j * n + i];
      });
    const trace = (matrix: FloatArray, n: number) =>
      Array.from({ length: n }, (_, i) => matrix[i * n + i]).reduce((s, x) => s + x);
    const lambda = 0.3;
    const pi = Math.sqrt(trace(A, 4) / 4 / (trace(G, 2) / 2));
    const damped = kronecker(
      plusDiagonal(full(A, 4), pi * Math.sqrt(lambda)),
      plusDiagonal(full(G, 2), Math.sqrt(lambda) / pi),
    );
    const gradient = randomInputs(4, 2, 17);
    expect(relativeError(direction(kernel, block, gradient, lambda), solve(damped, gradient))).toBeLessThan(
      1e-10,
    );
  });

  it('averages two half batches to what the whole batch gives', () => {
    // Oracle: second moments are means over rows, and the weighted average with decay 1 is the plain mean of its terms.
    const a = randomInputs(8, 3, 18);
    const g = randomInputs(8, 2, 19);
    const rows = (begin: number, end: number): Batch => ({
      examples: end - begin,
      activations: [{ data: a.slice(3 * begin, 3 * end), rows: end - begin, columns: 3 }],
      outputGradients: [{ data: g.slice(2 * begin, 2 * end), rows: end - begin, columns: 2 }],
    });
    const halves = denseBlock(3, 2);
    const average = new WeightedAverage();
    feed(kernel, halves, rows(0, 4), average.advance(1));
    feed(kernel, halves, rows(4, 8), average.advance(1));
    const whole = denseBlock(3, 2);
    feed(kernel, whole, rows(0, 8), once);
    expect(relativeError(halves.toDense(), whole.toDense())).toBeLessThan(1e-14);
  });

  it('weights batches by powers of the decay, and the first counts fully', () => {
    // Oracle: sum_t decay^(T-t) F_t / sum_t decay^(T-t), written out.
    const decay = 0.9;
    const batches = [20, 21, 22].map((seed) => randomInputs(4, 2, seed));
    const block = denseBlock(2, 1);
    const average = new WeightedAverage();
    const outputGradients = [{ data: Float64Array.of(1, 1, 1, 1), rows: 4, columns: 1 }];
    for (const data of batches) {
      const activations = [{ data, rows: 4, columns: 2 }];
      feed(kernel, block, { examples: 4, activations, outputGradients }, average.advance(decay));
    }
    const second = (data: Float64Array) => [0, 1, 2, 3].reduce((sum, r) => sum + data[2 * r] ** 2, 0) / 4;
    const expected =
      (second(batches[0]) * decay ** 2 + second(batches[1]) * decay + second(batches[2])) /
      (decay ** 2 + decay + 1);
    expect(Math.abs(block.state().A[0] - expected)).toBeLessThan(1e-14);
  });

  it('keeps an embedding as counts times G, exactly the one-hot dense layer', () => {
    const indices = Int32Array.of(3, 1, 3, 0);
    const g = randomInputs(4, 2, 23);
    const outputGradients = [{ data: g, rows: 4, columns: 2 }];
    const shape = { names: ['embeddings'], shapes: [[5, 2]] };
    const embedding = new KroneckerFactoredBlock({
      shape, inputSize: 5, outputSize: 2, bias: false, diagonalInput: true, precision: 'float64',
    }); // prettier-ignore
    feed(kernel, embedding, { examples: 4, activations: [{ indices }], outputGradients }, once);
    const oneHot = new Float64Array(4 * 5);
    indices.forEach((index, r) => (oneHot[5 * r + index] = 1));
    const dense = new KroneckerFactoredBlock({
      shape,
      inputSize: 5,
      outputSize: 2,
      bias: false,
      precision: 'float64',
    });
    feed(
      kernel,
      dense,
      { examples: 4, activations: [{ data: oneHot, rows: 4, columns: 5 }], outputGradients },
      once,
    );
    expect(relativeError(embedding.toDense(), dense.toDense())).toBeLessThan(1e-15);
    const gradient = randomInputs(5, 2, 24);
    expect(
      relativeError(direction(kernel, embedding, gradient, 0.1), direction(kernel, dense, gradient, 0.1)),
    ).toBeLessThan(1e-12);
  });

  it('multiplies by the undamped block', () => {
    const block = denseBlock(3, 2);
    const activations = [{ data: randomInputs(6, 3, 25), rows: 6, columns: 3 }];
    const outputGradients = [{ data: randomInputs(6, 2, 26), rows: 6, columns: 2 }];
    feed(kernel, block, { examples: 6, activations, outputGradients }, once);
    const v = randomInputs(4, 2, 27);
    const products = multiplyBy(kernel, block, [v.slice(0, 6), v.slice(6)]);
    const dense = block.toDense();
    const expected = v.map((_, i) => v.reduce((sum, value, j) => sum + dense[i * 8 + j] * value, 0));
    expect(relativeError([...products[0], ...products[1]], expected)).toBeLessThan(1e-13);
  });

  it('keeps the previous inverse when a refresh fails, and starts from I / damping when there is none', () => {
    const block = denseBlock(2, 2);
    const activations = [{ data: randomInputs(4, 2, 28), rows: 4, columns: 2 }];
    const outputGradients = [{ data: randomInputs(4, 2, 29), rows: 4, columns: 2 }];
    const gradient = randomInputs(3, 2, 30);
    const failed = (jobs: number) =>
      Array.from({ length: jobs }, () => ({
        ...kernel.run([[]]),
        status: 'notFinite',
        retries: 0,
        minEigenvalue: NaN,
      })) as never;

    expect(block.install((block.refreshPhases(0.5), failed(2)))).toMatchObject({ failures: 2 });
    const plain = precondition(kernel, block, gradient);
    expect(
      relativeError(
        plain,
        gradient.map((value) => value / 0.5),
      ),
    ).toBeLessThan(1e-14);

    feed(kernel, block, { examples: 4, activations, outputGradients }, once);
    const good = direction(kernel, block, gradient, 0.5);
    block.state().A.fill(NaN);
    expect(refresh(kernel, block, 0.5).failures).toBeGreaterThan(0);
    expect(precondition(kernel, block, gradient)).toEqual(good);
  });
});

function direction(
  kernel: Kernels,
  block: CurvatureBlock,
  gradient: Float64Array,
  lambda: number,
): Float64Array {
  expect(refresh(kernel, block, lambda).failures).toBe(0);
  return precondition(kernel, block, gradient);
}

function precondition(kernel: Kernels, block: CurvatureBlock, gradient: Float64Array): Float64Array {
  const sizes = block.shape.shapes.map((shape) => shape.reduce((product, n) => product * n, 1));
  const parts = sizes.map((size, i) =>
    gradient.slice(sizes.slice(0, i).reduce((s, n) => s + n, 0)).slice(0, size),
  );
  return Float64Array.from(preconditionBy(kernel, block, parts).flatMap((out) => [...out]));
}

/** The exact Fisher block of layer `l` from the scores of every example in every pass. */
function exactBlock(
  net: DenseNet,
  pass: { activations: Float64Array[]; outputs: Float64Array },
  passes: { weight: number; gradients: Float64Array[] }[],
  l: number,
): Float64Array {
  const n = (net.sizes[l] + 1) * net.sizes[l + 1];
  const rows = pass.outputs.length / net.sizes[net.sizes.length - 1];
  const exact = new Float64Array(n * n);
  for (const { weight, gradients } of passes) {
    for (let r = 0; r < rows; r++) addOuterProduct(exact, score(net, pass, gradients, l, r), weight / rows);
  }
  return exact;
}

function kronecker(left: Float64Array, right: Float64Array): Float64Array {
  const [n, m] = [Math.sqrt(left.length), Math.sqrt(right.length)];
  return Float64Array.from({ length: (n * m) ** 2 }, (_, at) => {
    const [row, column] = [Math.floor(at / (n * m)), at % (n * m)];
    return left[Math.floor(row / m) * n + Math.floor(column / m)] * right[(row % m) * m + (column % m)];
  });
}

function softmax(row: Float64Array): Float64Array {
  const largest = Math.max(...row);
  const exponentials = row.map((value) => Math.exp(value - largest));
  const sum = exponentials.reduce((total, value) => total + value, 0);
  return exponentials.map((value) => value / sum);
}

function softmaxMinusOneHot(outputs: Float64Array, labels: number[]): Float64Array {
  const columns = outputs.length / labels.length;
  return Float64Array.from(
    labels.flatMap((label, r) =>
      [...softmax(outputs.slice(r * columns, (r + 1) * columns))].map((p, i) => p - (i === label ? 1 : 0)),
    ),
  );
}

/** Column c of B = diag(sqrt p) - p sqrt(p)' for every row of logits. */
function categoricalColumn(outputs: Float64Array, columns: number, c: number): Float64Array {
  const rows = outputs.length / columns;
  return Float64Array.from(
    Array.from({ length: rows }, (_, r) => {
      const p = softmax(outputs.slice(r * columns, (r + 1) * columns));
      return [...p].map((value, i) => ((i === c ? 1 : 0) - value) * Math.sqrt(p[c]));
    }).flat(),
  );
}
