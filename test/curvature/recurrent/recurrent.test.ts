import { RecurrentBlock } from '../../../src/curvature/recurrent/recurrent';
import type { CouplingName } from '../../../src/curvature/recurrent/recurrentSide';
import { structures } from '../../../src/curvature/structures';
import type { Kernels } from '../../../src/linalg/jobs';
import { kernels } from '../../../src/linalg/kernels';
import { feed, multiplyBy, precondition, refresh, type Batch } from '../../support/blocks';
import { randomInputs } from '../../support/denseNet';
import { plusDiagonal, relativeError, solve } from '../../support/matrices';

const [N, T, inputs, outputs] = [12, 5, 2, 3];

/** Rows of T steps, each of which remembers a part of the step before it, so that steps are correlated. */
function process(columns: number, seed: number): Float64Array[] {
  const steps: Float64Array[] = [];
  for (let t = 0; t < T; t++) {
    const fresh = randomInputs(N, columns, seed + t);
    steps.push(
      fresh.map(
        (value, i) => value + 0.5 * (t > 0 ? steps[t - 1][i - (i % columns) + ((i + 1) % columns)] : 0),
      ),
    );
  }
  return steps;
}

const a = process(inputs, 1);
const g = process(outputs, 11);

function batchOf(): Batch {
  return {
    examples: N,
    activations: a.map((data) => ({ data, rows: N, columns: inputs })),
    outputGradients: g.map((data) => ({ data, rows: N, columns: outputs })),
  };
}

function blockOf(coupling: CouplingName, bias: boolean): RecurrentBlock {
  const shapes = bias ? [[inputs, outputs], [outputs]] : [[inputs, outputs]];
  return new RecurrentBlock({
    shape: { names: ['kernel', 'bias'].slice(0, shapes.length), shapes },
    inputSize: inputs,
    outputSize: outputs,
    bias,
    coupling,
    precision: 'float64',
  });
}

/** A square matrix, row-major. */
type Matrix = Float64Array;

const sizeOf = (m: Matrix) => Math.round(Math.sqrt(m.length));

function times(left: Matrix, right: Matrix): Matrix {
  const n = sizeOf(left);
  return left.map((_, at) => {
    const [i, j] = [Math.floor(at / n), at % n];
    let sum = 0;
    for (let k = 0; k < n; k++) sum += left[i * n + k] * right[k * n + j];
    return sum;
  });
}

function transposed(m: Matrix): Matrix {
  const n = sizeOf(m);
  return m.map((_, at) => m[(at % n) * n + Math.floor(at / n)]);
}

function inverse(m: Matrix): Matrix {
  const n = sizeOf(m);
  const columns = Array.from({ length: n }, (_, j) =>
    solve(
      m,
      Float64Array.from({ length: n }, (__, i) => (i === j ? 1 : 0)),
    ),
  );
  return m.map((_, at) => columns[at % n][Math.floor(at / n)]);
}

function kronecker(left: Matrix, right: Matrix): Matrix {
  const [n, m] = [sizeOf(left), sizeOf(right)];
  return Float64Array.from({ length: (n * m) ** 2 }, (_, at) => {
    const [row, column] = [Math.floor(at / (n * m)), at % (n * m)];
    return left[Math.floor(row / m) * n + Math.floor(column / m)] * right[(row % m) * m + (column % m)];
  });
}

const combined = (x: Matrix, p: number, y: Matrix, q: number): Matrix =>
  x.map((value, i) => p * value + q * y[i]);

/** E[x_{t + lag} x_t'] of rows to which a 1 is appended if `homogeneous`. */
function moment(steps: Float64Array[], lag: number, homogeneous: boolean): Matrix {
  const columns = steps[0].length / N;
  const n = columns + (homogeneous ? 1 : 0);
  const result = new Float64Array(n * n);
  const at = (t: number, row: number, i: number) => (i === columns ? 1 : steps[t][row * columns + i]);
  for (let t = 0; t + lag < T; t++) {
    for (let row = 0; row < N; row++) {
      for (let k = 0; k < n * n; k++) {
        result[k] += (at(t + lag, row, Math.floor(k / n)) * at(t, row, k % n)) / (N * (T - lag));
      }
    }
  }
  return result;
}

const meanDiagonal = (m: Matrix) => {
  const n = sizeOf(m);
  return Array.from({ length: n }, (_, i) => m[i * n + i] / n).reduce((sum, value) => sum + value);
};

