import { BatchSpaceBlock, type BatchSpaceOptions } from '../../../src/curvature/batchSpace/batchSpace';
import { runPhases } from '../../../src/curvature/phases';
import type { Statistics } from '../../../src/curvature/block';
import type { ScoredLayer } from '../../../src/curvature/scores/exampleScores';
import type { Kernels } from '../../../src/linalg/jobs';
import { kernels } from '../../../src/linalg/kernels';
import { multiplyBy, precondition, refresh, statisticsOf } from '../../support/blocks';
import { randomInputs } from '../../support/denseNet';
import { addOuterProduct, plusDiagonal, relativeError, solve } from '../../support/matrices';
import {
  convolutionBatch,
  denseBatch,
  joined,
  scoreOf,
  split,
  times,
  type RowBatch,
} from '../../support/scores';
import { truncated } from '../../support/singularValues';

const lambda = 0.05;

const convolution: ScoredLayer = {
  shape: { names: ['kernel', 'bias'], shapes: [[2, 2, 2, 6], [6]] },
  inputSize: 8,
  outputSize: 6,
  bias: true,
  transposed: false,
};

const sequence: ScoredLayer = {
  shape: { names: ['kernel'], shapes: [[7, 8]] },
  inputSize: 7,
  outputSize: 8,
  bias: false,
  transposed: false,
};

const transposed: ScoredLayer = {
  ...sequence,
  shape: { names: ['kernel'], shapes: [[8, 7]] },
  transposed: true,
};

const layers: [string, ScoredLayer, RowBatch][] = [
  ['a convolution', convolution, convolutionBatch(2, 6, 5, 1)],
  ['a sequence', sequence, denseBatch(sequence, { examples: 4, positions: 5, seed: 2 })],
  ['a kernel used transposed', transposed, denseBatch(sequence, { examples: 4, positions: 5, seed: 3 })],
];

/** F of scores that are cut down to a rank by Jacobi rotations in float64; of two passes the second has the gradients of the first backwards. */
function fisherOfRank({ pairs }: RowBatch, layer: ScoredLayer, rank: number, passes = 1): Float64Array {
  const [rows, columns] = layer.transposed
    ? [layer.outputSize, layer.inputSize]
    : [layer.inputSize + Number(layer.bias), layer.outputSize];
  const fisher = new Float64Array((rows * columns) ** 2);
  for (let pass = 0; pass < passes; pass++) {
    for (const example of pairs) {
      const own = example.map(({ a, g }) => ({ a, g: pass === 0 ? g : g.toReversed() }));
      const score = truncated(scoreOf(own, layer.transposed), rows, columns, rank);
      addOuterProduct(fisher, score, 1 / (pairs.length * passes));
    }
  }
  return fisher;
}

function statistics(batch: RowBatch, passes = 1): Statistics[] {
  const first = statisticsOf(batch);
  const backwards = batch.outputGradients.map((gradient) => {
    const data = gradient.data.slice();
    for (let r = 0; r < gradient.rows; r++)
      data.subarray(r * gradient.columns, (r + 1) * gradient.columns).reverse();
    return { ...gradient, data };
  });
  const all = [first.passes[0], { weight: 1, gradientScale: 1, outputGradients: backwards }];
  return [{ ...first, passes: all.slice(0, passes).map((pass) => ({ ...pass, weight: 1 / passes })) }];
}

function blockOf(layer: ScoredLayer, options: Partial<BatchSpaceOptions>): BatchSpaceBlock {
  return new BatchSpaceBlock({ structure: 'TENGraD', layers: [layer], precision: 'float64', ...options });
}

