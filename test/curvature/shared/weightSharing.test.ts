import type { BackwardPass } from '../../../src/curvature/block';
import { KroneckerFactoredBlock } from '../../../src/curvature/kronecker/kroneckerFactored';
import { runPhases } from '../../../src/curvature/phases';
import type { WeightSharing } from '../../../src/curvature/shared/weightSharing';
import type { Kernels } from '../../../src/linalg/jobs';
import { kernels } from '../../../src/linalg/kernels';
import { feed, once } from '../../support/blocks';
import { backward, forward, randomInputs, randomNet, score } from '../../support/denseNet';
import { addOuterProduct, relativeError } from '../../support/matrices';

const [N, R] = [4, 3];

/** A linear network applied to R rows per example. */
const net = randomNet([3, 4, 2], 'linear', 1);
const pass = forward(net, randomInputs(N * R, 3, 2));

/** Column c of B = I for half squared error, sent back from every row times `weight`. */
function columnOfIdentity(c: number, weight: number): Float64Array[] {
  const vectors = Float64Array.from({ length: N * R * 2 }, (_, at) => (at % 2 === c ? weight : 0));
  return backward(net, pass, vectors);
}

function blockOf(l: number, weightSharing: WeightSharing): KroneckerFactoredBlock {
  const [inputSize, outputSize] = [net.sizes[l], net.sizes[l + 1]];
  return new KroneckerFactoredBlock({
    shape: { names: ['kernel', 'bias'], shapes: [[inputSize, outputSize], [outputSize]] },
    inputSize,
    outputSize,
    bias: true,
    weightSharing,
    precision: 'float64',
  });
}

/** The estimate from one pass per column, each of weight 1/2 and with sqrt(2) times its vector, as the exact estimator has it. */
function estimate(kernel: Kernels, l: number, weightSharing: WeightSharing, columns: Float64Array[][]) {
  const [inputs, outputs] = [net.sizes[l], net.sizes[l + 1]];
  const block = blockOf(l, weightSharing);
  const passes = columns.map((gradients): BackwardPass => {
    const data = gradients[l].map((value) => Math.SQRT2 * value);
    return { weight: 0.5, gradientScale: 1, outputGradients: [{ data, rows: N * R, columns: outputs }] };
  });
  const activations = [{ data: pass.activations[l], rows: N * R, columns: inputs }];
  runPhases(kernel, block.updatePhases([{ examples: N, activations, passes }], once));
  return block.toDense();
}