/** The covariances of the scores of all steps of the model, added up, by dense matrices; damped like the block. */
function dense(coupling: CouplingName, bias: boolean, lambda: number): Matrix {
  const sides = [moment(a, 0, bias), moment(g, 0, false)];
  const lagged = [moment(a, 1, bias), moment(g, 1, false)];
  const pi = Math.sqrt(meanDiagonal(sides[0]) / meanDiagonal(sides[1]));
  const root = Math.sqrt(lambda / T);
  const [A, G] = [plusDiagonal(sides[0], pi * root), plusDiagonal(sides[1], root / pi)];
  const V0 = kronecker(A, G);
  if (coupling === 'infinite') {
    // T sum_{d = -inf}^{inf} V_d = T ((I - P)^-1 V_0 + V_0 (I - P')^-1 - V_0), P = P_A (x) P_G.
    const P = kronecker(times(lagged[0], inverse(A)), times(lagged[1], inverse(G)));
    const S = times(
      inverse(
        plusDiagonal(
          P.map((value) => -value),
          1,
        ),
      ),
      V0,
    );
    return combined(combined(S, T, transposed(S), T), 1, V0, -T);
  }
  // sum over s and t of V_|s-t|, V_d = P^d V_0 with symmetrised lagged moments.
  const symmetric = lagged.map((m) => combined(m, 0.5, transposed(m), 0.5));
  const P = kronecker(times(symmetric[0], inverse(A)), times(symmetric[1], inverse(G)));
  const total = new Float64Array(V0.length);
  const V = [V0];
  for (let d = 1; d < T; d++) V.push(times(P, V[d - 1]));
  for (let s = 0; s < T; s++) {
    for (let t = 0; t < T; t++) V[Math.abs(s - t)].forEach((value, i) => (total[i] += value));
  }
  return total;
}

const joined = (arrays: ArrayLike<number>[]) => arrays.flatMap((array) => Array.from(array));

describe.each(['cpu', 'reference'] as const)('RecurrentBlock on the %s kernels', (backend) => {
  let kernel: Kernels;
  beforeAll(() => (kernel = kernels(backend)));

  describe.each([
    ['symmetric', false],
    ['symmetric', true],
    ['infinite', false],
    ['infinite', true],
  ] as const)('with %s transition, bias %s', (coupling, bias) => {
    const v = randomInputs(inputs + (bias ? 1 : 0), outputs, 30);
    const vector = () => (bias ? [v.slice(0, inputs * outputs), v.slice(inputs * outputs)] : [v.slice()]);

    it('solves with the sum of the covariances of all pairs of steps', () => {
      // Oracle: the dense matrix of Martens, Ba & Johnson 2018, and elimination.
      const block = blockOf(coupling, bias);
      feed(kernel, block, batchOf());
      expect(refresh(kernel, block, 0.3).failures).toBe(0);
      const expected = solve(dense(coupling, bias, 0.3), v);
      expect(relativeError(joined(precondition(kernel, block, vector())), expected)).toBeLessThan(1e-9);
    });

    // With a bias the input has a coordinate that is the same at all steps; with vanishing damping its sum over an endless sequence converges
    // only as the output gradients' does, which it does here.
    it('multiplies by that sum, without the damping', () => {
      const block = blockOf(coupling, bias);
      feed(kernel, block, batchOf());
      refresh(kernel, block, 1e-18);
      const matrix = dense(coupling, bias, 0);
      const n = v.length;
      const expected = v.map((_, i) => v.reduce((sum, value, j) => sum + matrix[i * n + j] * value, 0));
      expect(relativeError(joined(multiplyBy(kernel, block, vector())), expected)).toBeLessThan(1e-7);
      expect(relativeError(block.toDense(), matrix)).toBeLessThan(1e-7);
    });

    it('starts from I / lambda, and keeps what is installed when a refresh fails', () => {
      const block = blockOf(coupling, bias);
      feed(kernel, block, batchOf());
      block.state().A0.fill(NaN);
      expect(refresh(kernel, block, 0.5).failures).toBeGreaterThan(0);
      const plain = v.map((value) => value / 0.5);
      expect(relativeError(joined(precondition(kernel, block, vector())), plain)).toBeLessThan(1e-12);
      block.restart();
      feed(kernel, block, batchOf());
      expect(refresh(kernel, block, 0.5).failures).toBe(0);
      const good = precondition(kernel, block, vector());
      block.state().G0.fill(Infinity);
      expect(refresh(kernel, block, 0.5)).toMatchObject({ overflowed: true });
      expect(precondition(kernel, block, vector())).toEqual(good);
    });
  });

  it('is T A_0 (x) G_0 where no step has anything to do with the one before it', () => {
    // Oracle: martingale-like data whose lagged moment is exactly zero: the same rows at every step, with signs that cancel over examples.
    const signs = [
      [1, 1],
      [1, -1],
    ];
    const rows = [1, 2].map((scale) => Float64Array.of(scale, scale));
    const activations = signs.map((sign, t) => ({
      data: Float64Array.of(rows[t][0] * sign[0], rows[t][1] * sign[1]),
      rows: 2,
      columns: 1,
    }));
    const outputGradients = signs.map(() => ({ data: Float64Array.of(1, 1), rows: 2, columns: 1 }));
    const block = new RecurrentBlock({
      shape: { names: ['kernel'], shapes: [[1, 1]] },
      inputSize: 1,
      outputSize: 1,
      bias: false,
      coupling: 'symmetric',
      precision: 'float64',
    });
    feed(kernel, block, { examples: 2, activations, outputGradients });
    refresh(kernel, block, 1e-20);
    // A_0 = (1 + 1 + 4 + 4) / 4, G_0 = 1, T = 2.
    expect(relativeError(block.toDense(), [2 * 2.5])).toBeLessThan(1e-9);
  });
});

it('checks the option transition', () => {
  expect(() => structures.recurrent.options.transition('slow', 'curvature.transition')).toThrow(
    /curvature\.transition is slow; use 'independent' or 'symmetric' or 'infinite'/,
  );
});
