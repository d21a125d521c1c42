import { dot } from '../../src/step/conjugateGradients';
import { minimiseModel, modelChange, type QuadraticModel } from '../../src/step/quadraticModel';
import { noise } from '../support/denseNet';
import { relativeError, solve } from '../support/matrices';

const N = 6;

/** A symmetric positive-definite matrix with eigenvalues from about 0.1 to a few. */
function matrix(seed: number): Float64Array {
  const next = noise(seed);
  const root = Float64Array.from({ length: N * N }, next);
  return Float64Array.from({ length: N * N }, (_, at) => {
    const [i, j] = [Math.floor(at / N), at % N];
    let sum = i === j ? 0.1 : 0;
    for (let k = 0; k < N; k++) sum += root[i * N + k] * root[j * N + k];
    return sum;
  });
}

const vector = (seed: number) => Float64Array.from({ length: N }, noise(seed));

const times = (a: Float64Array, x: Float64Array) =>
  x.map((_, i) => x.reduce((sum, value, j) => sum + a[i * N + j] * value, 0));

const inner = (x: Float64Array, y: Float64Array) => dot([x], [y]);

function model(c: Float64Array, gradient: Float64Array, d: Float64Array, v: Float64Array): QuadraticModel {
  return {
    curvature: {
      proposal: inner(d, times(c, d)),
      mixed: inner(d, times(c, v)),
      previous: inner(v, times(c, v)),
    },
    slope: { proposal: inner(gradient, d), previous: inner(gradient, v) },
  };
}

test('with the gradient as proposal the iterates on a quadratic are those of conjugate gradients', () => {
  // The textbook recurrence for A x = b (Hestenes & Stiefel 1952), against steps alpha D + mu v with D = b - A x.
  const [a, b] = [matrix(1), vector(2)];
  const x = new Float64Array(N);
  const v = new Float64Array(N);
  const conjugate = { x: new Float64Array(N), r: b.slice(), p: b.slice() };
  for (let step = 0; step < N; step++) {
    const gradient = times(a, x).map((value, i) => value - b[i]);
    const d = gradient.map((value) => -value);
    const { learningRate, momentum } = minimiseModel(model(a, gradient, d, v));
    for (let i = 0; i < N; i++) {
      v[i] = learningRate * d[i] + momentum * v[i];
      x[i] += v[i];
    }

    const product = times(a, conjugate.p);
    const square = inner(conjugate.r, conjugate.r);
    const length = square / inner(conjugate.p, product);
    for (let i = 0; i < N; i++) {
      conjugate.x[i] += length * conjugate.p[i];
      conjugate.r[i] -= length * product[i];
    }
    const share = inner(conjugate.r, conjugate.r) / square;
    conjugate.p = conjugate.p.map((value, i) => conjugate.r[i] + share * value);
    expect(relativeError(x, conjugate.x)).toBeLessThan(1e-9);
  }
  expect(relativeError(x, solve(a, b))).toBeLessThan(1e-9);
});

describe('the minimiser', () => {
  const [c, gradient, d, v] = [matrix(3), vector(4), vector(5), vector(6)];
  const m = model(c, gradient, d, v);

  /** M along the whole step, from the definition. */
  const change = (alpha: number, mu: number) => {
    const delta = d.map((value, i) => alpha * value + mu * v[i]);
    return inner(delta, times(c, delta)) / 2 + inner(gradient, delta);
  };

  test('the change of the model is that of its definition', () => {
    expect(modelChange(m, { learningRate: 0.7, momentum: -0.3 })).toBeCloseTo(change(0.7, -0.3), 12);
  });

  test.each([
    ['both', {}],
    ['the learning rate, with the momentum given', { momentum: 0.4 }],
    ['the momentum, with the learning rate given', { learningRate: 0.2 }],
  ])('chooses %s: no change of what is free lowers the model', (_, fixed) => {
    const best = minimiseModel(m, fixed);
    expect(best).toMatchObject(fixed);
    const at = change(best.learningRate, best.momentum);
    for (const step of [1e-4, -1e-4]) {
      if (!('learningRate' in fixed)) {
        expect(change(best.learningRate + step, best.momentum)).toBeGreaterThan(at);
      }
      if (!('momentum' in fixed)) expect(change(best.learningRate, best.momentum + step)).toBeGreaterThan(at);
    }
  });

  test('with both given it leaves them', () => {
    expect(minimiseModel(m, { learningRate: 0.1, momentum: 0.9 })).toEqual({
      learningRate: 0.1,
      momentum: 0.9,
    });
  });

  test('without a previous step, or with one along the proposal, it minimises along the proposal', () => {
    const alone = -inner(gradient, d) / inner(d, times(c, d));
    for (const previous of [new Float64Array(N), d.map((value) => -2 * value)]) {
      const { learningRate, momentum } = minimiseModel(model(c, gradient, d, previous));
      expect(learningRate).toBeCloseTo(alone, 12);
      expect(momentum).toBe(0);
    }
  });

  test('where the model does not curve it takes no step', () => {
    const flat = { curvature: { proposal: 0, mixed: 0, previous: 0 }, slope: { proposal: -1, previous: 0 } };
    expect(minimiseModel(flat)).toEqual({ learningRate: 0, momentum: 0 });
    expect(minimiseModel(flat, { learningRate: 0.1 })).toEqual({ learningRate: 0.1, momentum: 0 });
  });
});