describe.each(['cpu', 'reference'] as const)('weight sharing on the %s kernels', (backend) => {
  let kernel: Kernels;
  beforeAll(() => (kernel = kernels(backend)));

  it.each([0, 1])('expand is exact for layer %i of a linear network whose loss adds up the rows', (l) => {
    // Oracle: every row is a prediction of its own, so F = 1/N sum over rows and columns of vec(a g') vec(a g')'.
    const columns = [0, 1].map((c) => columnOfIdentity(c, 1));
    const p = (net.sizes[l] + 1) * net.sizes[l + 1];
    const exact = new Float64Array(p * p);
    for (const gradients of columns) {
      for (let row = 0; row < N * R; row++)
        addOuterProduct(exact, score(net, pass, gradients, l, row), 1 / N);
    }
    expect(relativeError(estimate(kernel, l, 'expand', columns), exact)).toBeLessThan(1e-10);
    expect(relativeError(estimate(kernel, l, 'reduce', columns), exact)).toBeGreaterThan(1e-2);
  });

  it.each([0, 1])('reduce is exact for layer %i of a linear network that averages the rows', (l) => {
    // Oracle: f_n = 1/R sum_r of the rows' outputs, so the score of an example is the sum of its rows' with vectors divided by R.
    const columns = [0, 1].map((c) => columnOfIdentity(c, 1 / R));
    const p = (net.sizes[l] + 1) * net.sizes[l + 1];
    const exact = new Float64Array(p * p);
    for (const gradients of columns) {
      for (let n = 0; n < N; n++) {
        const rows = Array.from({ length: R }, (_, r) => score(net, pass, gradients, l, n * R + r));
        const s = rows[0].map((_, i) => rows.reduce((sum, row) => sum + row[i], 0));
        addOuterProduct(exact, s, 1 / N);
      }
    }
    expect(relativeError(estimate(kernel, l, 'reduce', columns), exact)).toBeLessThan(1e-10);
    expect(relativeError(estimate(kernel, l, 'expand', columns), exact)).toBeGreaterThan(1e-2);
  });

  it('is the same either way where an example is one row, in one use or in several', () => {
    const a = [randomInputs(N, 3, 3), randomInputs(N, 3, 4)];
    const g = [randomInputs(N, 4, 5), randomInputs(N, 4, 6)];
    const rows = (data: Float64Array, columns: number) => ({ data, rows: N, columns });
    const batch = { activations: [rows(a[0], 3)], outputGradients: [rows(g[0], 4)] };
    const dense = (weightSharing: WeightSharing) => {
      const block = blockOf(0, weightSharing);
      feed(kernel, block, { examples: N, ...batch });
      return block.toDense();
    };
    expect(relativeError(dense('reduce'), dense('expand'))).toBeLessThan(1e-14);

    // Oracle: two uses are two rows per example, however they are held.
    const interleaved = (parts: Float64Array[], width: number) =>
      Float64Array.from({ length: 2 * N * width }, (_, at) => {
        const row = Math.floor(at / width);
        return parts[row % 2][Math.floor(row / 2) * width + (at % width)];
      });
    const [uses, together] = [blockOf(0, 'reduce'), blockOf(0, 'reduce')];
    feed(kernel, uses, {
      examples: N,
      activations: a.map((data) => rows(data, 3)),
      outputGradients: g.map((data) => rows(data, 4)),
    });
    feed(kernel, together, {
      examples: N,
      activations: [{ data: interleaved(a, 3), rows: 2 * N, columns: 3 }],
      outputGradients: [{ data: interleaved(g, 4), rows: 2 * N, columns: 4 }],
    });
    expect(relativeError(uses.toDense(), together.toDense())).toBeLessThan(1e-13);
  });

  it('reduces convolutions to mean patches and embeddings to the diagonal of mean one-hot rows', () => {
    // Oracle: patches of a 1 x 2 window gathered by hand, as rows.
    const images = randomInputs(2 * 3, 2, 7);
    const geometry = {
      batch: 2,
      inHeight: 1,
      inWidth: 3,
      channels: 2,
      kernelHeight: 1,
      kernelWidth: 2,
      strideHeight: 1,
      strideWidth: 1,
      dilationHeight: 1,
      dilationWidth: 1,
      padTop: 0,
      padLeft: 0,
      outHeight: 1,
      outWidth: 2,
    };
    const outputGradients = [{ data: randomInputs(4, 2, 8), rows: 4, columns: 2 }];
    const patches = Float64Array.from(
      [0, 1].flatMap((n) =>
        [0, 1].flatMap((x) => [...images.subarray((3 * n + x) * 2, (3 * n + x) * 2 + 4)]),
      ),
    );
    const shape = { names: ['kernel'], shapes: [[1, 2, 2, 2]] };
    const make = (inputSize: number, diagonalInput = false) =>
      new KroneckerFactoredBlock({
        shape,
        inputSize,
        outputSize: 2,
        bias: false,
        diagonalInput,
        weightSharing: 'reduce',
        precision: 'float64',
      });
    const [convolution, dense] = [make(4), make(4)];
    feed(kernel, convolution, { examples: 2, activations: [{ data: images, geometry }], outputGradients });
    feed(kernel, dense, {
      examples: 2,
      activations: [{ data: patches, rows: 4, columns: 4 }],
      outputGradients,
    });
    expect(relativeError(convolution.toDense(), dense.toDense())).toBeLessThan(1e-13);

    // Example 0 sees index 1 twice, example 1 the indices 0 and 2: mean one-hot rows (0, 1, 0) and (1/2, 0, 1/2).
    const embedding = make(3, true);
    feed(kernel, embedding, {
      examples: 2,
      activations: [{ indices: Int32Array.of(1, 1, 0, 2) }],
      outputGradients,
    });
    expect(relativeError(embedding.state().A, [1 / 8, 1 / 2, 1 / 8])).toBeLessThan(1e-14);
  });
});
