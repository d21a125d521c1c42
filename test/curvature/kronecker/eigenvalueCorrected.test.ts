import { EigenbasisBlock } from '../../../src/curvature/kronecker/eigenbasis';
import {
  EigenvalueCorrectedBlock,
  type EigenvalueCorrectedOptions,
} from '../../../src/curvature/kronecker/eigenvalueCorrected';
import { KroneckerFactoredBlock } from '../../../src/curvature/kronecker/kroneckerFactored';
import type { FloatArray, Kernels } from '../../../src/linalg/jobs';
import { kernels } from '../../../src/linalg/kernels';
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
  scoreOf,
  single,
  split,
  times,
  type LayerSizes,
  type RowBatch,
} from '../../support/scores';

const corrected = (sizes: LayerSizes, options: EigenvalueCorrectedOptions = {}) =>
  new EigenvalueCorrectedBlock({ ...blockOptions(sizes), ...options });

const sizes: LayerSizes = { inputSize: 4, outputSize: 3, bias: true };

const traceOf = (dense: FloatArray) => {
  const n = Math.sqrt(dense.length);
  return Array.from({ length: n }, (_, i) => dense[i * (n + 1)]).reduce((sum, value) => sum + value, 0);
};

function distance(a: Float64Array, b: Float64Array): number {
  return Math.sqrt(a.reduce((sum, value, i) => sum + (value - b[i]) ** 2, 0));
}

/** U diag(U' F U) U' for the eigenvectors in a block's state: the best diagonal in that basis, from the dense Fisher matrix. */
function bestDiagonal(
  block: EigenvalueCorrectedBlock,
  dense: Float64Array,
  transposed = false,
): Float64Array {
  const { vectorsA, vectorsG } = block.state();
  const [left, right] = transposed ? [vectorsG, vectorsA] : [vectorsA, vectorsG];
  const [p, q] = [Math.sqrt(left.length), Math.sqrt(right.length)];
  const result = new Float64Array(dense.length);
  const n = p * q;
  for (let k = 0; k < n; k++) {
    const u = Float64Array.from(
      { length: n },
      (_, i) => left[Math.floor(i / q) * p + Math.floor(k / q)] * right[(i % q) * q + (k % q)],
    );
    const value = times(dense, u).reduce((sum, x, i) => sum + x * u[i], 0);
    for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) result[i * n + j] += value * u[i] * u[j];
  }
  return result;
}

