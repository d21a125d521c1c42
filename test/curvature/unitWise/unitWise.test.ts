import type { CurvatureBlock } from '../../../src/curvature/block';
import { QuasiDiagonalBlock } from '../../../src/curvature/unitWise/quasiDiagonal';
import { UnitWiseBlock } from '../../../src/curvature/unitWise/unitWise';
import { UnitWiseDualBlock } from '../../../src/curvature/unitWise/unitWiseDual';
import type { Kernels } from '../../../src/linalg/jobs';
import { kernels } from '../../../src/linalg/kernels';
import { errorWithCode } from '../../errorWithCode';
import { feed, precondition, refresh } from '../../support/blocks';
import { randomInputs } from '../../support/denseNet';
import { plusDiagonal, relativeError, solve } from '../../support/matrices';
import {
  blockOptions,
  convolutionBatch,
  denseBatch,
  errorsAgainstDense,
  fisherOf,
  joined,
  single,
  split,
  twoPasses,
  type LayerSizes,
  type RowBatch,
} from '../../support/scores';

const sizes: LayerSizes = { inputSize: 4, outputSize: 3, bias: true };
const withoutBias: LayerSizes = { ...sizes, bias: false };

/** The dense Fisher block with zeros between different units. */
function unitBlocks(
  dense: Float64Array,
  { inputSize, outputSize, bias, transposed }: LayerSizes,
): Float64Array {
  const size = inputSize + Number(bias);
  const n = size * outputSize;
  const unit = (i: number) => (transposed ? Math.floor(i / size) : i % outputSize);
  return dense.map((value, at) => (unit(Math.floor(at / n)) === unit(at % n) ? value : 0));
}

const forms: [string, (sizes: LayerSizes, precision?: 'float32' | 'float64') => CurvatureBlock][] = [
  ['primal', (layer, precision) => new UnitWiseBlock(blockOptions(layer, precision))],
  ['dual', (layer, precision) => new UnitWiseDualBlock({ ...blockOptions(layer, precision), window: 12 })],
];

