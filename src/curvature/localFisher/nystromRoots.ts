/**
 * Powers of A + a I for a second moment A of size n that m of its columns stand for, A ~ B B' (see `nystrom.ts`). With the small
 * eigendecomposition B'B = V diag(s) V' and T_f = B V diag(f(s))^1/2, the eigenvectors of B B' being those of B V,
 *
 *     (B B' + a I)^-1   = I / a       - T_f T_f',   f = 1 / (a (s + a))
 *     (B B' + a I)^-1/2 = I / sqrt(a) - T_f T_f',   f = 1 / (sqrt(a) sqrt(s + a) (sqrt(a) + sqrt(s + a)))
 *     (B B' + a I)^1/2  = sqrt(a) I   + T_f T_f',   f = 1 / (sqrt(a) + sqrt(s + a)),
 *
 * every one in a form that does not cancel where s is small. A refresh costs n^2 m instead of the n^3 of a matrix root (Liu, Boumaraf et
 * al., "Reconstructing deep neural networks: unleashing the optimization potential of natural gradient descent", name it for that;
 * Drineas & Mahoney 2005 for the choice of columns).
 */
import type { FloatArray, Job, Report } from '../../linalg/jobs';
import type { Phase } from '../phases';
import { allocate, type Precision } from '../shared/factor';
import { NystromApproximation } from '../shared/nystrom';
import { product } from '../shared/productJob';
import { sampleWithoutReplacement, structureStream } from '../shared/sampling';

/** Where the powers go, each a full matrix; one that is missing is not computed. */
export interface Powers {
  inverse: FloatArray;
  inverseRoot: FloatArray;
  root?: FloatArray;
}

/** What I is multiplied with, the sign of T_f T_f', and f(s). */
interface Form {
  out: FloatArray;
  identity: (a: number) => number;
  sign: 1 | -1;
  f: (s: number, a: number) => number;
}

/** T_f of one power: what its columns are made from, and the columns. */
interface LowRank {
  scaled: FloatArray;
  columns: FloatArray;
}

export class NystromRoots {
  private readonly approximation: NystromApproximation;
  private readonly columns: FloatArray;
  private readonly core: FloatArray;
  private readonly values: FloatArray;
  private readonly vectors: FloatArray;
  private readonly lowRank: LowRank[];
  /** The damping a of the latest refresh. */
  private damping = 0;

  constructor(
    private readonly size: number,
    private readonly rank: number,
    precision: Precision,
    powers: number,
  ) {
    const matrix = (columns: number) => allocate(precision, rank * columns);
    this.approximation = new NystromApproximation(size, rank, precision);
    this.columns = matrix(size);
    this.core = matrix(rank);
    this.values = matrix(1);
    this.vectors = matrix(rank);
    this.lowRank = Array.from({ length: powers }, () => ({ scaled: matrix(rank), columns: matrix(size) }));
  }

  /**
   * Computes the powers of A + a I from the lower triangle of A, with `a = lambda tr A / n`, or lambda where the trace is not positive.
   *
   * @param draw the number of this refresh, which decides the columns together with the seed
   */
  phases(
    moment: FloatArray,
    lambda: number,
    { inverse, inverseRoot, root }: Powers,
    seed: number,
    draw: number,
  ): Phase[] {
    const { size, rank, approximation, columns, core, values, vectors } = this;
    const forms: Form[] = [
      { out: inverse, identity: (a) => 1 / a, sign: -1, f: (s, a) => 1 / (a * (s + a)) },
      {
        out: inverseRoot,
        identity: (a) => 1 / Math.sqrt(a),
        sign: -1,
        f: (s, a) => 1 / (Math.sqrt(a * (s + a)) * (Math.sqrt(a) + Math.sqrt(s + a))),
      },
      ...(root
        ? [
            {
              out: root,
              identity: Math.sqrt,
              sign: 1 as const,
              f: (s: number, a: number) => 1 / (Math.sqrt(a) + Math.sqrt(s + a)),
            },
          ]
        : []),
    ];
    const eigh: Job = { op: 'eigh', matrix: approximation.square, size: rank, values, vectors };
    return [
      {
        jobs: [],
        then: () =>
          this.gather(moment, lambda, sampleWithoutReplacement(size, rank, structureStream(seed, draw))),
      },
      ...approximation.factorPhases(columns, core),
      { jobs: [eigh], then: (reports) => this.prepare(reports, forms) },
      {
        jobs: this.lowRank.map(({ scaled, columns: out }) =>
          product([size, rank, rank], approximation.factor, scaled, out),
        ),
      },
      {
        jobs: forms.map(({ out, sign }, i) => {
          const { columns: t } = this.lowRank[i];
          return product([size, rank, size], t, t, out, { transposeRight: true, scale: sign, keep: 1 });
        }),
      },
    ];
  }

  /** C and W of the chosen columns, and a. */
  private gather(moment: FloatArray, lambda: number, chosen: number[]): void {
    const { size, rank, columns, core } = this;
    const at = (i: number, j: number) => (i >= j ? moment[i * size + j] : moment[j * size + i]);
    let trace = 0;
    for (let i = 0; i < size; i++) {
      trace += at(i, i);
      for (let k = 0; k < rank; k++) columns[i * rank + k] = at(i, chosen[k]);
    }
    chosen.forEach((i, row) => chosen.forEach((j, column) => (core[row * rank + column] = at(i, j))));
    this.damping = trace > 0 ? (lambda * trace) / size : lambda;
  }

  /** V diag(f(s))^1/2, and what T_f T_f' is added to. Rounding may leave an s below zero. */
  private prepare([{ status }]: Report[], forms: Form[]): void {
    if (status !== 'ok') return;
    const { size, rank, values, vectors, damping } = this;
    forms.forEach(({ out, identity, f }, which) => {
      const { scaled } = this.lowRank[which];
      for (let j = 0; j < rank; j++) {
        const scale = Math.sqrt(f(Math.max(0, values[j]), damping));
        for (let i = 0; i < rank; i++) scaled[i * rank + j] = vectors[i * rank + j] * scale;
      }
      out.fill(0);
      for (let i = 0; i < size; i++) out[i * (size + 1)] = identity(damping);
    });
  }

  get bytes(): number {
    const { root, factor, square, inverse } = this.approximation;
    const arrays = [root, factor, square, inverse, this.columns, this.core, this.values, this.vectors];
    const own = arrays.reduce((sum, { byteLength }) => sum + byteLength, 0);
    return (
      own + this.lowRank.reduce((sum, { scaled, columns }) => sum + scaled.byteLength + columns.byteLength, 0)
    );
  }
}
