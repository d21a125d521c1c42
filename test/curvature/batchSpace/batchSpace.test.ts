import { BatchSpaceBlock, type BatchSpaceOptions } from '../../../src/curvature/batchSpace/batchSpace';
import type { Activation, OutputGradients, Rows, Statistics } from '../../../src/curvature/block';
import type { ScoredLayer } from '../../../src/curvature/scores/exampleScores';
import { runPhases } from '../../../src/curvature/phases';
import { FisherMatrixBlock } from '../../../src/curvature/exact/fisherMatrix';
import type { FloatArray, Kernels } from '../../../src/linalg/jobs';
import { kernels } from '../../../src/linalg/kernels';
import { multiplyBy, once, precondition, refresh } from '../../support/blocks';
import { backward, forward, randomInputs, randomNet, score, type DenseNet } from '../../support/denseNet';
import { addOuterProduct, plusDiagonal, relativeError, solve } from '../../support/matrices';

/** A batch of `examples` for a network, with the scores of its layers written out: the oracle of every test here. */
interface Problem {
  layers: ScoredLayer[];
  statistics: Statistics[];
  /** F over all layers, from the scores of every example in every pass. */
  fisher: Float64Array;
  sizes: number[];
}

function denseLayer(inputSize: number, outputSize: number): ScoredLayer {
  return {
    shape: { names: ['kernel', 'bias'], shapes: [[inputSize, outputSize], [outputSize]] },
    inputSize,
    outputSize,
    bias: true,
    transposed: false,
  };
}

/** Passes with unequal weights and one gradient scale, so that neither is lost. */
function problem(sizes: number[], examples: number, passes: number, seed = 1): Problem {
  const net: DenseNet = randomNet(sizes, 'tanh', seed);
  const pass = forward(net, randomInputs(examples, sizes[0], seed + 1));
  const outputs = sizes[sizes.length - 1];
  const layers = net.weights.map((_, l) => denseLayer(sizes[l], sizes[l + 1]));
  const statistics = layers.map(({ inputSize: columns }, l): Statistics => {
    const activations = [{ data: pass.activations[l], rows: examples, columns }];
    return { examples, activations, passes: [] };
  });
  const lengths = net.weights.map(({ length }) => length);
  const n = lengths.reduce((sum, length) => sum + length, 0);
  const fisher = new Float64Array(n * n);
  for (let k = 0; k < passes; k++) {
    const gradients = backward(net, pass, randomInputs(examples, outputs, seed + 2 + k));
    const [weight, gradientScale] = [(2 * (k + 1)) / (passes * (passes + 1)), 3];
    statistics.forEach(({ passes: own }, l) => {
      const outputGradients = [{ data: gradients[l], rows: examples, columns: sizes[l + 1] }];
      own.push({ weight, gradientScale, outputGradients });
    });
    for (let r = 0; r < examples; r++) {
      const s = lengths.flatMap((_, l) => [...score(net, pass, gradients, l, r)]);
      addOuterProduct(fisher, s, (weight * gradientScale ** 2) / examples);
    }
  }
  return { layers, statistics, fisher, sizes: lengths };
}

function dual(layers: ScoredLayer[], options: Partial<BatchSpaceOptions> = {}): BatchSpaceBlock {
  return new BatchSpaceBlock({ structure: 'dual', layers, precision: 'float64', ...options });
}

function primal(layers: ScoredLayer[]): FisherMatrixBlock {
  return new FisherMatrixBlock({ structure: 'primal', layers, precision: 'float64' });
}

/** The variables of the layers out of one vector over all of them. */
function split(layers: ScoredLayer[], vector: FloatArray): FloatArray[] {
  let begin = 0;
  return layers.flatMap(({ shape }) =>
    shape.shapes.map((lengths) => vector.slice(begin, (begin += lengths.reduce((a, b) => a * b, 1)))),
  );
}

const joined = (parts: FloatArray[]) => Float64Array.from(parts.flatMap((part) => [...part]));