describe.each(['cpu', 'reference'] as const)('unit-wise blocks on the %s kernels', (backend) => {
  let kernel: Kernels;
  beforeAll(() => (kernel = kernels(backend)));

  describe.each(forms)('in %s form', (form, blockOf) => {
    it.each([
      ['a bias', sizes, { examples: 9 }],
      ['no bias', withoutBias, { examples: 9 }],
      ['a transposed kernel', { ...withoutBias, transposed: true }, { examples: 9 }],
      ['fewer examples than inputs', sizes, { examples: 2 }],
      ['one example', sizes, { examples: 1 }],
      ['several uses and positions', sizes, { examples: 2, positions: 3, uses: 2 }],
    ] as [string, LayerSizes, { examples: number; positions?: number; uses?: number }][])(
      'are the sub-blocks of the dense Fisher block: %s',
      (_, layer, how) => {
        // Oracle: 1/N sum s s' from written-out scores (of the rows, where an example has several), and elimination.
        const batch = denseBatch(layer, { ...how, seed: 51 });
        const expected = unitBlocks(fisherOf(batch, { ...layer, independentRows: true }), layer);
        const block = blockOf(layer);
        feed(kernel, block, batch);
        expect(relativeError(block.toDense(), expected)).toBeLessThan(1e-13);
        const errors = errorsAgainstDense(kernel, block, 0.1);
        expect(Math.max(errors.product, errors.solution, errors.dot)).toBeLessThan(1e-10);
      },
    );

    it('are the exact block of a layer with one output', () => {
      // Oracle: block-diagonal exact Fisher matrix, 1/N sum vec(S) vec(S)'.
      const layer = { ...sizes, outputSize: 1 };
      const batch = denseBatch(layer, { examples: 8, seed: 52 });
      const block = blockOf(layer);
      feed(kernel, block, batch);
      expect(relativeError(block.toDense(), fisherOf(batch))).toBeLessThan(1e-13);
      refresh(kernel, block, 0.05);
      const gradient = randomInputs(5, 1, 53);
      const exact = solve(plusDiagonal(fisherOf(batch), 0.05), gradient);
      const direction = joined(precondition(kernel, block, split(block, gradient)));
      expect(relativeError(direction, exact)).toBeLessThan(1e-11);
    });

    it('work in float32', () => {
      const batch = single(denseBatch(sizes, { examples: 9, seed: 54 }));
      const block = blockOf(sizes, 'float32');
      feed(kernel, block, batch);
      expect(relativeError(block.toDense(), unitBlocks(fisherOf(batch), sizes))).toBeLessThan(1e-6);
      const errors = errorsAgainstDense(kernel, block, 0.1);
      expect(Math.max(errors.product, errors.solution, errors.dot)).toBeLessThan(1e-4);
    });

    it('average batches and passes', () => {
      // Oracle: 0.25 F_1 + 0.75 (F_2 + F_3) / 2, the last two being passes of one batch. All 12 rows fit into the window.
      const [first, second, third] = [55, 57, 59].map((seed) => denseBatch(sizes, { examples: 4, seed }));
      const block = blockOf(sizes);
      feed(kernel, block, first);
      const { statistics, other } = twoPasses(second, third, 1);
      kernel.run(block.updatePhases([statistics], { decay: 0.25, scale: 0.75 }).map(({ jobs }) => jobs));
      const [f1, f2, f3] = [first, second, other].map((batch) => unitBlocks(fisherOf(batch), sizes));
      const expected = f1.map((value, i) => 0.25 * value + 0.375 * (f2[i] + f3[i]));
      expect(relativeError(block.toDense(), expected)).toBeLessThan(1e-13);
    });

    it('keep their inverses when a refresh fails', () => {
      const block = blockOf(sizes);
      const batch = denseBatch(sizes, { examples: 9, seed: 61 });
      const gradient = split(block, randomInputs(15, 1, 62));
      const state = block.state();
      (form === 'dual' ? state.gradients : state.F).fill(NaN);
      if (form === 'dual') state.shares.fill(1);
      if (form === 'dual') state.weights.fill(1);
      expect(refresh(kernel, block, 0.5)).toMatchObject({ failures: 1, overflowed: true });
      const plain = joined(precondition(kernel, block, gradient));
      expect(
        relativeError(
          plain,
          joined(gradient).map((value) => 2 * value),
        ),
      ).toBeLessThan(1e-14);
      block.restart();
      feed(kernel, block, batch);
      expect(refresh(kernel, block, 0.5).failures).toBe(0);
      expect(joined(precondition(kernel, block, gradient))).not.toEqual(plain);
    });
  });

  it('count the positions of a convolution as independent', () => {
    const layer = { ...sizes, inputSize: 8 };
    const batch = convolutionBatch(2, 3, 3, 63);
    const block = new UnitWiseBlock(blockOptions(layer));
    feed(kernel, block, batch);
    const expected = unitBlocks(fisherOf(batch, { independentRows: true }), layer);
    expect(relativeError(block.toDense(), expected)).toBeLessThan(1e-13);
    const errors = errorsAgainstDense(kernel, block, 0.1);
    expect(Math.max(errors.product, errors.solution, errors.dot)).toBeLessThan(1e-10);
  });
});

describe.each(['cpu', 'reference'] as const)('UnitWiseDualBlock on the %s kernels', (backend) => {
  let kernel: Kernels;
  beforeAll(() => (kernel = kernels(backend)));
  const dual = (window: number) => new UnitWiseDualBlock({ ...blockOptions(sizes), window });

  it('forgets the oldest rows, and weights what is left to one batch', () => {
    // Oracle: of three batches of 4 under decay, a window of 8 holds the last two, with weights 0.5 / 1.5 and 1 / 1.5.
    const batches = [64, 66, 68].map((seed) => denseBatch(sizes, { examples: 4, seed }));
    const block = dual(8);
    let weight = 0;
    for (const batch of batches) {
      weight = 0.5 * weight + 1;
      feed(kernel, block, batch, { decay: 1 - 1 / weight, scale: 1 / weight });
    }
    const [, f2, f3] = batches.map((batch) => unitBlocks(fisherOf(batch), sizes));
    const expected = f2.map((value, i) => value / 3 + (2 * f3[i]) / 3);
    expect(relativeError(block.toDense(), expected)).toBeLessThan(1e-13);
    const errors = errorsAgainstDense(kernel, block, 0.1);
    expect(Math.max(errors.product, errors.solution, errors.dot)).toBeLessThan(1e-10);
  });

  it('takes evenly spaced rows of a batch that is larger than the window', () => {
    const batch = denseBatch(sizes, { examples: 9, seed: 70 });
    const block = dual(3);
    feed(kernel, block, batch);
    const picked: RowBatch = { ...batch, examples: 3, pairs: [0, 3, 6].map((n) => batch.pairs[n]) };
    expect(relativeError(block.toDense(), unitBlocks(fisherOf(picked), sizes))).toBeLessThan(1e-13);
  });

  it('needs a damping', () => {
    expect(() => dual(3).refreshPhases(0)).toThrow(errorWithCode('ERR_NATGRAD_ARGUMENT'));
  });
});

