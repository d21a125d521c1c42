import { conjugateGradients, dot } from '../../src/step/conjugateGradients';
import { backtrack, boundaryStep, requireTrustRegion } from '../../src/step/trustRegion';
import { errorWithCode } from '../errorWithCode';
import { noise } from '../support/denseNet';
import { plusDiagonal, relativeError, solve } from '../support/matrices';

const N = 8;

const next = noise(1);
const root = Float64Array.from({ length: N * N }, next);
/** Symmetric and positive definite. */
const fisher = plusDiagonal(
  Float64Array.from({ length: N * N }, (_, at) => {
    let sum = 0;
    for (let k = 0; k < N; k++) sum += root[Math.floor(at / N) * N + k] * root[(at % N) * N + k];
    return sum;
  }),
  0.2,
);
const gradient = Float64Array.from({ length: N }, noise(2));

/** As vectors of two pieces. */
const split = (x: ArrayLike<number>) => [
  Float64Array.from(x).subarray(0, 3),
  Float64Array.from(x).subarray(3),
];
const join = (pieces: readonly ArrayLike<number>[]) =>
  Float64Array.from(pieces.flatMap((piece) => Array.from(piece)));
const multiply = (pieces: readonly ArrayLike<number>[]) => {
  const x = join(pieces);
  return split(x.map((_, i) => x.reduce((sum, value, j) => sum + fisher[i * N + j] * value, 0)));
};

describe('conjugate gradients', () => {
  test('n steps solve a system of n equations', () => {
    const { solution, residual, iterations } = conjugateGradients(multiply, split(gradient), {
      iterations: N,
    });
    expect(relativeError(join(solution), solve(fisher, gradient))).toBeLessThan(1e-9);
    expect(iterations).toBe(N);
    expect(residual).toBeLessThan(1e-9);
  });

  test('fewer steps minimise over the Krylov space: the residual is orthogonal to it', () => {
    const { solution, residual } = conjugateGradients(multiply, split(gradient), { iterations: 3 });
    const product = join(multiply(solution));
    const left = gradient.map((value, i) => value - product[i]);
    let krylov = split(gradient);
    for (let k = 0; k < 3; k++) {
      expect(Math.abs(dot(krylov, split(left)))).toBeLessThan(1e-9);
      krylov = multiply(krylov);
    }
    expect(residual).toBeCloseTo(Math.hypot(...left) / Math.hypot(...gradient), 9);
  });

  test('it stops at the tolerance, at a zero right side, and where the matrix does not curve', () => {
    expect(
      conjugateGradients(multiply, split(gradient), { iterations: 99, tolerance: 0.3 }).iterations,
    ).toBeLessThan(N);
    const zero = split(new Float64Array(N));
    expect(conjugateGradients(multiply, zero, { iterations: 5 })).toMatchObject({
      solution: zero,
      iterations: 0,
      residual: 0,
    });
    const flat = conjugateGradients((p) => p.map((piece) => piece.map(() => 0)), split(gradient), {
      iterations: 5,
    });
    expect(flat).toMatchObject({ solution: zero, iterations: 1, residual: 1 });
  });
});

describe('the step to the boundary of the trust region', () => {
  test("1/2 d'F d is the bound, and d points against the natural gradient", () => {
    const { step } = boundaryStep(multiply, split(gradient), { maxKl: 0.01, iterations: N, damping: 0 });
    expect(dot(step, multiply(step)) / 2 / 0.01).toBeCloseTo(1, 6);
    const natural = split(solve(fisher, gradient));
    const cosine = dot(step, natural) / Math.sqrt(dot(step, step) * dot(natural, natural));
    expect(cosine).toBeCloseTo(-1, 9);
  });

  test('damping changes the direction but not the length in the geometry of F', () => {
    const { step, solution } = boundaryStep(multiply, split(gradient), {
      maxKl: 0.05,
      iterations: N,
      damping: 0.7,
    });
    expect(dot(step, multiply(step)) / 2 / 0.05).toBeCloseTo(1, 6);
    expect(relativeError(join(solution.solution), solve(plusDiagonal(fisher, 0.7), gradient))).toBeLessThan(
      1e-9,
    );
  });

  test('without a gradient there is no step', () => {
    const zero = split(new Float64Array(N));
    const { step } = boundaryStep(multiply, zero, { maxKl: 0.01, iterations: 3, damping: 0.1 });
    expect(join(step).every((value) => value === 0)).toBe(true);
  });
});

describe('backtracking', () => {
  const limits = { maxKl: 0.01, backtracks: 5 };

  test('takes the longest step whose divergence and loss are good', () => {
    const tried: number[] = [];
    const measure = (fraction: number) => {
      tried.push(fraction);
      return { kl: 0.012 * fraction ** 2, loss: fraction > 0.7 ? 2 : 0.9 };
    };
    const { fraction, kl } = backtrack(measure, 1, limits);
    expect(fraction).toBeCloseTo(0.64, 12);
    expect(kl).toBeCloseTo(0.012 * 0.64 ** 2, 12);
    expect(tried).toHaveLength(3);
  });

  test('takes none where all are bad, or not numbers', () => {
    const measure = jest.fn(() => ({ kl: NaN, loss: NaN }));
    expect(backtrack(measure, 1, limits)).toEqual({ fraction: 0, kl: 0 });
    expect(measure).toHaveBeenCalledTimes(5);
  });
});

test('the option fills in its defaults and refuses what it does not take', () => {
  expect(requireTrustRegion(null)).toBeNull();
  expect(requireTrustRegion({ maxKl: 0.02 })).toEqual({
    maxKl: 0.02,
    iterations: 10,
    backtracks: 10,
    damping: 0.1,
  });
  for (const bad of [{ maxKl: 0 }, { iterations: 0 }, { backtracks: 1.5 }, { damping: -1 }, { radius: 1 }]) {
    expect(() => requireTrustRegion(bad)).toThrow(errorWithCode('ERR_NATGRAD_ARGUMENT'));
  }
  expect(() => requireTrustRegion(0.01 as never)).toThrow(errorWithCode('ERR_NATGRAD_TYPE'));
});