describe.each(['cpu', 'reference'] as const)('EigenvalueCorrectedBlock on the %s kernels', (backend) => {
  let kernel: Kernels;
  beforeAll(() => (kernel = kernels(backend)));

  const batches: [string, LayerSizes, RowBatch][] = [
    ['one row per example', sizes, denseBatch(sizes, { examples: 9, seed: 1 })],
    [
      'few positions, whose rows are rotated',
      sizes,
      denseBatch(sizes, { examples: 6, positions: 2, seed: 2 }),
    ],
    [
      'many positions, whose scores are rotated',
      sizes,
      denseBatch(sizes, { examples: 4, positions: 9, seed: 3 }),
    ],
    ['several uses', sizes, denseBatch(sizes, { examples: 6, uses: 2, seed: 4 })],
    ['a convolution', { ...sizes, inputSize: 8 }, convolutionBatch(2, 3, 5, 6)],
    [
      'a transposed kernel',
      { ...sizes, bias: false, transposed: true },
      denseBatch({ ...sizes, bias: false }, { examples: 7, seed: 7 }),
    ],
    [
      'a transposed kernel and positions',
      { ...sizes, bias: false, transposed: true },
      denseBatch({ ...sizes, bias: false }, { examples: 3, positions: 9, seed: 8 }),
    ],
    ['fewer examples than inputs', sizes, denseBatch(sizes, { examples: 2, seed: 9 })],
    ['one example', sizes, denseBatch(sizes, { examples: 1, seed: 10 })],
  ];

  it.each(batches)('has the best diagonal in the eigenbasis of K-FAC for %s', (_, layer, batch) => {
    // Oracle 8 of George et al. 2018: S = diag(U' F U), no farther from F than A (x) G, the trace of F kept; F from written-out scores.
    const fisher = fisherOf(batch, layer);
    const block = corrected(layer);
    feed(kernel, block, batch);
    expect(refresh(kernel, block, 0.1).failures).toBe(0);
    const dense = block.toDense();
    expect(relativeError(dense, bestDiagonal(block, fisher, layer.transposed))).toBeLessThan(1e-10);
    expect(Math.abs(traceOf(dense) / traceOf(fisher) - 1)).toBeLessThan(1e-10);
    const factored = new KroneckerFactoredBlock(blockOptions(layer));
    feed(kernel, factored, batch);
    expect(distance(dense, fisher)).toBeLessThanOrEqual(distance(factored.toDense(), fisher) + 1e-12);

    const errors = errorsAgainstDense(kernel, block, 0.1);
    expect(Math.max(errors.product, errors.solution, errors.dot)).toBeLessThan(1e-10);
  });

  it('works in float32', () => {
    const batch = single(denseBatch(sizes, { examples: 9, seed: 11 }));
    const block = new EigenvalueCorrectedBlock(blockOptions(sizes, 'float32'));
    feed(kernel, block, batch);
    const errors = errorsAgainstDense(kernel, block, 0.1);
    expect(Math.max(errors.product, errors.solution, errors.dot)).toBeLessThan(1e-4);
    const fisher = fisherOf(batch);
    expect(relativeError(block.toDense(), bestDiagonal(block, fisher))).toBeLessThan(1e-5);
  });

  it('carries its second moments over to a new basis: the diagonal of the old approximation in it', () => {
    const block = corrected(sizes);
    feed(kernel, block, denseBatch(sizes, { examples: 9, seed: 12 }));
    refresh(kernel, block, 0.1);
    feed(kernel, block, denseBatch(sizes, { examples: 9, seed: 14 }), { decay: 0.5, scale: 0.5 });
    const old = block.toDense();
    refresh(kernel, block, 0.1);
    expect(relativeError(block.toDense(), bestDiagonal(block, old))).toBeLessThan(1e-10);
    expect(Math.abs(traceOf(block.toDense()) / traceOf(old) - 1)).toBeLessThan(1e-10);
  });

  it('averages batches in one basis', () => {
    // Oracle: U diag(U' (1/4 F_1 + 3/4 F_2) U) U', in the basis of the first batch.
    const [first, second] = [16, 18].map((seed) => denseBatch(sizes, { examples: 5, seed }));
    const block = corrected(sizes);
    feed(kernel, block, first);
    refresh(kernel, block, 0.1);
    feed(kernel, block, second, { decay: 0.25, scale: 0.75 });
    const mixed = fisherOf(first).map((value, i) => 0.25 * value + 0.75 * fisherOf(second)[i]);
    expect(relativeError(block.toDense(), bestDiagonal(block, mixed))).toBeLessThan(1e-10);
  });

  it('with running correction takes the gradient of the batch', () => {
    // Oracle: S = N (U' mean gradient U)^2 for the first batch, then 3/4 S + 1/4 of the next, U diag(S) U' written out.
    const batches = [20, 22].map((seed) => denseBatch(sizes, { examples: 5, seed }));
    const block = corrected(sizes, { correction: 'running' });
    expect(block.needs).toEqual([{ activations: true, outputGradients: true, scores: true }]);
    const squares = batches.map((batch, t) => {
      const mean = batch.pairs
        .map((rows) => scoreOf(rows))
        .reduce((sum, score) => sum.map((value, i) => value + score[i] / 5), new Float64Array(15));
      // Empirical: the gradient of the mean loss, of which N is still to be taken.
      feed(
        kernel,
        block,
        {
          ...batch,
          outputGradients: batch.outputGradients.map((rows) => ({
            ...rows,
            data: rows.data.map((value) => value / 5),
          })),
          scores: split(block, mean),
          gradientScale: 5,
        },
        t === 0 ? { decay: 0, scale: 1 } : { decay: 0.5, scale: 0.5 },
      );
      if (t === 0) expect(refresh(kernel, block, 0.1).failures).toBe(0);
      const outer = new Float64Array(225);
      mean.forEach((x, i) => mean.forEach((y, j) => (outer[15 * i + j] = 5 * x * y)));
      return outer;
    });
    const mixed = squares[0].map((value, i) => 0.75 * value + 0.25 * squares[1][i]);
    expect(relativeError(block.toDense(), bestDiagonal(block, mixed))).toBeLessThan(1e-10);
  });

  it('keeps a large input as it is where only the diagonal of its factor is kept', () => {
    const batch = denseBatch(sizes, { examples: 9, seed: 24 });
    const block = new EigenvalueCorrectedBlock({ ...blockOptions(sizes), diagonalInput: true });
    feed(kernel, block, batch);
    expect(Math.abs(traceOf(block.toDense()) / traceOf(fisherOf(batch)) - 1)).toBeLessThan(1e-12);
    const errors = errorsAgainstDense(kernel, block, 0.2);
    expect(Math.max(errors.product, errors.solution, errors.dot)).toBeLessThan(1e-10);
  });

  it('keeps basis and eigenvalues when a refresh fails, and begins its correction anew', () => {
    const block = corrected(sizes);
    const batch = denseBatch(sizes, { examples: 9, seed: 26 });
    feed(kernel, block, batch);
    refresh(kernel, block, 0.1);
    const gradient = split(block, randomInputs(15, 1, 27));
    const before = precondition(kernel, block, gradient);
    block.state().A.fill(NaN);
    expect(refresh(kernel, block, 0.1)).toMatchObject({ failures: 1, overflowed: true });
    expect(precondition(kernel, block, gradient)).toEqual(before);
    block.restart();
    feed(kernel, block, batch);
    refresh(kernel, block, 0.1);
    expect(relativeError(block.toDense(), bestDiagonal(block, fisherOf(batch)))).toBeLessThan(1e-10);
  });
});

