import { truncatedTridiagonalStep } from '../../../src/curvature/tridiagonal/truncatedTridiagonal';
import { errorWithCode } from '../../errorWithCode';
import {
  fromRows,
  identity,
  inverse,
  jacobi,
  matrix,
  plus,
  scaled,
  times,
  transpose,
  type Matrix,
} from '../../support/dense';
import { randomInputs } from '../../support/denseNet';
import { relativeError } from '../../support/matrices';

const points = 4;

/** Jacobians of layers with 7, 8, 9 … weights at four points, and their kernels J J' / N. */
function layers(count: number): { jacobians: Matrix[]; kernels: Float64Array[] } {
  const jacobians = Array.from({ length: count }, (_, l) => {
    return fromRows(randomInputs(points, 7 + l, l + 1), points);
  });
  const kernels = jacobians.map((j) => Float64Array.from(scaled(times(j, transpose(j)), 1 / points).flat()));
  return { jacobians, kernels };
}

const ones = (count: number) => matrix(count, count, (i, j) => (Math.abs(i - j) <= 1 ? 1 : 0));

/** (1 / N) J d of the steps d_l = J_l' v_l / N: what the step changes the outputs by, per learning rate. */
function change(jacobians: Matrix[], v: Float64Array[]): number[] {
  return jacobians.reduce((sum, j, l) => {
    const own = times(j, transpose(j), [...v[l]].map((x) => [x])).flat(); // prettier-ignore
    return sum.map((x, i) => x + own[i] / points);
  }, Array<number>(points).fill(0));
}

describe('truncatedTridiagonalStep', () => {
  const residual = randomInputs(points, 1, 40);

  it.each([
    [3, 1],
    [4, 2],
    [6, 2],
    [7, 3],
  ])('of %i layers changes the outputs by %i times the residual', (count, alpha) => {
    // Oracle: K = (1' T^-1 1) I without damping, and 1' T^-1 1 = 1, 2, 2, 3 for these L (Karakida & Osawa 2020).
    const { jacobians, kernels } = layers(count);
    const v = truncatedTridiagonalStep(kernels, residual);
    expect(relativeError(change(jacobians, v), residual.map((x) => alpha * x))).toBeLessThan(1e-9); // prettier-ignore
    expect(Math.min(...jacobi(ones(count)).values)).toBeLessThan(0);
  });

  it('with damping is the step of the truncated Fisher matrix in the space of weights', () => {
    // Oracle: (F + rho I)^-1 J' r / N with F = J' J / N, its blocks more than one layer apart set to zero, by elimination.
    const damping = 0.3;
    const { jacobians, kernels } = layers(5);
    const v = truncatedTridiagonalStep(kernels, residual, damping);
    const layerOf = jacobians.flatMap((j, l) => j[0].map(() => l));
    const J = jacobians[0].map((_, n) => jacobians.flatMap((j) => j[n]));
    const F = scaled(times(transpose(J), J), 1 / points).map((row, i) =>
      row.map((x, j) => (Math.abs(layerOf[i] - layerOf[j]) <= 1 ? x : 0)),
    );
    const gradient = scaled(times(transpose(J), [...residual].map((x) => [x])), 1 / points); // prettier-ignore
    const expected = times(inverse(plus(F, identity(F.length), damping)), gradient).flat();
    const got = jacobians.flatMap((j, l) => {
      return scaled(times(transpose(j), [...v[l]].map((x) => [x])), 1 / points).flat(); // prettier-ignore
    });
    expect(relativeError(got, expected)).toBeLessThan(1e-9);
  });

  it.each([2, 5, 8])('refuses %i layers without damping, for which T is singular', (count) => {
    expect(Math.min(...jacobi(ones(count)).values.map(Math.abs))).toBeLessThan(1e-14);
    const { kernels } = layers(count);
    expect(() => truncatedTridiagonalStep(kernels, residual)).toThrow(
      errorWithCode('ERR_NATGRAD_NOT_POSITIVE_DEFINITE'),
    );
    expect(truncatedTridiagonalStep(kernels, residual, 0.1)).toHaveLength(count);
  });

  it('refuses kernels that are singular, or not of the size of the residual', () => {
    const { kernels } = layers(3);
    expect(() => truncatedTridiagonalStep([kernels[0], new Float64Array(16), kernels[2]], residual)).toThrow(
      errorWithCode('ERR_NATGRAD_NOT_POSITIVE_DEFINITE'),
    );
    expect(() => truncatedTridiagonalStep([kernels[0], new Float64Array(9)], residual)).toThrow(
      errorWithCode('ERR_NATGRAD_SHAPE'),
    );
  });
});