describe.each(['cpu', 'reference'] as const)(
  'scores of low rank in the space of the batch, %s',
  (backend) => {
    let kernel: Kernels;
    beforeAll(() => (kernel = kernels(backend)));

    const direction = (block: BatchSpaceBlock, batch: Statistics[], gradient: Float64Array) => {
      runPhases(kernel, block.updatePhases(batch));
      expect(refresh(kernel, block, lambda).failures).toBe(0);
      return joined(precondition(kernel, block, split(block, gradient)));
    };

    // Oracle: the truncated singular value decomposition of every score in float64, F of those, and elimination with F + lambda I.
    describe.each(layers)('%s', (_, layer, batch) => {
      const n = Math.sqrt(fisherOfRank(batch, layer, 1).length);
      const gradient = randomInputs(n, 1, 9);

      it.each([
        [1, 1],
        [2, 1],
        [2, 2],
        [3, 2],
      ])('keeps %d singular vectors of each score, with %d backward passes', (scoreRank, passes) => {
        const fisher = fisherOfRank(batch, layer, scoreRank, passes);
        const block = blockOf(layer, { scoreRank });
        const solution = direction(block, statistics(batch, passes), gradient);
        expect(relativeError(block.toDense(), fisher)).toBeLessThan(1e-10);
        expect(relativeError(solution, solve(plusDiagonal(fisher, lambda), gradient))).toBeLessThan(1e-9);
        const product = joined(multiplyBy(kernel, block, split(block, gradient)));
        expect(relativeError(product, times(fisher, gradient))).toBeLessThan(1e-10);
      });

      it('comes closer to the exact direction with the rank, and reaches it where nothing is left out', () => {
        const exact = direction(blockOf(layer, {}), statistics(batch), gradient);
        const errors = [1, 2, 3, 9].map((scoreRank) =>
          relativeError(direction(blockOf(layer, { scoreRank }), statistics(batch), gradient), exact),
        );
        expect([...errors].sort((a, b) => b - a)).toEqual(errors);
        expect(errors[3]).toBe(0);
      });
    });

    it('takes the memory of its singular vectors instead of that of the scores', () => {
      const [, layer, batch] = layers[0];
      const bytes = [1, 2].map((scoreRank) => {
        const block = blockOf(layer, { scoreRank });
        runPhases(kernel, block.updatePhases(statistics(batch)));
        return block.summary().bytes;
      });
      // Five examples, 9 + 6 elements a vector, 8 bytes an element; a score has 9 x 6.
      expect(bytes).toEqual([5 * 15 * 8, 2 * 5 * 15 * 8]);
    });

    it('leaves scores as they are where their vectors would take more memory, or the layer is used several times', () => {
      const [, layer, batch] = layers[0];
      const twice = denseBatch(sequence, { examples: 3, positions: 4, uses: 2, seed: 4 });
      for (const [of, given, scoreRank] of [
        [layer, batch, 4],
        [sequence, twice, 1],
      ] as const) {
        const fisher = fisherOfRank(given, of, Infinity);
        const block = blockOf(of, { scoreRank });
        runPhases(kernel, block.updatePhases(statistics(given)));
        expect(relativeError(block.toDense(), fisher)).toBeLessThan(1e-13);
      }
    });

    it('is measured on a sketch, and approximated by some of its rows, like other scores', () => {
      const [, layer, batch] = layers[0];
      const gradient = randomInputs(54, 1, 10);
      const exact = direction(blockOf(layer, { scoreRank: 2 }), statistics(batch), gradient);
      // A sketch of all coordinates but one leaves something out, one of all of them nothing; so with the rows of Nystrom's approximation.
      for (const [options, isExact] of [
        [{ sketch: { size: 9, seed: 1 } }, true],
        [{ sketch: { size: 8, seed: 1 } }, false],
        [{ nystrom: { rank: 5 } }, true],
        [{ nystrom: { rank: 4 } }, false],
      ] as const) {
        const solution = direction(blockOf(layer, { scoreRank: 2, ...options }), statistics(batch), gradient);
        const error = relativeError(solution, exact);
        if (isExact) expect(error).toBe(0);
        else expect(error).toBeGreaterThan(1e-6);
        expect(error).toBeLessThan(2);
      }
    });

    it('goes on from a checkpoint', () => {
      const [, layer, batch] = layers[0];
      const gradient = randomInputs(54, 1, 11);
      const block = blockOf(layer, { scoreRank: 2 });
      const expected = direction(block, statistics(batch), gradient);
      const resumed = blockOf(layer, { scoreRank: 2 });
      resumed.prepare(block.state());
      for (const [name, array] of Object.entries(resumed.state())) array.set(block.state()[name]);
      resumed.loaded(true);
      expect(joined(precondition(kernel, resumed, split(resumed, gradient)))).toEqual(expected);
    });
  },
);