describe.each(['cpu', 'reference'] as const)('QuasiDiagonalBlock on the %s kernels', (backend) => {
  let kernel: Kernels;
  beforeAll(() => (kernel = kernels(backend)));

  /** M of every unit, from its dense block with `lambda` on the diagonal: L diag(s, F_bb) L', multiplied out. */
  function quasiDiagonal(
    blocks: Float64Array,
    { inputSize, outputSize }: LayerSizes,
    lambda = 0,
  ): Float64Array {
    const n = (inputSize + 1) * outputSize;
    const result = new Float64Array(n * n);
    for (let unit = 0; unit < outputSize; unit++) {
      const at = (i: number, j: number) => (i * outputSize + unit) * n + j * outputSize + unit;
      const entry = (i: number, j: number) => blocks[at(i, j)] + (i === j ? lambda : 0);
      const bias = entry(inputSize, inputSize);
      for (let k = 0; k <= inputSize; k++) {
        // Column k of L is e_k, that of the bias also holds the ratios; D holds the residuals and F_bb.
        const column = Array.from({ length: inputSize + 1 }, (_, i) =>
          k < inputSize ? Number(i === k) : i < inputSize ? entry(i, inputSize) / bias : 1,
        );
        const d = k < inputSize ? entry(k, k) - entry(k, inputSize) ** 2 / bias : bias;
        for (let i = 0; i <= inputSize; i++) {
          for (let j = 0; j <= inputSize; j++) result[at(i, j)] += d * column[i] * column[j];
        }
      }
    }
    return result;
  }

  it.each([
    ['one row per example', sizes, denseBatch(sizes, { examples: 9, seed: 81 })],
    [
      'several uses and positions',
      sizes,
      denseBatch(sizes, { examples: 2, positions: 3, uses: 2, seed: 83 }),
    ],
    ['one example', sizes, denseBatch(sizes, { examples: 1, seed: 87 })],
    ['a convolution', { ...sizes, inputSize: 8 }, convolutionBatch(2, 3, 3, 89)],
  ] as [string, LayerSizes, RowBatch][])('solves its own matrix for %s', (_, layer, batch) => {
    // Oracle: the dense unit blocks, of which M keeps diagonal and row of the bias; elimination with the damped M.
    const blocks = unitBlocks(fisherOf(batch, { independentRows: true }), layer);
    const block = new QuasiDiagonalBlock(blockOptions(layer));
    feed(kernel, block, batch);
    expect(relativeError(block.toDense(), quasiDiagonal(blocks, layer))).toBeLessThan(1e-12);
    const errors = errorsAgainstDense(kernel, block, 0.1, () => quasiDiagonal(blocks, layer, 0.1));
    expect(Math.max(errors.product, errors.solution, errors.dot)).toBeLessThan(1e-10);
  });

  it('is the unit-wise block of a layer with one input', () => {
    // Then there are no other weights, and nothing is left out.
    const layer = { ...sizes, inputSize: 1 };
    const batch = denseBatch(layer, { examples: 6, seed: 91 });
    const block = new QuasiDiagonalBlock(blockOptions(layer));
    feed(kernel, block, batch);
    const blocks = unitBlocks(fisherOf(batch), layer);
    expect(relativeError(block.toDense(), blocks)).toBeLessThan(1e-13);
    const { solution } = errorsAgainstDense(kernel, block, 0.1, () => plusDiagonal(blocks, 0.1));
    expect(solution).toBeLessThan(1e-12);
  });

  it('works in float32', () => {
    const batch = single(denseBatch(sizes, { examples: 9, seed: 93 }));
    const block = new QuasiDiagonalBlock(blockOptions(sizes, 'float32'));
    feed(kernel, block, batch);
    const blocks = unitBlocks(fisherOf(batch), sizes);
    const errors = errorsAgainstDense(kernel, block, 0.1, () => quasiDiagonal(blocks, sizes, 0.1));
    expect(Math.max(errors.product, errors.solution, errors.dot)).toBeLessThan(1e-4);
  });
});
