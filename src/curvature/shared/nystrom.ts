/**
 * Nystrom approximation of a positive semi-definite matrix K by m of its columns (Drineas & Mahoney, "On the Nystrom Method for
 * Approximating a Gram Matrix for Improved Kernel-Based Learning", JMLR 2005): with C = K[:, S] and W = K[S, S],
 *
 *     K ~ C W^+ C' = B B',     B = C R,   R = V diag(w)^(+1/2),   W = V diag(w) V'.
 *
 * The approximation never exceeds K, and equals it where rank(K) <= m. Eigenvalues of W that are zero to rounding count as zero. With B,
 * which is better conditioned than lambda W + C'C,
 *
 *     (B B' + lambda I)^-1 b = (b - B (B'B + lambda I)^-1 B'b) / lambda.
 */
import type { FloatArray, Job, Report } from '../../linalg/jobs';
import type { Phase } from '../phases';
import { allocate, type Precision } from './factor';
import { product } from './productJob';

/** Approximates positive semi-definite matrices by some of their columns. */
export interface NystromOptions {
  /** How many columns are chosen; with as many as there are, nothing is approximated. */
  rank: number;
}

export class NystromApproximation {
  /** R, rank x rank. */
  readonly root: FloatArray;
  /** B, size x rank. */
  readonly factor: FloatArray;
  /** B'B. */
  readonly square: FloatArray;
  /** (B'B + lambda I)^-1. */
  readonly inverse: FloatArray;
  private readonly values: FloatArray;
  private readonly vectors: FloatArray;

  constructor(
    readonly size: number,
    readonly rank: number,
    precision: Precision,
  ) {
    this.factor = allocate(precision, size * rank);
    this.values = allocate(precision, rank);
    const square = () => allocate(precision, rank * rank);
    [this.root, this.square, this.inverse, this.vectors] = [square(), square(), square(), square()];
  }

  /** Computes all of it from C (size x rank) and W (rank x rank). The last job is the inverse. */
  phases(columns: FloatArray, core: FloatArray, lambda: number): Phase[] {
    const { square, rank, inverse } = this;
    return [
      ...this.factorPhases(columns, core),
      { jobs: [{ op: 'inverse', matrix: square, size: rank, damping: lambda, out: inverse }] },
    ];
  }

  /** The same without the inverse. */
  factorPhases(columns: FloatArray, core: FloatArray): Phase[] {
    const { size, rank, root, factor, square, values, vectors } = this;
    const eigh: Job = { op: 'eigh', matrix: core, size: rank, values, vectors };
    return [
      { jobs: [eigh], then: (reports) => this.scaleVectors(reports) },
      { jobs: [product([size, rank, rank], columns, root, factor)] },
      {
        jobs: [product([rank, size, rank], factor, factor, square, { transposeLeft: true })],
      },
    ];
  }

  /** R from the eigenvectors, which are its columns before they are scaled. */
  private scaleVectors([{ status }]: Report[]): void {
    const { rank, root, values, vectors } = this;
    if (status !== 'ok') return;
    const epsilon = values instanceof Float32Array ? 2 ** -23 : 2 ** -52;
    const least = rank * epsilon * values[rank - 1];
    for (let j = 0; j < rank; j++) {
      const scale = values[j] > least ? 1 / Math.sqrt(values[j]) : 0;
      for (let i = 0; i < rank; i++) root[i * rank + j] = vectors[i * rank + j] * scale;
    }
  }

  /** `out = (B B' + lambda I)^-1 right` for a `right` of size x columns, with the lambda of the latest `phases`. */
  solvePhases(right: FloatArray, columns: number, lambda: number, out: FloatArray): Phase[] {
    const { size, rank, factor, inverse } = this;
    const ArrayType = factor.constructor as new (length: number) => FloatArray;
    const [inner, solved] = [new ArrayType(rank * columns), new ArrayType(rank * columns)];
    return [
      {
        jobs: [
          product([rank, size, columns], factor, right, inner, { transposeLeft: true }),
          { op: 'combine', terms: [{ data: right, scale: 1 / lambda }], out },
        ],
      },
      { jobs: [product([rank, rank, columns], inverse, inner, solved)] },
      {
        jobs: [product([size, rank, columns], factor, solved, out, { scale: -1 / lambda, keep: 1 })],
      },
    ];
  }
}
