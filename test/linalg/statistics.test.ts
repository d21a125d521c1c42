import {
  conv2dGeometry,
  kernels,
  type ConvGeometry,
  type FloatArray,
  type Job,
  type UnitFactorsJob,
} from '../../src/linalg';
import { cast, epsilon, type Dtype } from './matrices';
import { patchesOf } from './patches';
import { Random } from './random';

// Global names are slow to look up in the loops of a test.
const { abs, floor, max } = Math;

/** Rows as a job takes them, and the same rows written out in float64. */
interface Rows {
  input: { data: FloatArray; rows: number; columns: number } | { data: FloatArray; geometry: ConvGeometry };
  values: Float64Array;
  rows: number;
  columns: number;
}

function dense(rows: number, columns: number, dtype: Dtype, random: Random): Rows {
  const data = cast(random.normals(rows * columns), dtype);
  return { input: { data, rows, columns }, values: Float64Array.from(data), rows, columns };
}

function patches(
  shape: [number, number, number, number],
  kernel: [number, number],
  options: object,
  dtype: Dtype,
  random: Random,
): Rows {
  const geometry = conv2dGeometry(shape, kernel, options);
  const data = cast(random.normals(shape.reduce((a, b) => a * b)), dtype);
  const { rows: values, count: rows, columns } = patchesOf(data, geometry);
  return { input: { data, geometry }, values, rows, columns };
}

/** Element i of `[x_r; 1]`. */
function element({ values, columns }: Rows, r: number, i: number): number {
  return i === columns ? 1 : values[r * columns + i];
}

const flags = [false, true];

