import { BatchSpaceBlock } from '../../../src/curvature/batchSpace/batchSpace';
import type { Statistics } from '../../../src/curvature/block';
import { NystromApproximation } from '../../../src/curvature/shared/nystrom';
import { runPhases } from '../../../src/curvature/phases';
import { sampleWithoutReplacement, structureStream } from '../../../src/curvature/shared/sampling';
import type { Kernels } from '../../../src/linalg/jobs';
import { kernels } from '../../../src/linalg/kernels';
import { precondition, refresh } from '../../support/blocks';
import { randomInputs } from '../../support/denseNet';
import { plusDiagonal, relativeError, solve } from '../../support/matrices';

const size = 12;

/** J J' / N for a random J of the given rank. */
function gram(rank: number): Float64Array {
  const j = randomInputs(size, rank, 1);
  return Float64Array.from({ length: size * size }, (_, at) => {
    const [a, b] = [Math.floor(at / size), at % size];
    let sum = 0;
    for (let k = 0; k < rank; k++) sum += j[a * rank + k] * j[b * rank + k];
    return sum / size;
  });
}

/** K[:, S] and K[S, S]. */
function columnsOf(matrix: Float64Array, chosen: number[]): { columns: Float64Array; core: Float64Array } {
  const rows = Array.from({ length: size }, (_, i) => i);
  const at = (i: number, j: number) => matrix[i * size + j];
  return {
    columns: Float64Array.from(rows.flatMap((i) => chosen.map((j) => at(i, j)))),
    core: Float64Array.from(chosen.flatMap((i) => chosen.map((j) => at(i, j)))),
  };
}

/** B B'. */
function approximation({ factor, rank }: NystromApproximation): Float64Array {
  return Float64Array.from({ length: size * size }, (_, at) => {
    const [i, j] = [Math.floor(at / size), at % size];
    let sum = 0;
    for (let k = 0; k < rank; k++) sum += factor[i * rank + k] * factor[j * rank + k];
    return sum;
  });
}

const lambda = 0.01;

