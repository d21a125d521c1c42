/** Dense matrices as arrays of rows, in float64: enough of linear algebra to write formulas of papers down as they stand. */
import { solve } from './matrices';

export type Matrix = number[][];

export const matrix = (rows: number, columns: number, at: (i: number, j: number) => number): Matrix =>
  Array.from({ length: rows }, (_, i) => Array.from({ length: columns }, (_, j) => at(i, j)));

export const fromRows = (values: ArrayLike<number>, rows: number): Matrix =>
  matrix(rows, values.length / rows, (i, j) => values[(i * values.length) / rows + j]);

export const identity = (n: number): Matrix => matrix(n, n, (i, j) => (i === j ? 1 : 0));

export const transpose = (a: Matrix): Matrix => matrix(a[0].length, a.length, (i, j) => a[j][i]);

export const times = (...factors: Matrix[]): Matrix =>
  factors.reduce((a, b) =>
    matrix(a.length, b[0].length, (i, j) => a[i].reduce((s, x, k) => s + x * b[k][j], 0)),
  );

/** `a + scale b`. */
export const plus = (a: Matrix, b: Matrix, scale = 1): Matrix =>
  matrix(a.length, a[0].length, (i, j) => a[i][j] + scale * b[i][j]);

export const scaled = (a: Matrix, by: number): Matrix => a.map((row) => row.map((x) => by * x));

export const trace = (a: Matrix): number => a.reduce((sum, row, i) => sum + row[i], 0);

/** Rows of `b` vary fastest: element ((i, k), (j, l)) is a_ij b_kl. */
export const kronecker = (a: Matrix, b: Matrix): Matrix =>
  matrix(a.length * b.length, a[0].length * b[0].length, (i, j) => {
    const [rows, columns] = [b.length, b[0].length];
    return a[Math.floor(i / rows)][Math.floor(j / columns)] * b[i % rows][j % columns];
  });

export function inverse(a: Matrix): Matrix {
  const columns = identity(a.length).map((unit) => [...solve(a.flat(), unit)]);
  return transpose(columns);
}

/** Several matrices as the blocks of one. */
export const blocks = (parts: Matrix[][]): Matrix =>
  parts.flatMap((row) => row[0].map((_, i) => row.flatMap((block) => block[i])));

/** E[x y'] of rows x and y. */
export const crossMoment = (x: Matrix, y: Matrix): Matrix => scaled(times(transpose(x), y), 1 / x.length);

/** f(eigenvalue) on the eigenvalues of a symmetric matrix, by Jacobi rotations. */
export function spectral(a: Matrix, f: (value: number) => number): Matrix {
  const { values, vectors } = jacobi(a);
  return times(
    vectors,
    matrix(a.length, a.length, (i, j) => (i === j ? f(values[i]) : 0)),
    transpose(vectors),
  );
}

/** Eigenvalues, and eigenvectors as columns, by cyclic Jacobi rotations. */
export function jacobi(a: Matrix): { values: number[]; vectors: Matrix } {
  const n = a.length;
  const m = a.map((row) => [...row]);
  const v = identity(n);
  for (let sweep = 0; sweep < 60; sweep++) {
    let off = 0;
    for (let p = 0; p < n; p++) {
      for (let q = p + 1; q < n; q++) {
        off = Math.max(off, Math.abs(m[p][q]));
        if (m[p][q] === 0) continue;
        const theta = (m[q][q] - m[p][p]) / (2 * m[p][q]);
        const t = (theta >= 0 ? 1 : -1) / (Math.abs(theta) + Math.hypot(theta, 1));
        const c = 1 / Math.hypot(t, 1);
        const s = t * c;
        for (let k = 0; k < n; k++)
          [m[k][p], m[k][q]] = [c * m[k][p] - s * m[k][q], s * m[k][p] + c * m[k][q]];
        for (let k = 0; k < n; k++)
          [m[p][k], m[q][k]] = [c * m[p][k] - s * m[q][k], s * m[p][k] + c * m[q][k]];
        for (const row of v) [row[p], row[q]] = [c * row[p] - s * row[q], s * row[p] + c * row[q]];
      }
    }
    if (off === 0) break;
  }
  return { values: m.map((row, i) => row[i]), vectors: v };
}