describe.each(['cpu', 'reference'] as const)('%s', (backend) => {
  const run = (job: Job) => kernels(backend).run([[job]])[0][0];

  describe.each(['float32', 'float64'] as const)('%s', (dtype) => {
    const eps = epsilon[dtype];

    // The definition of scores, one element after the other; the bound is that of a sum of as many products in any order.
    const checkScores = (x: Rows, outputs: number, examples: number, homogeneous: boolean, keep: number) => {
      const random = new Random(2);
      const size = x.columns + Number(homogeneous);
      const g = cast(random.normals(x.rows * outputs), dtype);
      const before = cast(random.normals(examples * size * outputs), dtype);
      const out = keep === 0 ? before.map(() => NaN) : before.slice();
      const job: Job = {
        op: 'scores',
        activation: x.input,
        outputGradient: { data: g, rows: x.rows, columns: outputs },
        examples,
        homogeneous,
        scale: -0.7,
        keep,
        out: out as FloatArray,
      };
      expect(run(job).status).toBe('ok');
      const each = x.rows / examples;
      let worst = 0;
      for (let at = 0; at < out.length; at++) {
        const n = floor(at / (size * outputs));
        const i = floor(at / outputs) % size;
        let sum = keep === 0 ? 0 : keep * before[at];
        let bound = abs(sum);
        for (let r = n * each; r < (n + 1) * each; r++) {
          const term = -0.7 * element(x, r, i) * g[r * outputs + (at % outputs)];
          sum += term;
          bound += abs(term);
        }
        const error = abs(out[at] - sum);
        worst = error !== error ? Infinity : max(worst, error === 0 ? 0 : error / bound);
      }
      expect(worst).toBeLessThanOrEqual((each + 4) * eps);
    };

    it.each([0, 0.5])('scores every example by its own rows, keeping %d of what there was', (keep) => {
      const random = new Random(1);
      for (const homogeneous of flags) {
        for (const [examples, each, columns, outputs] of [
          [1, 1, 1, 1],
          [5, 1, 7, 3],
          [4, 6, 7, 3],
          [3, 2, 5, 300],
          [2, 1100, 3, 2],
          [3, 0, 4, 2],
          [6, 2, 0, 3],
        ]) {
          checkScores(dense(examples * each, columns, dtype, random), outputs, examples, homogeneous, keep);
        }
        const image = patches([4, 5, 6, 3], [3, 2], { padding: 'same', strides: [1, 2] }, dtype, random);
        for (const examples of [1, 4, 12, 60]) checkScores(image, 4, examples, homogeneous, keep);
        const pixels = patches([3, 4, 2, 5], [1, 1], {}, dtype, random);
        checkScores(pixels, 2, 3, homogeneous, keep);
      }
    });

    // The definition of the factors likewise; weights are squares, which takes two more roundings of each term.
    const checkFactors = (
      inputs: Rows[],
      scales: number[],
      homogeneous: boolean,
      count: number,
      decay: number,
    ) => {
      const random = new Random(3);
      const size = inputs[0].columns + Number(homogeneous);
      // Half of the gradients are zero, as they are behind a ReLU.
      const gradients = inputs.map(({ rows }) =>
        cast(
          random.normals(rows * count).map((g) => (random.uniform() < 0.5 ? g : 0)),
          dtype,
        ),
      );
      const before = cast(random.normals(count * size * size), dtype);
      const factors = before.slice() as FloatArray;
      if (decay === 0) {
        for (let at = 0; at < factors.length; at++) {
          if (at % size <= floor(at / size) % size) factors[at] = NaN;
        }
      }
      const job: UnitFactorsJob = {
        op: 'unitFactors',
        inputs: inputs.map(({ input }, k) => ({ ...input, scale: scales[k], gradients: gradients[k] })),
        homogeneous,
        decay,
        factors,
        size,
        count,
      };
      expect(run(job).status).toBe('ok');
      const terms = inputs.reduce((sum, { rows }) => sum + rows, 0);
      let worst = 0;
      for (let at = 0; at < factors.length; at++) {
        const [unit, i, j] = [floor(at / size ** 2), floor(at / size) % size, at % size];
        if (j > i) {
          if (factors[at] !== before[at]) worst = Infinity;
          continue;
        }
        let sum = decay === 0 ? 0 : decay * before[at];
        let bound = abs(sum);
        inputs.forEach((x, k) => {
          for (let r = 0; r < x.rows; r++) {
            const term =
              scales[k] * gradients[k][r * count + unit] ** 2 * element(x, r, i) * element(x, r, j);
            sum += term;
            bound += abs(term);
          }
        });
        const error = abs(factors[at] - sum);
        worst = error !== error ? Infinity : max(worst, error === 0 ? 0 : error / bound);
      }
      expect(worst).toBeLessThanOrEqual((terms + 6) * eps);
    };

    it.each([0, 0.9])(
      'weighs the rows of unit factors with the squares of the gradients, decay %d',
      (decay) => {
        const random = new Random(4);
        for (const homogeneous of flags) {
          for (const [rows, columns, count] of [
            [1, 1, 1],
            [0, 3, 2],
            [30, 7, 5],
            [40, 0, 3],
            // More rows than are weighted at a time.
            [2500, 4, 2],
          ]) {
            if (columns + Number(homogeneous) > 0) {
              checkFactors([dense(rows, columns, dtype, random)], [0.3], homogeneous, count, decay);
            }
          }
          const image = patches([2, 5, 6, 3], [3, 2], { padding: 'same', dilations: [2, 1] }, dtype, random);
          const pixels = patches([2, 3, 3, 18], [1, 1], {}, dtype, random);
          // A negative scale takes rows out again.
          checkFactors([image, dense(20, 18, dtype, random), pixels], [0.5, -0.2, 1], homogeneous, 3, decay);
        }
      },
    );

    // In parts from 2e6 and 4e6 operations for each; the patches of an image are several panels.
    if (backend === 'cpu') {
      it('does many examples and many units in parts', () => {
        const random = new Random(5);
        for (const homogeneous of flags) {
          checkScores(dense(41 * 30, 60, dtype, random), 50, 41, homogeneous, 0.5);
          const image = patches([3, 30, 31, 4], [3, 3], { padding: 'same' }, dtype, random);
          checkScores(image, 30, 3, homogeneous, 0);
          checkFactors([dense(200, 40, dtype, random)], [0.1], homogeneous, 41, 0.9);
          checkFactors([image], [0.1], homogeneous, 3, 0);
        }
      });
    }
  });

  it.each([NaN, Infinity, -Infinity])(
    'leaves unit factors as they were where an input holds %d',
    (poison) => {
      const [rows, columns, count] = [30, 40, 50];
      const random = new Random(6);
      for (const spoilt of ['data', 'gradients'] as const) {
        for (const at of [0, 777, -1]) {
          const good = { data: random.normals(rows * columns), gradients: random.normals(rows * count) };
          const bad = { data: good.data.slice(), gradients: good.gradients.slice() };
          bad[spoilt][at < 0 ? bad[spoilt].length - 1 : at] = poison;
          const factors = random.normals(count * columns ** 2);
          const before = factors.slice();
          const job: Job = {
            op: 'unitFactors',
            inputs: [good, bad].map((input) => ({ ...input, rows, columns, scale: 1 })),
            homogeneous: false,
            decay: 0.5,
            factors,
            size: columns,
            count,
          };
          expect(run(job)).toMatchObject({ status: 'notFinite', converged: false });
          expect(factors).toEqual(before);
        }
      }
    },
  );
});
