import * as tf from '@tensorflow/tfjs';
import {
  conv2dGeometry,
  inverse,
  kroneckerFactor,
  kroneckerMultiply,
  kroneckerSolve,
  NatgradError,
  solve,
  updateFactor,
  updateWeights,
  type FloatArray,
} from '../../src/linalg';
import { cast, difference, epsilon, families, frobenius, poisoned, product, transpose } from './matrices';
import { patchesOf } from './patches';
import { Random } from './random';

function lower(matrix: FloatArray, n: number): number[] {
  return Array.from(matrix).filter((_, k) => k % n <= Math.floor(k / n));
}

function codeOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    return error instanceof NatgradError ? error.code : String(error);
  }
  return 'no error';
}

type Geometry = [height: number, width: number, channels: number, kernel: [number, number], options: object];

const geometries: Geometry[] = [];
for (const padding of [
  'same',
  'valid',
  1,
  [
    [0, 0],
    [2, 1],
    [0, 3],
    [0, 0],
  ],
] as const) {
  for (const strides of [1, 2, [1, 3]] as const) {
    for (const dilations of [1, 2, [2, 1]] as const) {
      // tfjs takes the vertical stride for both directions where the padding is a number.
      if (padding === 1 && Array.isArray(strides)) continue;
      geometries.push([7, 9, 2, [3, 3], { padding, strides, dilations }]);
      geometries.push([8, 6, 1, [1, 1], { padding, strides, dilations }]);
      if (padding !== 1) geometries.push([8, 6, 3, [2, 3], { padding, strides, dilations }]);
    }
  }
}

describe('conv2dGeometry', () => {
  it.each(geometries)(
    'is that of tfjs for %i x %i x %i, kernel %j, %j',
    (height, width, channels, kernel, options) => {
      const { padding, strides, dilations } = options as {
        padding: 'same' | 'valid' | number;
        strides: number | [number, number];
        dilations: number | [number, number];
      };
      const ours = conv2dGeometry([5, height, width, channels], kernel, options);
      const theirs = tf.backend_util.computeConv2DInfo(
        [5, height, width, channels],
        [...kernel, channels, 4],
        strides,
        dilations,
        padding,
      );
      expect(ours).toMatchObject({
        batch: 5,
        outHeight: theirs.outHeight,
        outWidth: theirs.outWidth,
        padTop: theirs.padInfo.top,
        padLeft: theirs.padInfo.left,
        strideHeight: theirs.strideHeight,
        strideWidth: theirs.strideWidth,
        dilationHeight: theirs.dilationHeight,
        dilationWidth: theirs.dilationWidth,
      });
    },
  );

  it('refuses a kernel that does not fit and sizes that are no positive integers', () => {
    expect(codeOf(() => conv2dGeometry([1, 2, 2, 1], [3, 3]))).toBe('ERR_NATGRAD_SHAPE');
    expect(codeOf(() => conv2dGeometry([1, 2, 2, 0], [1, 1]))).toBe('ERR_NATGRAD_ARGUMENT');
    expect(codeOf(() => conv2dGeometry([1, 4, 4, 1], [2, 2], { strides: 0 }))).toBe('ERR_NATGRAD_ARGUMENT');
    expect(codeOf(() => conv2dGeometry([1, 4, 4, 1], [2, 2], { padding: -1 }))).toBe('ERR_NATGRAD_ARGUMENT');
  });
});