describe.each(['cpu', 'reference'] as const)('the Nystrom approximation on the %s kernels', (backend) => {
  let kernel: Kernels;
  beforeAll(() => (kernel = kernels(backend)));

  function approximate(matrix: Float64Array, chosen: number[]): NystromApproximation {
    const nystrom = new NystromApproximation(size, chosen.length, 'float64');
    const { columns, core } = columnsOf(matrix, chosen);
    const reports = runPhases(kernel, nystrom.phases(columns, core, lambda)).flat();
    expect(reports.every(({ status }) => status === 'ok')).toBe(true);
    return nystrom;
  }

  function solved(nystrom: NystromApproximation, right: Float64Array): Float64Array {
    const out = new Float64Array(right.length);
    runPhases(kernel, nystrom.solvePhases(right, right.length / size, lambda, out));
    return out;
  }

  // Oracle: Drineas & Mahoney 2005; the solution of (K + lambda I) x = b by elimination.
  it.each([
    ['all columns of a matrix of full rank', size, size],
    ['more columns than the rank', 5, 8],
    ['as many columns as the rank', 5, 5],
  ])('is exact with %s', (_, rank, count) => {
    const matrix = gram(rank);
    const nystrom = approximate(matrix, [7, 2, 9, 0, 4, 11, 1, 10, 3, 5, 6, 8].slice(0, count));
    expect(relativeError(approximation(nystrom), matrix)).toBeLessThan(1e-12);
    const right = randomInputs(size, 1, 2);
    expect(relativeError(solved(nystrom, right), solve(plusDiagonal(matrix, lambda), right))).toBeLessThan(
      1e-10,
    );
  });

  it('solves for several right-hand sides with its own matrix', () => {
    const nystrom = approximate(gram(size), [3, 8, 5]);
    const dense = plusDiagonal(approximation(nystrom), lambda);
    const right = randomInputs(size, 2, 3);
    const out = solved(nystrom, right);
    for (const k of [0, 1]) {
      const column = (values: Float64Array) => values.filter((_, at) => at % 2 === k);
      expect(relativeError(column(out), solve(dense, column(right)))).toBeLessThan(1e-10);
    }
  });

  it('reproduces the chosen columns, and never exceeds K', () => {
    const matrix = gram(size);
    const chosen = [3, 8, 5, 1];
    const close = approximation(approximate(matrix, chosen));
    for (const j of chosen) {
      for (let i = 0; i < size; i++) expect(close[i * size + j]).toBeCloseTo(matrix[i * size + j], 12);
    }
    // K - K~ is the Schur complement of W in K, positive semi-definite: its smallest eigenvalue is zero to rounding.
    const rest = matrix.map((value, at) => value - close[at]);
    const [values, vectors] = [new Float64Array(size), new Float64Array(size * size)];
    kernel.run([[{ op: 'eigh', matrix: rest, size, values, vectors }]]);
    expect(values[0]).toBeGreaterThan(-1e-13);
  });

  it('comes closer with every column that is added', () => {
    const matrix = gram(size);
    const order = [3, 8, 5, 1, 10, 0, 7, 2, 11, 4, 6, 9];
    const errors = order.map((_, m) => {
      const close = approximation(approximate(matrix, order.slice(0, m + 1)));
      return Math.hypot(...matrix.map((value, at) => value - close[at]));
    });
    errors.slice(1).forEach((error, m) => expect(error).toBeLessThan(errors[m] + 1e-14));
    expect(errors[size - 1]).toBeLessThan(1e-12);
  });

  describe('of the rows of a batch', () => {
    const [x, g] = [randomInputs(9, 4, 5), randomInputs(9, 2, 6)];
    const layer = {
      shape: { names: ['kernel', 'bias'], shapes: [[4, 2], [2]] },
      inputSize: 4,
      outputSize: 2,
      bias: true,
      transposed: false,
    };
    const repeated = (times: number): Statistics[] => {
      // Every example `times` times over, so that the rank is 9 / times at most.
      const pick = (data: Float64Array, width: number) =>
        Float64Array.from({ length: 9 * width }, (_, at) => {
          const row = Math.floor(Math.floor(at / width) / times);
          return data[row * width + (at % width)];
        });
      const activations = [{ data: pick(x, 4), rows: 9, columns: 4 }];
      const outputGradients = [{ data: pick(g, 2), rows: 9, columns: 2 }];
      return [{ examples: 9, activations, passes: [{ weight: 1, gradientScale: 1, outputGradients }] }];
    };
    const gradients = [randomInputs(4, 2, 7), randomInputs(2, 1, 8)];
    const block = (rank?: number) => {
      const nystrom = rank === undefined ? {} : { nystrom: { rank } };
      return new BatchSpaceBlock({
        structure: 'Nystrom',
        layers: [layer],
        precision: 'float64',
        seed: 3,
        ...nystrom,
      });
    };
    const direction = (rank: number | undefined, times: number) => {
      const made = block(rank);
      runPhases(kernel, made.updatePhases(repeated(times)));
      expect(refresh(kernel, made, lambda).failures).toBe(0);
      return { made, out: precondition(kernel, made, gradients).flatMap((part) => [...part]) };
    };

    it('gives the exact direction when the chosen rows span all', () => {
      // Nine copies of one example: any row stands for all of them.
      expect(relativeError(direction(2, 9).out, direction(undefined, 9).out)).toBeLessThan(1e-10);
      expect(relativeError(direction(9, 1).out, direction(undefined, 1).out)).toBeLessThan(1e-10);
    });

    it('inverts P F P + lambda I, with P the projection onto the span of the chosen rows', () => {
      // Oracle: the block's own rows, P from them by elimination, all dense.
      const { made, out } = direction(3, 1);
      const fisher = made.toDense();
      const n = 10;
      const chosen = sampleWithoutReplacement(9, 3, structureStream(3, 0));
      const rows = chosen.map((r) =>
        [0, 1, 2, 3, 4].flatMap((i) => [0, 1].map((j) => (x[4 * r + i] ?? 1) * g[2 * r + j])),
      );
      chosen.forEach((r, k) => {
        for (const j of [0, 1]) rows[k][8 + j] = g[2 * r + j];
      });
      const core = Float64Array.from(
        rows.flatMap((a) => rows.map((b) => a.reduce((sum, value, i) => sum + value * b[i], 0))),
      );
      const projection = new Float64Array(n * n);
      for (let j = 0; j < n; j++) {
        const weights = solve(
          core,
          rows.map((row) => row[j]),
        );
        for (let i = 0; i < n; i++) {
          projection[i * n + j] = rows.reduce((sum, row, k) => sum + row[i] * weights[k], 0);
        }
      }
      const times = (a: Float64Array, b: Float64Array) =>
        Float64Array.from({ length: n * n }, (_, at) => {
          let sum = 0;
          for (let k = 0; k < n; k++) sum += a[Math.floor(at / n) * n + k] * b[k * n + (at % n)];
          return sum;
        });
      const projected = times(projection, times(fisher, projection));
      const gradient = gradients.flatMap((part) => [...part]);
      expect(relativeError(out, solve(plusDiagonal(projected, lambda), gradient))).toBeLessThan(1e-9);
    });

    it('draws other rows for every batch', () => {
      const made = block(3);
      const outs = [0, 1].map(() => {
        runPhases(kernel, made.updatePhases(repeated(1)));
        refresh(kernel, made, lambda);
        return precondition(kernel, made, gradients);
      });
      expect(outs[0]).not.toEqual(outs[1]);
    });
  });
});