function solved(
  kernel: Kernels,
  block: BatchSpaceBlock | FisherMatrixBlock,
  { layers, statistics }: Pick<Problem, 'layers' | 'statistics'>,
  gradient: FloatArray,
  lambda: number,
): Float64Array {
  runPhases(kernel, block.updatePhases(statistics, once));
  expect(refresh(kernel, block, lambda).failures).toBe(0);
  return joined(precondition(kernel, block, split(layers, gradient)));
}

const geometry = {
  batch: 3, inHeight: 4, inWidth: 3, channels: 2, kernelHeight: 2, kernelWidth: 2, strideHeight: 1, strideWidth: 1,
  dilationHeight: 1, dilationWidth: 1, padTop: 0, padLeft: 0, outHeight: 3, outWidth: 2,
}; // prettier-ignore

/** The patches of `geometry`, flattened in the order of the kernel (height, width, channel). */
function patches(images: FloatArray): Float64Array {
  const rows: number[] = [];
  for (let n = 0; n < 3; n++)
    for (let y = 0; y < 3; y++)
      for (let x = 0; x < 2; x++)
        for (let i = 0; i < 2; i++)
          for (let j = 0; j < 2; j++)
            for (let c = 0; c < 2; c++) rows.push(images[((n * 4 + y + i) * 3 + x + j) * 2 + c]);
  return Float64Array.from(rows);
}

/** F of one layer from explicit rows: S_n is the sum over the rows r of example n of [x_r; 1] g_r'. */
function rowFisher(
  uses: { x: FloatArray; g: FloatArray }[],
  { inputSize, outputSize, bias, transposed }: ScoredLayer,
  examples: number,
): Float64Array {
  const height = inputSize + Number(bias);
  const n = height * outputSize;
  const fisher = new Float64Array(n * n);
  for (let e = 0; e < examples; e++) {
    const s = new Float64Array(n);
    for (const { x, g } of uses) {
      const perExample = g.length / outputSize / examples;
      for (let r = e * perExample; r < (e + 1) * perExample; r++) {
        for (let i = 0; i < height; i++) {
          const a = i < inputSize ? x[r * inputSize + i] : 1;
          for (let j = 0; j < outputSize; j++)
            s[transposed ? j * inputSize + i : i * outputSize + j] += a * g[r * outputSize + j];
        }
      }
    }
    addOuterProduct(fisher, s, 1 / examples);
  }
  return fisher;
}

function onePass(
  examples: number,
  activations: Activation[],
  outputGradients: OutputGradients[],
): Statistics[] {
  return [{ examples, activations, passes: [{ weight: 1, gradientScale: 1, outputGradients }] }];
}

