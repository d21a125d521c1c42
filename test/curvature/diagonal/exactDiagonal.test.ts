import { ExactDiagonalBlock } from '../../../src/curvature/diagonal/exactDiagonal';
import type { Kernels } from '../../../src/linalg/jobs';
import { kernels } from '../../../src/linalg/kernels';
import { feed, precondition, refresh } from '../../support/blocks';
import { randomInputs } from '../../support/denseNet';
import { relativeError } from '../../support/matrices';
import {
  convolutionBatch,
  denseBatch,
  errorsAgainstDense,
  fisherOf,
  joined,
  single,
  split,
  twoPasses,
  type LayerSizes,
} from '../../support/scores';

function blockOf(sizes: LayerSizes, options: { precision?: 'float32' | 'float64'; power?: 1 | 0.5 } = {}) {
  const { inputSize, outputSize, bias, transposed } = sizes;
  const kernel = transposed ? [outputSize, inputSize] : [inputSize, outputSize];
  const shape = {
    names: bias ? ['kernel', 'bias'] : ['kernel'],
    shapes: bias ? [kernel, [outputSize]] : [kernel],
  };
  return new ExactDiagonalBlock({ shape, ...sizes, precision: 'float64', ...options });
}

const diagonalOf = (dense: Float64Array) => {
  const n = Math.sqrt(dense.length);
  return Float64Array.from({ length: n }, (_, i) => dense[i * (n + 1)]);
};

const sizes: LayerSizes = { inputSize: 4, outputSize: 3, bias: true };

describe.each(['cpu', 'reference'] as const)('ExactDiagonalBlock on the %s kernels', (backend) => {
  let kernel: Kernels;
  beforeAll(() => (kernel = kernels(backend)));

  // Oracle: the diagonal of 1/N sum_n s_n s_n', with every score written out as the sum of a~ g' over the rows of the example.
  it.each([
    ['one row per example', sizes, { examples: 7 }],
    ['several positions', sizes, { examples: 5, positions: 3 }],
    ['several uses', sizes, { examples: 5, uses: 3 }],
    ['no bias', { ...sizes, bias: false }, { examples: 5, positions: 2 }],
    ['a transposed kernel', { ...sizes, bias: false, transposed: true }, { examples: 6 }],
    [
      'a transposed kernel and positions',
      { ...sizes, bias: false, transposed: true },
      { examples: 3, positions: 4 },
    ],
    ['one example', sizes, { examples: 1 }],
  ] as [string, LayerSizes, { examples: number; positions?: number; uses?: number }][])(
    'is the diagonal of the dense Fisher block for %s',
    (_, layer, how) => {
      const batch = denseBatch(layer, { ...how, seed: 31 });
      const expected = diagonalOf(fisherOf(batch, layer));
      const block = blockOf(layer);
      feed(kernel, block, batch);
      expect(relativeError(diagonalOf(block.toDense()), expected)).toBeLessThan(1e-13);
      const errors = errorsAgainstDense(kernel, block, 0.3);
      expect(Math.max(errors.product, errors.solution, errors.dot)).toBeLessThan(1e-12);

      const rounded = single(batch);
      const float32 = blockOf(layer, { precision: 'float32' });
      feed(kernel, float32, rounded);
      expect(relativeError(diagonalOf(float32.toDense()), diagonalOf(fisherOf(rounded, layer)))).toBeLessThan(
        1e-6,
      );
    },
  );

  it('adds up the positions of a convolution before it squares', () => {
    const batch = convolutionBatch(2, 3, 4, 41);
    const block = blockOf({ inputSize: 8, outputSize: 3, bias: true });
    feed(kernel, block, batch);
    expect(relativeError(diagonalOf(block.toDense()), diagonalOf(fisherOf(batch)))).toBeLessThan(1e-13);
  });

  it('counts every row by itself where rows cannot be told apart by example', () => {
    // Three examples with a prediction at each of two steps: the loss has six terms, a recurrent kernel has two uses of three rows.
    const batch = denseBatch(sizes, { examples: 3, uses: 2, seed: 43 });
    const block = blockOf(sizes);
    feed(kernel, block, { ...batch, examples: 6 });
    const expected = diagonalOf(fisherOf(batch, { independentRows: true })).map((value) => value / 2);
    expect(relativeError(diagonalOf(block.toDense()), expected)).toBeLessThan(1e-13);
  });

  it('of an embedding is that of the one-hot dense layer', () => {
    const indices = Int32Array.of(3, 1, 3, 3, 0, 1);
    const g = randomInputs(6, 2, 44);
    const outputGradients = [{ data: g, rows: 6, columns: 2 }];
    const embedding = blockOf({ inputSize: 5, outputSize: 2, bias: false });
    feed(kernel, embedding, { examples: 3, activations: [{ indices }], outputGradients });
    const oneHot = new Float64Array(30);
    indices.forEach((index, r) => (oneHot[5 * r + index] = 1));
    const dense = blockOf({ inputSize: 5, outputSize: 2, bias: false });
    feed(kernel, dense, {
      examples: 3,
      activations: [{ data: oneHot, rows: 6, columns: 5 }],
      outputGradients,
    });
    expect(relativeError(embedding.toDense(), dense.toDense())).toBeLessThan(1e-14);
  });

  it('averages batches, passes and scales', () => {
    // Oracle: 0.25 F_1 + 0.75 * 2^2 * F_2, F_2 being half of each of two passes.
    const [first, second, third] = [45, 46, 47].map((seed) => denseBatch(sizes, { examples: 4, seed }));
    const block = blockOf(sizes);
    feed(kernel, block, first);
    const { statistics, other } = twoPasses(second, third, 2);
    kernel.run(block.updatePhases([statistics], { decay: 0.25, scale: 0.75 }).map(({ jobs }) => jobs));
    const [f1, f2, f3] = [first, second, other].map((batch) => diagonalOf(fisherOf(batch)));
    const expected = f1.map((value, i) => 0.25 * value + 0.75 * 4 * (f2[i] / 2 + f3[i] / 2));
    expect(relativeError(diagonalOf(block.toDense()), expected)).toBeLessThan(1e-13);
  });

  it('divides by the square root with power 0.5', () => {
    const batch = denseBatch(sizes, { examples: 5, seed: 48 });
    const block = blockOf(sizes, { power: 0.5 });
    feed(kernel, block, batch);
    expect(refresh(kernel, block, 0.1).failures).toBe(0);
    const gradient = randomInputs(15, 1, 49);
    const diagonal = diagonalOf(fisherOf(batch));
    expect(
      relativeError(
        joined(precondition(kernel, block, split(block, gradient))),
        gradient.map((value, i) => value / Math.sqrt(diagonal[i] + 0.1)),
      ),
    ).toBeLessThan(1e-13);
  });
});
