import { lanczos } from '../../src/diagnostics';
import { noise } from '../support/denseNet';
import { jacobi, matrix, times, transpose, type Matrix } from '../support/dense';

/** Eigenvalues chosen, eigenvectors random. */
function symmetric(eigenvalues: number[], seed = 1): Matrix {
  const n = eigenvalues.length;
  const random = noise(seed);
  const raw = matrix(n, n, () => random());
  const { vectors } = jacobi(matrix(n, n, (i, j) => raw[i][j] + raw[j][i]));
  return times(
    vectors,
    matrix(n, n, (i, j) => (i === j ? eigenvalues[i] : 0)),
    transpose(vectors),
  );
}

const multiplyBy = (m: Matrix) => (v: Float64Array) =>
  m.map((row) => row.reduce((sum, value, j) => sum + value * v[j], 0));

describe('Lanczos', () => {
  it('finds all eigenvalues in as many steps as there are, each once', () => {
    const eigenvalues = Array.from({ length: 30 }, (_, i) => (i - 5) * 1.1);
    const { values } = lanczos(multiplyBy(symmetric(eigenvalues)), 30);
    expect(values).toHaveLength(30);
    values.forEach((value, i) => expect(value).toBeCloseTo(eigenvalues[i], 9));
  });

  it('stops where there are no more different ones', () => {
    const eigenvalues = Array.from({ length: 24 }, (_, i) => [1, 2, 5][i % 3]);
    const { values, weights } = lanczos(multiplyBy(symmetric(eigenvalues)), 24);
    expect(values).toHaveLength(3);
    [1, 2, 5].forEach((value, i) => expect(values[i]).toBeCloseTo(value, 9));
    expect(weights.reduce((a, b) => a + b)).toBeCloseTo(1, 12);
    expect([...lanczos(() => new Float64Array(4), 4).values]).toEqual([0]);
  });

  it('finds the outermost first', () => {
    const eigenvalues = Array.from({ length: 60 }, (_, i) => Math.exp(-i / 4)).reverse();
    const { values } = lanczos(multiplyBy(symmetric(eigenvalues)), 60, { steps: 20, seed: 2 });
    expect(values).toHaveLength(20);
    expect(values[19]).toBeCloseTo(1, 9);
    expect(values[18]).toBeCloseTo(Math.exp(-1 / 4), 9);
  });

  it('has weights whose sums with functions are those of the starting vector: v^T M v / v^T v', () => {
    // Averaged over starting vectors they are traces: here the mean of the eigenvalues, and of their squares.
    const eigenvalues = Array.from({ length: 20 }, (_, i) => i / 10);
    const m = multiplyBy(symmetric(eigenvalues));
    const seeds = Array.from({ length: 200 }, (_, seed) => seed);
    for (const f of [(v: number) => v, (v: number) => v * v]) {
      const estimate = seeds.reduce((sum, seed) => {
        const { values, weights } = lanczos(m, 20, { steps: 8, seed });
        return sum + values.reduce((part, value, k) => part + weights[k] * f(value), 0) / seeds.length;
      }, 0);
      const trace = eigenvalues.reduce((sum, value) => sum + f(value) / 20, 0);
      expect(Math.abs(estimate / trace - 1)).toBeLessThan(0.05);
    }
  });

  it('refuses what is no size, and products that are not finite', () => {
    expect(() => lanczos((v) => v, 0)).toThrow(/size is 0/);
    expect(() => lanczos((v) => v, 3, { steps: 1.5 })).toThrow(/steps is 1.5/);
    expect(() => lanczos(() => [NaN, 0], 2)).toThrow(/not finite/);
  });
});