describe.each(['cpu', 'reference'] as const)('exact Fisher blocks on the %s kernels', (backend) => {
  let kernel: Kernels;
  beforeAll(() => (kernel = kernels(backend)));

  // Oracle 7: primal, dual and the dense solution by elimination of (F + lambda I) d = g, F from the scores of every example.
  describe.each([
    ['one layer, one pass', [5, 3], 4, 1],
    ['one layer, three passes', [5, 3], 4, 3],
    ['three layers, one pass', [4, 5, 3, 2], 6, 1],
    ['three layers, three passes', [4, 5, 3, 2], 6, 3],
    ['a batch of one', [4, 3, 2], 1, 1],
    ['more scores than parameters', [2, 2], 9, 2],
  ])('of %s', (_, sizes, examples, passes) => {
    const data = problem(sizes, examples, passes);
    const n = data.sizes.reduce((sum, size) => sum + size, 0);
    const gradient = randomInputs(n, 1, 99);

    it.each([
      ['primal', primal],
      ['dual', dual],
    ])('%s is the dense solution', (_, make) => {
      for (const lambda of [0.3, 1e-3]) {
        const direction = solved(kernel, make(data.layers), data, gradient, lambda);
        const expected = solve(plusDiagonal(data.fisher, lambda), gradient);
        expect(relativeError(direction, expected)).toBeLessThan(1e-10);
      }
    });

    it.each([
      ['primal', primal],
      ['dual', dual],
    ])('%s has the dense matrix, and multiplies by it', (_, make) => {
      const block = make(data.layers);
      solved(kernel, block, data, gradient, 0.1);
      expect(relativeError(block.toDense(), data.fisher)).toBeLessThan(1e-13);
      const product = joined(multiplyBy(kernel, block, split(data.layers, gradient)));
      const expected = Float64Array.from({ length: n }, (_, i) =>
        gradient.reduce((sum, value, j) => sum + data.fisher[i * n + j] * value, 0),
      );
      expect(relativeError(product, expected)).toBeLessThan(1e-12);
    });
  });

  it('loses no more than rounding in float32', () => {
    const { layers, statistics, fisher, sizes } = problem([6, 5, 3], 8, 3);
    const single = statistics.map(({ examples, activations, passes }) => ({
      examples,
      activations: (activations as Rows[]).map((rows) => ({ ...rows, data: Float32Array.from(rows.data) })),
      passes: passes.map((pass) => ({
        ...pass,
        outputGradients: pass.outputGradients!.map((rows) => ({
          ...rows,
          data: Float32Array.from(rows.data),
        })),
      })),
    }));
    const gradient = randomInputs(
      sizes.reduce((sum, size) => sum + size, 0),
      1,
      98,
    );
    const expected = solve(plusDiagonal(fisher, 0.05), gradient);
    for (const block of [
      dual(layers, { precision: 'float32' }),
      new FisherMatrixBlock({ structure: 'primal', layers, precision: 'float32' }),
    ]) {
      const data = { layers, statistics: single };
      // Oracle 7, float32: 1e-3.
      expect(
        relativeError(solved(kernel, block, data, Float32Array.from(gradient), 0.05), expected),
      ).toBeLessThan(1e-3);
    }
  });

  describe('of layers with several rows per example', () => {
    const conv: ScoredLayer = {
      shape: { names: ['kernel', 'bias'], shapes: [[2, 2, 2, 3], [3]] },
      inputSize: 8,
      outputSize: 3,
      bias: true,
      transposed: false,
    };
    const images = randomInputs(3 * 4 * 3, 2, 50);
    const g = randomInputs(3 * 6, 3, 51);
    const convStatistics = onePass(3, [{ data: images, geometry }], [{ data: g, rows: 18, columns: 3 }]);
    const cases: [string, ScoredLayer, Statistics[], Float64Array][] = [
      ['a convolution', conv, convStatistics, rowFisher([{ x: patches(images), g }], conv, 3)],
    ];
    const shared: ScoredLayer = {
      ...denseLayer(3, 2),
      bias: false,
      shape: { names: ['kernel'], shapes: [[3, 2]] },
    };
    const [x0, x1] = [randomInputs(4, 3, 52), randomInputs(8, 3, 53)];
    const [g0, g1] = [randomInputs(4, 2, 54), randomInputs(8, 2, 55)];
    cases.push([
      'weights used twice, once with two positions',
      shared,
      onePass(
        4,
        [
          { data: x0, rows: 4, columns: 3 },
          { data: x1, rows: 8, columns: 3 },
        ],
        [
          { data: g0, rows: 4, columns: 2 },
          { data: g1, rows: 8, columns: 2 },
        ],
      ),
      rowFisher(
        [
          { x: x0, g: g0 },
          { x: x1, g: g1 },
        ],
        shared,
        4,
      ),
    ]);
    const transposed: ScoredLayer = {
      ...shared,
      transposed: true,
      shape: { names: ['kernel'], shapes: [[2, 3]] },
    };
    cases.push([
      'a kernel used transposed',
      transposed,
      onePass(4, [{ data: x1, rows: 8, columns: 3 }], [{ data: g1, rows: 8, columns: 2 }]),
      rowFisher([{ x: x1, g: g1 }], transposed, 4),
    ]);
    const deconvolution: ScoredLayer = {
      shape: { names: ['kernel'], shapes: [[2, 2, 2, 3]] },
      inputSize: 3,
      outputSize: 8,
      bias: false,
      transposed: true,
    };
    cases.push([
      'a transposed convolution, whose output gradients are patches',
      deconvolution,
      onePass(
        3,
        [{ data: g, rows: 18, columns: 3 }],
        [{ data: images, rows: 18, columns: 8, patches: geometry }],
      ),
      rowFisher([{ x: g, g: patches(images) }], deconvolution, 3),
    ]);
    const embedding: ScoredLayer = { ...shared, inputSize: 5, shape: { names: ['table'], shapes: [[5, 2]] } };
    const indices = Int32Array.of(3, 1, 3, 0, 4, 4, 2, 3);
    const oneHot = new Float64Array(40);
    indices.forEach((index, r) => (oneHot[5 * r + index] = 1));
    cases.push([
      'an embedding',
      embedding,
      onePass(4, [{ indices }], [{ data: g1, rows: 8, columns: 2 }]),
      rowFisher([{ x: oneHot, g: g1 }], embedding, 4),
    ]);

    // Oracle: the dense solution, with scores summed over explicit rows. `largestScore: 0` keeps the rows and sums their products instead.
    it.each(cases)('%s: scores, rows and matrix give the dense solution', (_, layer, statistics, fisher) => {
      const n = Math.sqrt(fisher.length);
      const gradient = randomInputs(n, 1, 56);
      const expected = solve(plusDiagonal(fisher, 0.02), gradient);
      for (const block of [dual([layer]), dual([layer], { largestScore: 0 }), primal([layer])]) {
        const direction = solved(kernel, block, { layers: [layer], statistics }, gradient, 0.02);
        expect(relativeError(direction, expected)).toBeLessThan(1e-10);
        expect(relativeError(block.toDense(), fisher)).toBeLessThan(1e-13);
      }
    });

    it('rows of several passes are summed within their own pass', () => {
      const second = randomInputs(3 * 6, 3, 57);
      const statistics: Statistics[] = [
        {
          ...convStatistics[0],
          passes: [g, second].map((data) => {
            return { weight: 0.5, gradientScale: 1, outputGradients: [{ data, rows: 18, columns: 3 }] };
          }),
        },
      ];
      const x = patches(images);
      const [one, two] = [g, second].map((data) => rowFisher([{ x, g: data }], conv, 3));
      const fisher = one.map((value, i) => (value + two[i]) / 2);
      const gradient = randomInputs(27, 1, 58);
      const expected = solve(plusDiagonal(fisher, 0.02), gradient);
      for (const largestScore of [Infinity, 0]) {
        const block = dual([conv], { largestScore });
        const direction = solved(kernel, block, { layers: [conv], statistics }, gradient, 0.02);
        expect(relativeError(direction, expected)).toBeLessThan(1e-10);
      }
    });
  });

  it('has the rescaled gradient as its direction for one example and vanishing damping', () => {
    // E16: F = g g' for the score g of a batch of one, so (F + lambda I)^-1 g = g / (|g|^2 + lambda).
    const layer = denseLayer(3, 2);
    const [x, g] = [randomInputs(1, 3, 60), randomInputs(1, 2, 61)];
    const statistics = onePass(1, [{ data: x, rows: 1, columns: 3 }], [{ data: g, rows: 1, columns: 2 }]);
    const gradient = Float64Array.from([...x, 1].flatMap((a) => [...g].map((value) => a * value)));
    const square = gradient.reduce((sum, value) => sum + value * value, 0);
    const direction = solved(kernel, dual([layer]), { layers: [layer], statistics }, gradient, 1e-6);
    expect(
      relativeError(
        direction,
        gradient.map((value) => value / (square + 1e-6)),
      ),
    ).toBeLessThan(1e-9);
  });

  it('averages the primal form over batches, and takes the dual one from the latest', () => {
    const [first, second] = [problem([3, 2], 4, 1, 70), problem([3, 2], 4, 1, 80)];
    const [mean, last] = [primal(first.layers), dual(first.layers)];
    for (const block of [mean, last]) {
      runPhases(kernel, block.updatePhases(first.statistics, once));
      runPhases(kernel, block.updatePhases(second.statistics, { decay: 0.25, scale: 0.75 }));
    }
    const average = first.fisher.map((value, i) => 0.25 * value + 0.75 * second.fisher[i]);
    expect(relativeError(mean.toDense(), average)).toBeLessThan(1e-13);
    expect(relativeError(last.toDense(), second.fisher)).toBeLessThan(1e-13);
  });

  it('goes on with the installed batch until another is installed, whatever its size', () => {
    const [first, second] = [problem([3, 2], 4, 2, 70), problem([3, 2], 7, 2, 80)];
    const gradient = randomInputs(8, 1, 90);
    const block = dual(first.layers);
    const before = solved(kernel, block, first, gradient, 0.1);
    runPhases(kernel, block.updatePhases(second.statistics));
    const parts = split(first.layers, gradient);
    expect(joined(precondition(kernel, block, parts))).toEqual(before);
    refresh(kernel, block, 0.1);
    const expected = solve(plusDiagonal(second.fisher, 0.1), gradient);
    expect(relativeError(joined(precondition(kernel, block, parts)), expected)).toBeLessThan(1e-10);
  });

  it('keeps what it has when the Gram matrix overflows', () => {
    const data = problem([3, 2], 4, 1, 70);
    const gradient = randomInputs(8, 1, 90);
    const block = dual(data.layers);
    const before = solved(kernel, block, data, gradient, 0.1);
    const huge = onePass(
      4,
      [{ data: randomInputs(4, 3, 1).map((value) => value * 1e200), rows: 4, columns: 3 }],
      [{ data: randomInputs(4, 2, 2), rows: 4, columns: 2 }],
    );
    runPhases(kernel, block.updatePhases(huge));
    expect(refresh(kernel, block, 0.1)).toMatchObject({ failures: 1, overflowed: true });
    expect(joined(precondition(kernel, block, split(data.layers, gradient)))).toEqual(before);
  });

  it('divides by the damping where there was no batch yet, or nothing but zeros', () => {
    const layer = denseLayer(3, 2);
    const gradient = randomInputs(8, 1, 91);
    const expected = gradient.map((value) => value / 0.2);
    const block = dual([layer]);
    refresh(kernel, block, 0.2);
    expect(
      relativeError(joined(precondition(kernel, block, split([layer], gradient))), expected),
    ).toBeLessThan(1e-15);
    const rows = { rows: 4, columns: 3, data: new Float64Array(12) };
    const dead = onePass(4, [rows], [{ rows: 4, columns: 2, data: new Float64Array(8) }]);
    expect(
      relativeError(solved(kernel, block, { layers: [layer], statistics: dead }, gradient, 0.2), expected),
    ).toBeLessThan(1e-15);
  });

  it('is in a checkpoint, with a refresh under way', () => {
    const [first, second] = [problem([3, 4, 2], 4, 2, 70), problem([3, 4, 2], 7, 2, 80)];
    const block = dual(first.layers);
    const gradient = split(first.layers, randomInputs(26, 1, 92));
    solved(kernel, block, first, joined(gradient), 0.1);
    runPhases(kernel, block.updatePhases(second.statistics));
    const reports = runPhases(kernel, block.refreshPhases(0.1)).flat();
    const saved = { ...block.state(), ...block.upcoming() };

    const resumed = dual(first.layers);
    resumed.prepare(saved);
    for (const [name, array] of Object.entries({ ...resumed.state(), ...resumed.upcoming() })) {
      expect(array).toHaveLength(saved[name].length);
      array.set(saved[name]);
    }
    resumed.loaded(true);
    expect(precondition(kernel, resumed, gradient)).toEqual(precondition(kernel, block, gradient));
    expect(resumed.refreshPhases(0.1).flatMap(({ jobs }) => jobs)).toHaveLength(reports.length);
    resumed.install(reports);
    block.install(reports);
    expect(precondition(kernel, resumed, gradient)).toEqual(precondition(kernel, block, gradient));
    const expected = solve(plusDiagonal(second.fisher, 0.1), joined(gradient));
    expect(relativeError(joined(precondition(kernel, resumed, gradient)), expected)).toBeLessThan(1e-10);
  });
});