describe.each(['cpu', 'reference'] as const)('EigenbasisBlock on the %s kernels', (backend) => {
  let kernel: Kernels;
  beforeAll(() => (kernel = kernels(backend)));

  it.each([
    ['dense', sizes, {}],
    ['transposed', { ...sizes, bias: false, transposed: true }, {}],
    ['with a diagonal input factor', sizes, { diagonalInput: true }],
    ['with one row per example', sizes, { weightSharing: 'reduce' }],
  ] as [string, LayerSizes, object][])('solves (A (x) G + lambda I) x = v exactly: %s', (_, layer, more) => {
    // Oracle: elimination with the dense Kronecker product of K-FAC's factors and lambda on its diagonal.
    const batch = denseBatch(layer, { examples: 9, positions: 2, seed: 28 });
    const block = new EigenbasisBlock({ ...blockOptions(layer), ...more });
    const factored = new KroneckerFactoredBlock({ ...blockOptions(layer), ...more });
    feed(kernel, block, batch);
    feed(kernel, factored, batch);
    expect(relativeError(block.toDense(), factored.toDense())).toBeLessThan(1e-15);
    const errors = errorsAgainstDense(kernel, block, 0.07);
    expect(Math.max(errors.product, errors.solution, errors.dot)).toBeLessThan(1e-10);
  });

  it('takes eigenvalues below zero for zero', () => {
    // One example: A and G have rank one, and rounding leaves eigenvalues of either sign, which a damping of 1e-12 does not cover.
    const batch = single(
      denseBatch({ inputSize: 20, outputSize: 15, bias: true }, { examples: 1, seed: 30 }),
    );
    const block = new EigenbasisBlock(blockOptions({ inputSize: 20, outputSize: 15, bias: true }, 'float32'));
    feed(kernel, block, batch);
    refresh(kernel, block, 1e-12);
    const { valuesA, valuesG } = block.state();
    expect(Math.min(...valuesA, ...valuesG)).toBeGreaterThanOrEqual(0);
    const gradient = split(block, randomInputs(21 * 15, 1, 31));
    const directions = precondition(kernel, block, gradient);
    expect(joined(directions).every(Number.isFinite)).toBe(true);
    const dot = joined(directions).reduce((sum, value, i) => sum + value * joined(gradient)[i], 0);
    expect(dot).toBeGreaterThan(0);
  });
});

describe('the equal split of the damping', () => {
  it('adds sqrt(lambda) to either factor', () => {
    // Oracle: elimination with (A + sqrt(lambda) I) (x) (G + sqrt(lambda) I), from the factors' lower triangles.
    const kernel = kernels('reference');
    const block = new KroneckerFactoredBlock({ ...blockOptions(sizes), dampingSplit: 'equal' });
    feed(kernel, block, denseBatch(sizes, { examples: 9, seed: 32 }));
    const { A, G } = block.state();
    const full = (lower: FloatArray, n: number) =>
      plusDiagonal(
        Float64Array.from({ length: n * n }, (_, at) => {
          const [i, j] = [Math.floor(at / n), at % n];
          return lower[Math.max(i, j) * n + Math.min(i, j)];
        }),
        Math.sqrt(0.2),
      );
    const [a, g] = [full(A, 5), full(G, 3)];
    const dense = Float64Array.from({ length: 225 }, (_, at) => {
      const [row, column] = [Math.floor(at / 15), at % 15];
      return a[Math.floor(row / 3) * 5 + Math.floor(column / 3)] * g[(row % 3) * 3 + (column % 3)];
    });
    refresh(kernel, block, 0.2);
    const gradient = randomInputs(15, 1, 33);
    expect(
      relativeError(joined(precondition(kernel, block, split(block, gradient))), solve(dense, gradient)),
    ).toBeLessThan(1e-12);
  });
});
