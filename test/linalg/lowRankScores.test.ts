import { conv2dGeometry, kernels, type FloatArray } from '../../src/linalg';
import type { LowRankScoresJob } from '../../src/linalg/jobs';
import { relativeError } from '../support/matrices';
import { truncated } from '../support/singularValues';
import { cast, type Dtype } from './matrices';
import { patchesOf } from './patches';
import { Random } from './random';

/** The rows of some examples, and the same ones written out with the homogeneous 1. */
interface Rows {
  activation: LowRankScoresJob['activation'];
  x: ArrayLike<number>;
  count: number;
  columns: number;
  homogeneous: boolean;
}

function dense(count: number, columns: number, dtype: Dtype, homogeneous = true): Rows {
  const data = cast(new Random(1).normals(count * columns), dtype);
  return { activation: { data, rows: count, columns }, x: data, count, columns, homogeneous };
}

function patches(dtype: Dtype): Rows {
  const geometry = conv2dGeometry([3, 5, 6, 2], [3, 2], { padding: 'same', strides: [1, 2] });
  const data = cast(new Random(1).normals(3 * 5 * 6 * 2), dtype);
  const { rows: x, count, columns } = patchesOf(data, geometry);
  return { activation: { data, geometry }, x, count, columns, homogeneous: true };
}

/** A job whose outputs are NaN, and the scores by their definition. */
function problem(rows: Rows, outputs: number, examples: number, rank: number, dtype: Dtype) {
  const { activation, x, count, columns, homogeneous } = rows;
  const g = cast(new Random(2).normals(count * outputs), dtype);
  const size = columns + Number(homogeneous);
  const empty = (length: number) => cast(new Float64Array(length).fill(NaN), dtype);
  const job: LowRankScoresJob = {
    op: 'lowRankScores',
    activation,
    outputGradient: { data: g, rows: count, columns: outputs },
    examples,
    homogeneous,
    scale: -0.5,
    rank,
    left: empty(examples * rank * size),
    right: empty(examples * rank * outputs),
  };
  const each = count / examples;
  const scores = Array.from({ length: examples }, (_, n) => {
    const score = new Float64Array(size * outputs);
    for (let r = n * each; r < (n + 1) * each; r++) {
      for (let i = 0; i < size; i++) {
        const a = i === columns ? 1 : x[r * columns + i];
        for (let j = 0; j < outputs; j++) score[i * outputs + j] -= 0.5 * a * g[r * outputs + j];
      }
    }
    return score;
  });
  return { job, scores, size };
}

/** left[n]' right[n] of every example. */
function products({ left, right, examples, rank }: LowRankScoresJob): Float64Array[] {
  const [rows, columns] = [left.length, right.length].map((length) => length / (examples * rank));
  const part = (array: FloatArray, n: number) =>
    array.subarray((n * array.length) / examples, ((n + 1) * array.length) / examples);
  return Array.from({ length: examples }, (_, n) => {
    const [l, r] = [part(left, n), part(right, n)];
    return Float64Array.from({ length: rows * columns }, (__, at) => {
      const [i, j] = [Math.floor(at / columns), at % columns];
      let sum = 0;
      for (let k = 0; k < rank; k++) sum += l[k * rows + i] * r[k * columns + j];
      return sum;
    });
  });
}

describe.each(['cpu', 'reference'] as const)('scores of low rank, %s', (backend) => {
  const run = (job: LowRankScoresJob) => kernels(backend).run([[job]])[0][0];

  describe.each([
    // Results are rounded to float32 from float64; in float64, the singular vectors of squares have half of their digits' room.
    ['float32', 2e-6],
    ['float64', 1e-11],
  ] as const)('%s', (dtype, tolerance) => {
    const cases: [string, Rows, number, number][] = [
      ['with fewer outputs than inputs', dense(5 * 12, 7, dtype), 4, 5],
      ['with fewer inputs than outputs', dense(5 * 12, 3, dtype, false), 6, 5],
      ['with fewer rows than either', dense(4 * 5, 9, dtype), 8, 4],
      ['of patches', patches(dtype), 5, 3],
      ['of many examples, done in parts', dense(64 * 20, 16, dtype), 16, 64],
    ];
    it.each(cases)('%s are the truncated singular value decomposition', (_, rows, outputs, examples) => {
      for (const rank of [1, 2, 3]) {
        const { job, scores, size } = problem(rows, outputs, examples, rank, dtype);
        expect(run(job).status).toBe('ok');
        // Of many examples only some, for time.
        products(job).forEach((product, n) => {
          if (examples > 5 && n % 9 > 0) return;
          const expected = truncated(scores[n], size, outputs, rank);
          expect(relativeError(product, expected)).toBeLessThan(tolerance);
        });
      }
    });

    it.each(cases)(
      '%s are the scores at full rank, which need not be reached',
      (_, rows, outputs, examples) => {
        const rank = Math.min(rows.columns + Number(rows.homogeneous), outputs);
        const { job, scores } = problem(rows, outputs, examples, rank, dtype);
        expect(run(job).status).toBe('ok');
        products(job).forEach((product, n) =>
          expect(relativeError(product, scores[n])).toBeLessThan(tolerance),
        );
      },
    );

    it('are exact for rows that repeat one another, and zero for gradients of zero', () => {
      // Four times the same row: scores of rank one, with a Gram matrix of rows that is singular.
      const rows = dense(2 * 4, 6, dtype);
      const data = rows.activation.data;
      for (let r = 1; r < 8; r++) data.copyWithin(r * 6, 0, 6);
      const { job, scores } = problem(rows, 5, 2, 2, dtype);
      expect(run(job).status).toBe('ok');
      products(job).forEach((product, n) =>
        expect(relativeError(product, scores[n])).toBeLessThan(tolerance),
      );
      job.outputGradient.data.fill(0);
      expect(run(job).status).toBe('ok');
      for (const product of products(job)) expect(product.every((value) => value === 0)).toBe(true);
      data.fill(0);
      expect(run(job).status).toBe('ok');
      for (const product of products(job)) expect(product.every((value) => value === 0)).toBe(true);
    });
  });

  it('of inputs that are not finite are reported, and nothing is written', () => {
    for (const spoil of ['activation', 'outputGradient'] as const) {
      const { job } = problem(dense(64 * 30, 20, 'float32'), 25, 64, 2, 'float32');
      job[spoil].data[job[spoil].data.length - 1] = Infinity;
      expect(run(job).status).toBe('notFinite');
      expect([...job.left, ...job.right].every(Number.isNaN)).toBe(true);
    }
  });

  it('of more than full rank are refused', () => {
    const { job } = problem(dense(8, 3, 'float32'), 6, 2, 5, 'float32');
    expect(() => run(job)).toThrow('phases[0][0].rank is 5, more than a score of 4 by 6 can have');
  });

  it('copies its inputs before submit returns', () => {
    const { job, scores } = problem(dense(2 * 6, 3, 'float64'), 4, 2, 4, 'float64');
    const pending = kernels(backend).submit([[job]]);
    job.activation.data.fill(100);
    job.outputGradient.data.fill(100);
    pending.wait();
    products(job).forEach((product, n) => expect(relativeError(product, scores[n])).toBeLessThan(1e-11));
  });
});
