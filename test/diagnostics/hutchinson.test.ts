import { hutchinson } from '../../src/diagnostics';
import { matrix, type Matrix } from '../support/dense';
import { noise } from '../support/denseNet';

const formOf = (m: Matrix) => (v: Float64Array) =>
  m.reduce((sum, row, i) => sum + v[i] * row.reduce((product, value, j) => product + value * v[j], 0), 0);

function symmetric(n: number): Matrix {
  const random = noise(5);
  const raw = matrix(n, n, () => random());
  return matrix(n, n, (i, j) => raw[i][j] + raw[j][i]);
}

describe("Hutchinson's estimate", () => {
  it('draws signs, so that two vectors give the trace of a diagonal matrix', () => {
    const drawn: Float64Array[] = [];
    const diagonal = formOf(matrix(5, 5, (i, j) => (i === j ? i - 1.5 : 0)));
    const found = hutchinson((v) => (drawn.push(v), diagonal(v)), 5, { samples: 2 });
    expect(found).toEqual({ trace: 2.5, standardError: 0 });
    expect(drawn).toHaveLength(2);
    for (const vector of drawn) expect([...vector].every((value) => Math.abs(value) === 1)).toBe(true);
    expect(drawn[0]).not.toEqual(drawn[1]);
  });

  it('has the trace within its standard error, which is that of the variance 2 sum of M_ij^2 over i != j', () => {
    const m = symmetric(20);
    const trace = m.reduce((sum, row, i) => sum + row[i], 0);
    const variance =
      2 * m.reduce((sum, row, i) => sum + row.reduce((s, v, j) => s + (i === j ? 0 : v * v), 0), 0);
    const samples = 50;
    const runs = Array.from({ length: 200 }, (_, seed) => hutchinson(formOf(m), 20, { samples, seed }));
    // Of 200 runs each within its standard error with a probability of about 0.68: 136 +- 7.
    const within = runs.filter((run) => Math.abs(run.trace - trace) < run.standardError).length;
    expect(within).toBeGreaterThan(110);
    expect(within).toBeLessThan(160);
    const meanSquare = runs.reduce((sum, { standardError }) => sum + standardError ** 2 / runs.length, 0);
    expect(Math.abs(meanSquare / (variance / samples) - 1)).toBeLessThan(0.05);
  });

  it('is the same for the same seed', () => {
    const form = formOf(symmetric(6));
    expect(hutchinson(form, 6, { seed: 3 })).toEqual(hutchinson(form, 6, { seed: 3 }));
    expect(hutchinson(form, 6, { seed: 3 })).not.toEqual(hutchinson(form, 6, { seed: 4 }));
  });

  it('refuses what is no size, a single sample, and values that are not finite', () => {
    expect(() => hutchinson(() => 1, 0)).toThrow(/size is 0; give a positive integer/);
    expect(() => hutchinson(() => 1, 3, { samples: 1 })).toThrow(/samples is 1; give an integer from 2 on/);
    expect(() => hutchinson(() => NaN, 2)).toThrow(/gave NaN/);
  });
});
