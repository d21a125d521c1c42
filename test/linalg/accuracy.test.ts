import { eigh, inverse, inverseRoot, type FloatArray, type RootMethod } from '../../src/linalg';
import {
  cast,
  difference,
  epsilon,
  families,
  frobenius,
  minusIdentity,
  oneNorm,
  poisoned,
  product,
  transpose,
  type Dtype,
} from './matrices';
import { Random } from './random';

// LAPACK's dimensionless ratios, with thresholds about twice to five times the largest value measured over the gallery.
const sizes = [1, 2, 3, 5, 8, 16, 17, 33, 64, 65, 129];

type Case = { name: string; n: number; matrix: FloatArray; input: FloatArray };

function gallery(dtype: Dtype): Case[] {
  const random = new Random(7);
  return Object.entries(families).flatMap(([name, make]) =>
    sizes.map((n) => {
      const matrix = cast(make(n, dtype, random), dtype);
      // Rounding may differ above and below; the lower triangle is the matrix.
      for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) matrix[j * n + i] = matrix[i * n + j];
      return { name: `${name}, n = ${n}`, n, matrix, input: poisoned(matrix, n) };
    }),
  );
}

function worst<C extends Case>(
  cases: C[],
  ratio: (each: C, index: number) => number,
): { ratio: number; name: string } {
  return cases
    .map((each, i) => ({ ratio: ratio(each, i), name: each.name }))
    .reduce((most, each) => (each.ratio <= most.ratio ? most : each), { ratio: 0, name: '' });
}

function asymmetry(x: FloatArray, n: number): number {
  let most = 0;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) if (!Object.is(x[i * n + j], x[j * n + i])) most++;
  }
  return most;
}

describe.each(['cpu', 'reference'] as const)('%s', (backend) => {
  describe.each(['float32', 'float64'] as const)('%s', (dtype) => {
    const cases = gallery(dtype);
    const eps = epsilon[dtype];

    it('inverts with a residual of a few roundings, |I - A X| <= 10 n |A| |X| eps', () => {
      const results = inverse(
        cases.map(({ input }) => input),
        { backend },
      );
      const found = worst(cases, ({ matrix, n }, i) => {
        const x = results[i];
        if (asymmetry(x, n) > 0) return Infinity;
        const residual = oneNorm(minusIdentity(product(matrix, x, n, n, n), n), n);
        return residual / (n * oneNorm(matrix, n) * oneNorm(x, n) * eps);
      });
      expect(found.ratio).toBeLessThanOrEqual(10);
    });

    it("finds eigenvectors with |A - V w V'| <= 20 n |A| eps and |V V' - I| <= 20 n eps, values ascending", () => {
      const results = eigh(
        cases.map(({ input }) => input),
        { backend },
      );
      const found = worst(cases, ({ matrix, n }, i) => {
        const { values, vectors } = results[i];
        if (values.some((value, k) => k > 0 && value < values[k - 1])) return Infinity;
        const scaled = Float64Array.from(vectors, (value, k) => value * values[k % n]);
        const rows = transpose(vectors, n, n);
        const residual = oneNorm(difference(product(scaled, rows, n, n, n), matrix), n);
        const defect = oneNorm(minusIdentity(product(vectors, rows, n, n, n), n), n);
        return Math.max(residual / oneNorm(matrix, n), defect) / (n * eps);
      });
      expect(found.ratio).toBeLessThanOrEqual(20);
    });

    // Truth: an eigendecomposition in float64 of the matrix as it was rounded, with the damping added to its eigenvalues. The damping is the
    // smallest eigenvalue, or enough to bring the condition number to 1e5 in float32, which is what the iterations are meant for.
    const damped = cases
      .filter(({ n }) => [1, 2, 5, 16, 33].includes(n) || (n === 65 && backend === 'cpu'))
      .map((each) => {
        const { values, vectors } = eigh(Float64Array.from(each.input), { backend: 'reference' });
        const { n } = each;
        const damping = Math.max(values[0], dtype === 'float32' ? 1e-5 * values[n - 1] : 0);
        const root = (p: number) =>
          product(
            Float64Array.from(vectors, (value, k) => value * (values[k % n] + damping) ** (-1 / p)),
            transpose(vectors, n, n),
            n,
            n,
            n,
          );
        return { ...each, damping, root, cond: (values[n - 1] + damping) / (values[0] + damping) };
      });

    const tolerance = dtype === 'float32' ? 1e-4 : 1e-10;
    it.each([
      ['auto', 2, 30],
      ['auto', 4, 30],
      ['eigen', 2, 30],
      ['eigen', 4, 30],
      ['denmanBeavers', 2, 30],
      ['denmanBeavers', 4, 30],
      ['contour', 2, 30],
      ['contour', 4, 30],
      ['newtonSchulz', 2, 30],
      ['newtonSchulzMinimax', 2, 30],
      // The second of two roots magnifies the error of the first; 83 is the largest that was measured.
      ['newtonSchulz', 4, 100],
      ['newtonSchulzMinimax', 4, 100],
      ['coupledNewton', 2, 30],
      ['coupledNewton', 4, 30],
    ] as [RootMethod, 2 | 4, number][])(
      'computes roots by %s, p = %i, within %i eps cond and the stopping tolerance of the iteration',
      (method, p, threshold) => {
        const found = worst(damped, ({ input, n, damping, root, cond }) => {
          const x = inverseRoot(input, { backend, method, p, damping });
          if (asymmetry(x, n) > 0) return Infinity;
          const exact = root(p);
          const error = frobenius(difference(x, exact)) / frobenius(exact);
          // The tolerance is of |I - X^p A| / sqrt(n), of which a single bad direction may take all.
          return Math.max(0, error - Math.sqrt(n) * tolerance) / (eps * cond);
        });
        expect(found.ratio).toBeLessThanOrEqual(threshold);
      },
    );

    it.each([
      'denmanBeavers',
      'newtonSchulz',
      'newtonSchulzMinimax',
      'coupledNewton',
      'contour',
    ] as RootMethod[])(
      'never calls a result of %s good that is not, where no damping bounds the eigenvalues',
      (method) => {
        const wrong = damped.flatMap(({ name, input, matrix, n }) => {
          const { value, reports } = inverseRoot(input, { backend, method, onFailure: 'report' });
          if (reports[0].status !== 'ok') return [];
          const rest = minusIdentity(product(product(value, value, n, n, n), matrix, n, n, n), n);
          return frobenius(rest) / Math.sqrt(n) <= 1e-2 ? [] : [name];
        });
        expect(wrong).toEqual([]);
      },
    );
  });
});

describe('the reference kernels', () => {
  it('find the eigenvalues 2 - 2 cos(k pi / (n + 1)) of the tridiagonal matrix (2, -1)', () => {
    const n = 20;
    const { values } = eigh(families['tridiagonal (2, -1)'](n, 'float64', new Random(1)), {
      backend: 'reference',
    });
    values.forEach((value, k) =>
      expect(value).toBeCloseTo(2 - 2 * Math.cos(((k + 1) * Math.PI) / (n + 1)), 13),
    );
  });

  it('invert [[2, 1], [1, 2]] to [[2, -1], [-1, 2]] / 3', () => {
    const x = inverse(new Float64Array([2, NaN, 1, 2]), { backend: 'reference' });
    [2, -1, -1, 2].forEach((value, i) => expect(x[i]).toBeCloseTo(value / 3, 15));
  });
});
