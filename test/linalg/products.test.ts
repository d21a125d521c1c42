import { kernels, type FloatArray, type Job, type KroneckerJob, type ProductJob } from '../../src/linalg';
import { cast, epsilon, product, transpose, type Dtype } from './matrices';
import { Random } from './random';

// Global names are slow to look up in the loops of a test.
const { abs, max } = Math;

/** `rows` by `columns`, as a job wants it held: the transpose of it, if `transposed`. */
function held(
  matrix: FloatArray,
  rows: number,
  columns: number,
  transposed: boolean,
  dtype: Dtype,
): FloatArray {
  return cast(transposed ? transpose(matrix, rows, columns) : Float64Array.from(matrix), dtype);
}

const flags = [false, true];

describe.each(['cpu', 'reference'] as const)('%s', (backend) => {
  const run = (job: Job) => kernels(backend).run([[job]])[0][0];

  describe.each(['float32', 'float64'] as const)('%s', (dtype) => {
    const eps = epsilon[dtype];
    const numbers = (length: number, random: Random) =>
      Float64Array.from(cast(random.normals(length), dtype));

    // The bound of a sum of k products in any order, |error| <= (k + 3) eps |scale| |left| |right| + |keep| |out|, element by element.
    const checkProduct = (
      [rows, inner, columns, count]: readonly number[],
      [transposeLeft, transposeRight]: boolean[],
      [scale, keep]: number[],
      random: Random,
    ) => {
      const lefts = Array.from({ length: count }, () => numbers(rows * inner, random));
      const rights = Array.from({ length: count }, () => numbers(inner * columns, random));
      const before = numbers(count * rows * columns, random);
      const stack = (matrices: Float64Array[], height: number, width: number, transposed: boolean) => {
        const all = new Float64Array(count * height * width);
        matrices.forEach((matrix, k) =>
          all.set(transposed ? transpose(matrix, height, width) : matrix, k * matrix.length),
        );
        return cast(all, dtype);
      };
      const job: ProductJob = {
        op: 'product',
        left: stack(lefts, rows, inner, transposeLeft),
        right: stack(rights, inner, columns, transposeRight),
        rows,
        inner,
        columns,
        transposeLeft,
        transposeRight,
        count,
        scale,
        keep,
        // What is not kept must not be read.
        out: cast(keep === 0 ? before.map(() => NaN) : before, dtype),
      };
      expect(run(job)).toMatchObject({ status: 'ok', dot: 0 });
      if (count === 1) {
        // The last row apart: what is added up is the same, in another order at most.
        const parts = cast(keep === 0 ? before.map(() => NaN) : before, dtype);
        const last = (rows - 1) * columns;
        const apart = { ...job, out: parts.subarray(0, last), outLast: parts.subarray(last) };
        expect(run(apart)).toMatchObject({ status: 'ok' });
        expectProduct(parts);
      }
      expectProduct(job.out);

      function expectProduct(out: FloatArray): void {
        let worst = 0;
        for (let k = 0; k < count; k++) {
          const exact = product(lefts[k], rights[k], rows, inner, columns);
          const magnitude = product(lefts[k].map(abs), rights[k].map(abs), rows, inner, columns);
          for (let i = 0; i < exact.length; i++) {
            const at = k * exact.length + i;
            const error = abs(out[at] - (scale * exact[i] + keep * before[at]));
            const bound = abs(scale) * magnitude[i] + abs(keep * before[at]);
            // A sum over nothing has no error at all.
            worst = max(worst, error === 0 ? 0 : error / bound);
            if (error !== error) worst = Infinity;
          }
        }
        expect(worst).toBeLessThanOrEqual((inner + 3) * eps);
      }
    };

    it('multiplies matrices and stacks of them, transposed or not, and keeps what it is told to', () => {
      const random = new Random(1);
      const sizes = [
        [1, 1, 1, 1],
        [3, 4, 5, 1],
        [5, 7, 1, 1],
        [1, 7, 5, 1],
        [1, 300, 1, 1],
        [4, 0, 3, 2],
        [2, 3, 2, 40],
        [17, 33, 16, 3],
        // Tiles of few rows, with panels of columns that end within a register, and more terms than are packed at a time.
        [2, 193, 47, 1],
        [7, 200, 49, 1],
        [9, 20, 97, 1],
      ];
      for (const size of sizes) {
        for (const left of flags) {
          for (const right of flags) {
            for (const weights of [
              [1, 0],
              [-0.5, 1],
              [2, 0.25],
            ]) {
              checkProduct(size, [left, right], weights, random);
            }
          }
        }
      }
    });

    // On both sides of the sizes from which a product is done in parts: 1e7 operations for each and 64 rows or columns.
    if (backend === 'cpu') {
      it('multiplies large matrices in parts, by rows, by columns and by matrices', () => {
        const random = new Random(2);
        for (const [size, left, right] of [
          [[127, 300, 130, 1], false, true],
          [[400, 150, 170, 1], false, false],
          [[400, 150, 170, 1], true, true],
          [[170, 150, 403, 1], false, true],
          [[170, 150, 403, 1], true, false],
          [[60, 1700, 50, 1], true, false],
          [[60, 60, 60, 47], true, true],
        ] as const) {
          checkProduct(size, [left, right], [1, left ? 0 : 0.5], random);
        }
      });
    }

    it('multiplies by the transposes of full Kronecker factors', () => {
      const random = new Random(3);
      for (const [m, n] of [
        [1, 1],
        [3, 5],
        [40, 7],
        // In parts: 2e7 operations for each and 192 rows.
        ...(backend === 'cpu' ? [[400, 150]] : []),
      ]) {
        const [left, right, v] = [m * m, n * n, m * n].map((length) => numbers(length, random));
        const exact = product(product(left, v, m, m, n), right, m, n, n);
        const bound = product(product(left.map(abs), v.map(abs), m, m, n), right.map(abs), m, n, n);
        for (const leftTransposed of flags) {
          for (const rightTransposed of flags) {
            for (const apart of flags) {
              const out = cast(new Float64Array(m * n), dtype);
              const input = cast(v, dtype);
              const split = (m - 1) * n;
              const job: KroneckerJob = {
                op: 'kronecker',
                left: held(left, m, m, leftTransposed, dtype),
                leftSize: m,
                leftForm: 'full',
                leftTransposed,
                right: held(right, n, n, rightTransposed, dtype),
                rightSize: n,
                rightForm: 'full',
                rightTransposed,
                input: apart ? input.subarray(0, split) : input,
                inputLast: apart ? input.subarray(split) : undefined,
                out: apart ? out.subarray(0, split) : out,
                outLast: apart ? out.subarray(split) : undefined,
              };
              const { status, dot } = run(job);
              expect(status).toBe('ok');
              const worst = exact.reduce((most, x, i) => max(most, abs(x - out[i]) / bound[i]), 0);
              expect(worst).toBeLessThanOrEqual((m + n + 2) * eps);
              // Of what was stored, in float64.
              const expected = v.reduce((sum, x, i) => sum + x * out[i], 0);
              const size = v.reduce((sum, x, i) => sum + abs(x * out[i]), 0);
              expect(abs(dot - expected)).toBeLessThanOrEqual(
                (m * n + 2) * (2 * epsilon.float64 + eps) * size,
              );
            }
          }
        }
      }
    });

    it.each(['multiply', 'divide'] as const)(
      'passes over two vectors to %s, also in place, at every length',
      (how) => {
        const random = new Random(4);
        for (const n of [0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 64, 65, 1000]) {
          const left = numbers(n, random);
          const right = numbers(n, random).map(abs);
          const offset = 0.5;
          const exact = left.map((x, i) =>
            how === 'multiply' ? x * (right[i] + offset) : x / (right[i] + offset),
          );
          const operands = () => ({ left: cast(left, dtype), right: cast(right, dtype) });
          for (const place of ['apart', 'left', 'right'] as const) {
            const given = operands();
            const out = place === 'apart' ? cast(new Float64Array(n), dtype) : given[place];
            const { status, dot } = run({ op: 'elementwise', how, ...given, offset, out });
            expect(status).toBe('ok');
            // One rounding of the sum and one of the result.
            exact.forEach((x, i) => expect(abs(out[i] - x)).toBeLessThanOrEqual(2.1 * eps * abs(x)));
            const expected = exact.reduce((sum, x, i) => sum + x * left[i], 0);
            const size = exact.reduce((sum, x, i) => sum + abs(x * left[i]), 0);
            expect(abs(dot - expected)).toBeLessThanOrEqual((2.1 * eps + (n + 2) * epsilon.float64) * size);
          }
          const given = operands();
          const { dot } = run({ op: 'dot', ...given });
          const expected = left.reduce((sum, x, i) => sum + x * right[i], 0);
          const size = left.reduce((sum, x, i) => sum + abs(x * right[i]), 0);
          expect(abs(dot - expected)).toBeLessThanOrEqual((n + 2) * epsilon.float64 * size);
        }
      },
    );
  });

  it('takes one vector for all three operands: x (x + 2) = 15 for x = 3, with the inner product 45', () => {
    const x = new Float32Array(20).fill(3);
    const { dot } = run({ op: 'elementwise', how: 'multiply', left: x, right: x, offset: 2, out: x });
    expect(Array.from(x)).toEqual(Array(20).fill(15));
    expect(dot).toBe(20 * 45);
  });

  it('sums the inner product of float32 vectors in float64', () => {
    // Ten thousand times 1 after 1e8: in float32 each 1 would be lost.
    const x = new Float32Array(10001).fill(1);
    x[0] = 1e4;
    expect(run({ op: 'dot', left: x, right: x }).dot).toBe(1e8 + 1e4);
  });
});