describe.each(['cpu', 'reference'] as const)('%s', (backend) => {
  describe.each(['float32', 'float64'] as const)('%s', (dtype) => {
    const eps = epsilon[dtype];

    it.each(geometries)(
      'takes the second moment of patches as of explicit rows: %i x %i x %i, kernel %j, %j',
      (height, width, channels, kernel, options) => {
        const geometry = conv2dGeometry([3, height, width, channels], kernel, options);
        const data = cast(new Random(5).normals(3 * height * width * channels), dtype);
        const { rows, count, columns } = patchesOf(data, geometry);
        const n = columns + 1;
        const homogeneous = Float64Array.from({ length: count * n }, (_, k) =>
          k % n === columns ? 1 : rows[Math.floor(k / n) * columns + (k % n)],
        );
        const exact = product(transpose(homogeneous, count, n), homogeneous, n, count, n);
        const absolute = homogeneous.map(Math.abs);
        const bound = product(transpose(absolute, count, n), absolute, n, count, n);
        const factor = kroneckerFactor({ data, geometry }, { homogeneous: true, scale: 1, backend });
        // |computed - exact| <= (rows + 3) eps |X|'|X|, elementwise.
        factor.forEach((value, k) => {
          if (k % n > Math.floor(k / n)) expect(value).toBe(0);
          else expect(Math.abs(value - exact[k])).toBeLessThanOrEqual((count + 3) * eps * bound[k]);
        });
      },
    );

    it('leaves what lies above the diagonal of a factor alone, and averages with the decay', () => {
      const factor = cast(Float64Array.from([8, NaN, 8, 8]), dtype);
      updateFactor(
        factor,
        { data: cast(Float64Array.from([1, 2, 3, 4]), dtype), columns: 2 },
        { decay: 0.5, backend },
      );
      // 0.5 * 8 + 0.5 * [[5, .], [7, 10]]
      expect(Array.from(factor)).toEqual([6.5, NaN, 7.5, 9]);
    });

    it('makes one factor for each input of a batch, of its own size', () => {
      const data = cast(Float64Array.from([1, 2, 3, 4]), dtype);
      const factors = kroneckerFactor(
        [
          { data, columns: 2 },
          { data, columns: 1 },
          { data, columns: 4 },
        ],
        { scale: 1, backend },
      );
      expect(factors.map((factor) => factor.length)).toEqual([4, 1, 16]);
      expect(factors[1][0]).toBe(30);
      expect(lower(factors[2], 4)).toEqual([1, 2, 4, 3, 6, 9, 4, 8, 12, 16]);
    });

    it('leaves a factor as it was and says so where an input is not finite', () => {
      const factor = cast(Float64Array.from([1, 2, 3, 4]), dtype);
      const data = cast(Float64Array.from([1, NaN]), dtype);
      expect(codeOf(() => updateFactor(factor, { data, columns: 2 }, { backend }))).toBe(
        'ERR_NATGRAD_NOT_FINITE',
      );
      expect(Array.from(factor)).toEqual([1, 2, 3, 4]);
    });

    it('multiplies left V right in every form of the matrices, within (m + n) eps |L| |V| |R|', () => {
      const random = new Random(9);
      for (const [m, n] of [
        [1, 1],
        [3, 5],
        [40, 7],
        [70, 90],
      ]) {
        const v = cast(random.normals(m * n), dtype);
        for (const leftForm of ['full', 'lower', 'diagonal'] as const) {
          for (const rightForm of ['full', 'lower', 'diagonal'] as const) {
            const side = (size: number, form: string) => {
              const full = cast(families['condition 2'](size, dtype, random), dtype);
              for (let i = 0; i < size; i++)
                for (let j = 0; j < i; j++) full[j * size + i] = full[i * size + j];
              const diagonal = full.filter((_, k) => k % (size + 1) === 0);
              const matrix = form === 'full' ? full : form === 'lower' ? poisoned(full, size) : diagonal;
              const kept =
                form === 'diagonal' ? full.map((value, k) => (k % (size + 1) === 0 ? value : 0)) : full;
              return { matrix, kept };
            };
            const left = side(m, leftForm);
            const right = side(n, rightForm);
            const result = kroneckerMultiply(left.matrix, v, right.matrix, { leftForm, rightForm, backend });
            const exact = product(product(left.kept, v, m, m, n), right.kept, m, n, n);
            const bound = product(
              product(left.kept.map(Math.abs), v.map(Math.abs), m, m, n),
              right.kept.map(Math.abs),
              m,
              n,
              n,
            );
            const worst = exact.reduce(
              (most, value, i) => Math.max(most, Math.abs(value - result[i]) / bound[i]),
              0,
            );
            expect(worst).toBeLessThanOrEqual((m + n + 2) * eps);
          }
        }
      }
    });

    it('solves systems with a residual of a few roundings times the condition number', () => {
      const random = new Random(2);
      for (const [n, k] of [
        [1, 1],
        [9, 1],
        [20, 3],
      ]) {
        const matrix = cast(families['ReLU features with a bias'](n, dtype, random), dtype);
        for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) matrix[j * n + i] = matrix[i * n + j];
        const b = cast(random.normals(n * k), dtype);
        const x = solve(poisoned(matrix, n), b, { backend });
        const inverseNorm = frobenius(inverse(Float64Array.from(matrix), { backend: 'reference' }));
        const cond = frobenius(matrix) * inverseNorm;
        const residual = frobenius(difference(product(matrix, x, n, n, k), b));
        expect(residual).toBeLessThanOrEqual(10 * eps * cond * frobenius(b));
      }
    });

    it('splits the damping of a Kronecker pair by the mean traces', () => {
      // A = 4, G = 1, damping 0.25: pi = 2, so (4 + 1)^-1 * 10 * (1 + 0.25)^-1 = 1.6.
      const one = (value: number) => cast(Float64Array.of(value), dtype);
      const direction = kroneckerSolve(one(4), one(10), one(1), { damping: 0.25, backend });
      expect(Math.abs(direction[0] - 1.6)).toBeLessThanOrEqual(8 * eps);
    });

    it('updates weights with momentum and decay: v <- 0.5 v - 2 d, w <- 0.25 w + v', () => {
      const weights = cast(Float64Array.of(8, 16), dtype);
      const velocity = cast(Float64Array.of(2, 4), dtype);
      const direction = cast(Float64Array.of(1, -1), dtype);
      updateWeights(weights, direction, { step: -2, velocity, momentum: 0.5, shrink: 0.25, backend });
      expect([Array.from(velocity), Array.from(weights)]).toEqual([
        [-1, 4],
        [1, 8],
      ]);
      updateWeights(weights, direction, { step: 1, backend });
      expect(Array.from(weights)).toEqual([2, 7]);
    });
  });

  it('returns reports instead of throwing when asked to, and overlapped results', async () => {
    const good = new Float64Array([4, 0, 0, 4]);
    const bad = new Float64Array([1, 0, 2, 1]);
    expect(codeOf(() => inverse([good, bad], { backend }))).toBe('ERR_NATGRAD_NOT_POSITIVE_DEFINITE');
    expect(() => inverse([good, bad], { backend })).toThrow('matrix 1');
    const { value, reports } = inverse([good, bad], { backend, onFailure: 'report' });
    expect(reports.map(({ status }) => status)).toEqual(['ok', 'notPositiveDefinite']);
    expect(Array.from(value[0])).toEqual([0.25, 0, 0, 0.25]);
    const pending = inverse(good, { backend, overlapped: true });
    expect(Array.from(pending.wait())).toEqual([0.25, 0, 0, 0.25]);
    expect(Array.from(await inverse(good, { backend, overlapped: true }).promise())).toEqual([
      0.25, 0, 0, 0.25,
    ]);
    await expect(inverse(bad, { backend, overlapped: true }).promise()).rejects.toMatchObject({
      code: 'ERR_NATGRAD_NOT_POSITIVE_DEFINITE',
    });
  });

  it('inverts stacks, alone and in an array', () => {
    const stack = new Float64Array([16, 0, 0, 16, 4, 0, 0, 4]);
    const expected = [1 / 16, 0, 0, 1 / 16, 0.25, 0, 0, 0.25];
    expect(Array.from(inverse(stack, { backend, size: 2 }))).toEqual(expected);
    const [ones, none] = inverse([stack.subarray(4, 5), new Float64Array(0)], { backend, size: 1 });
    expect([Array.from(ones), none.length]).toEqual([[0.25], 0]);

    stack[4] = NaN;
    expect(() => inverse(stack, { backend, size: 2 })).toThrow(
      'inverse: a matrix of the stack or its input holds a NaN',
    );
    expect(() => inverse([stack, stack], { backend, size: 2 })).toThrow('a matrix of stack 0');
    const { value, reports } = inverse(stack, { backend, size: 2, onFailure: 'report' });
    expect(Array.from(value)).toEqual([1 / 16, 0, 0, 1 / 16, 0, 0, 0, 0]);
    expect(reports.map(({ status }) => status)).toEqual(['notFinite']);

    const sizes = [3, 0, 1.5, NaN];
    expect(sizes.map((size) => codeOf(() => inverse(stack, { backend, size })))).toEqual([
      'ERR_NATGRAD_SHAPE',
      'ERR_NATGRAD_ARGUMENT',
      'ERR_NATGRAD_ARGUMENT',
      'ERR_NATGRAD_ARGUMENT',
    ]);
  });

  it('does not pass off the inverse with a larger damping as what was asked for', () => {
    const matrix = new Float64Array([1, 0, 0, -0.05]);
    expect(codeOf(() => inverse(matrix, { damping: 0.01, backend }))).toBe(
      'ERR_NATGRAD_NOT_POSITIVE_DEFINITE',
    );
    const { reports } = inverse(matrix, { damping: 0.01, backend, onFailure: 'report' });
    expect(reports[0].damping).toBeCloseTo(0.1, 12);
  });

  it('writes to out where it is given, and refuses what does not fit', () => {
    const matrix = new Float32Array([4]);
    const out = new Float32Array(1);
    expect(inverse(matrix, { out, backend })).toBe(out);
    expect(out[0]).toBe(0.25);
    expect(codeOf(() => inverse(matrix, { out: new Float32Array(2), backend }))).toBe('ERR_NATGRAD_SHAPE');
    expect(codeOf(() => inverse(matrix, { out: matrix, backend }))).toBe('ERR_NATGRAD_BUFFER');
    expect(codeOf(() => inverse(new Float32Array(3), { backend }))).toBe('ERR_NATGRAD_SHAPE');
    expect(codeOf(() => inverse([1] as unknown as Float32Array, { backend }))).toBe('ERR_NATGRAD_TYPE');
    expect(codeOf(() => solve(matrix, [out, out] as Float32Array[], { backend }))).toBe('ERR_NATGRAD_SHAPE');
  });
});
