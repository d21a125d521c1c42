/**
 * One side of an online natural gradient: D. Povey, X. Zhang and S. Khudanpur, "Parallel training of DNNs with natural gradient and
 * parameter averaging", ICLR 2015 workshop, appendix B (as in Kaldi).
 *
 * The second moment of the rows X of each batch is tracked as F = R' D R + rho I, with orthonormal rows R [rank, size], and smoothed to
 * G = F + alpha tr F / size I. With
 *
 *     beta = rho (1 + alpha) + alpha tr D / size,    e_i = 1 / (beta / d_i + 1),    W = E^1/2 R
 *
 * X (I - W'W) = beta X G^-1, so that preconditioning takes products with W only; gamma scales the result back to the norm of X.
 */
import type { FloatArray, Job, Report } from '../../linalg/jobs';
import { allocate, type Precision } from '../shared/factor';
import type { Phase } from '../phases';

/** Options of the structure `onlineNaturalGradient`. */
export interface OnlineNaturalGradientOptions {
  /**
   * 'rows': what goes into a layer and what comes back at its outputs is preconditioned, one matrix each (Kaldi). 'axes': the gradient of any
   * variable along each of its axes, as it is (Kaldi's method applied to SGD). Variables that are not the kernel and bias of a layer always
   * have 'axes'. Default 'rows'.
   */
  form?: 'rows' | 'axes';
  /** Largest rank of each matrix, above which it is a multiple of the identity; never more than its size less 1. Default 40. */
  rank?: number;
  /** The matrices are updated with every n-th batch, after the first 10. Default 1. */
  updatePeriod?: number;
  /** Over how many rows the matrices remember; a batch of N counts 1 - exp(-N / history), at most 0.9. Default 2000. */
  numSamplesHistory?: number;
  /** Smoothing with the identity: what damping is to other structures, relative to the mean eigenvalue. Default 4. */
  alpha?: number;
  /** Smallest value of an eigenvalue. Default 1e-10. */
  epsilon?: number;
  /** Smallest ratio of an eigenvalue to the largest. Default 5e-4. */
  delta?: number;
}

export type ResolvedOnlineOptions = Required<Omit<OnlineNaturalGradientOptions, 'form'>>;

export const ONLINE_DEFAULTS: ResolvedOnlineOptions = {
  rank: 40,
  updatePeriod: 1,
  numSamplesHistory: 2000,
  alpha: 4,
  epsilon: 1e-10,
  delta: 5e-4,
};

/** Batches with which every matrix is updated, whatever the period. */
const initialUpdates = 10;
/** Rounds of updates with the first batch, before it is preconditioned; 1 where it has no more rows than the rank. */
const initialRounds = 3;
/** Condition of Z above which R is orthonormalised again, and by how much it may be off before. */
const largestCondition = 1e6;
const largestOrthogonalityError = 1e-3;

/** Rows of a batch, as they are or as their second moment: its lower triangle, which a `factor` job computes (patches). */
export type RowSource =
  { rows: FloatArray; count: number } | { moment: FloatArray; compute: Job; count: number };

export class OnlineLowRank {
  readonly rank: number;
  /** W of the batch that is preconditioned, and gamma of its rows. */
  readonly weights: FloatArray;
  readonly gamma = Float64Array.of(1);

  /** W, D and rho after the last update. */
  private readonly next: FloatArray;
  private readonly eigenvalues: Float64Array;
  private readonly rho: Float64Array;
  /** Batches so far. */
  private readonly batches = Float64Array.of(0);

  constructor(
    readonly size: number,
    private readonly options: ResolvedOnlineOptions,
    private readonly precision: Precision,
  ) {
    this.rank = Math.min(options.rank, size - 1);
    this.weights = allocate(precision, this.rank * size);
    this.next = allocate(precision, this.rank * size);
    this.eigenvalues = new Float64Array(this.rank);
    this.rho = new Float64Array(1);
    this.restart();
  }

  /** Begins anew: D = rho = epsilon, and R with the pattern 1.1 0 … 1 0 … 1 in its rows, shifted by one from row to row. */
  restart(): void {
    const { rank, size } = this;
    this.batches[0] = 0;
    this.gamma[0] = 1;
    this.rho[0] = this.options.epsilon;
    this.eigenvalues.fill(this.options.epsilon);
    this.next.fill(0);
    const shares = this.shares(this.eigenvalues, this.rho[0]);
    for (let i = 0; i < rank; i++) {
      const columns = Math.ceil((size - i) / rank);
      const norm = Math.sqrt(1.1 ** 2 + columns - 1);
      for (let j = i; j < size; j += rank) {
        this.next[i * size + j] = (Math.sqrt(shares[i]) * (j === i ? 1.1 : 1)) / norm;
      }
    }
    this.weights.set(this.next);
  }

  /** e_i = 1 / (beta / d_i + 1) */
  private shares(d: Float64Array, rho: number): Float64Array {
    const { alpha } = this.options;
    const beta = rho * (1 + alpha) + (alpha * sum(d)) / this.size;
    return d.map((value) => 1 / (beta / value + 1));
  }

  /** Phases that take in a batch: W and gamma for it become those of before, F those of after. */
  updatePhases(source: RowSource): Phase[] {
    if (this.rank === 0 || source.count === 0) return [];
    const isFirst = this.batches[0] === 0;
    const compute: Phase[] = 'moment' in source ? [{ jobs: [source.compute] }] : [];
    const rounds = isFirst ? (source.count <= this.rank ? 1 : initialRounds) : 0;
    const updates = this.batches[0] < initialUpdates || this.batches[0] % this.options.updatePeriod === 0;
    const begin: Phase = { jobs: [], then: () => (this.batches[0]++, this.weights.set(this.next)) };
    const initial = Array.from({ length: rounds }, () => this.round(source, true)).flat();
    return [...compute, ...initial, begin, ...this.round(source, updates)];
  }

  /** One update of F, in phases. `X` are the rows, N of them. */
  private round(source: RowSource, updates: boolean): Phase[] {
    const { rank, size, next: W, precision } = this;
    const square = () => allocate(precision, rank * rank);
    const [K, L, gram] = [square(), square(), square()];
    const J = allocate(precision, rank * size);
    const Z = new Float64Array(rank * rank);
    const values = new Float64Array(rank);
    const vectors = new Float64Array(rank * rank);
    const [ofJ, ofW] = [square(), square()];
    const updated = allocate(precision, rank * size);
    const eta = Math.min(0.9, 1 - Math.exp(-source.count / this.options.numSamplesHistory));
    let step: Update | undefined;
    let trace = 0;

    const rowPhases = (): Phase[] => {
      if ('moment' in source) {
        const { moment } = source;
        const ones = allocate(precision, rank).fill(1);
        const product: Job = {
          op: 'kronecker', left: ones, leftSize: rank, leftForm: 'diagonal', right: moment, rightSize: size, rightForm: 'lower', input: W, out: J,
        }; // prettier-ignore
        return [
          { jobs: [product] },
          {
            jobs: [gemm(J, W, [rank, size, rank], L, { transposeRight: true })],
            then: () => {
              for (let i = 0; i < size; i++) trace += moment[i * (size + 1)];
            },
          },
        ];
      }
      const { rows: X } = source;
      const n = X.length / size;
      const H = allocate(precision, n * rank);
      return [
        {
          jobs: [gemm(X, W, [n, size, rank], H, { transposeRight: true }), { op: 'dot', left: X, right: X }],
          then: ([, { dot }]) => void (trace = dot),
        },
        {
          jobs: [
            ...(updates ? [gemm(H, X, [rank, n, size], J, { transposeLeft: true })] : []),
            gemm(H, H, [rank, n, rank], L, { transposeLeft: true }),
          ],
        },
      ];
    };

    const products: Phase = {
      jobs: [
        gemm(W, W, [rank, size, rank], gram, { transposeRight: true }),
        ...(updates ? [gemm(J, J, [rank, size, rank], K, { transposeRight: true })] : []),
      ],
      then: () => {
        // |X (I - W'W)|^2 = tr XX' - 2 tr L + <L, WW'>, L = W X'X W'
        let after = trace;
        for (let i = 0; i < rank; i++) after -= 2 * L[i * (rank + 1)];
        for (let i = 0; i < L.length; i++) after += L[i] * gram[i];
        this.gamma[0] =
          trace > 0 && after > 0 && Number.isFinite(trace / after) ? Math.sqrt(trace / after) : 1;
        if (updates) this.secondMoment(Z, K, L, eta / source.count, eta);
      },
    };
    if (!updates) return [...rowPhases(), products];

    return [
      ...rowPhases(),
      products,
      {
        jobs: [{ op: 'eigh', matrix: Z, size: rank, values, vectors }],
        then: ([report]) => {
          step =
            report.status === 'ok' && Number.isFinite(trace)
              ? this.plan(values, vectors, trace, source.count, eta)
              : undefined;
          ofJ.set(step?.ofJ ?? new Float64Array(rank * rank));
          ofW.set(step?.ofW ?? new Float64Array(rank * rank));
        },
      },
      { jobs: [gemm(ofJ, J, [rank, rank, size], updated)] },
      { jobs: [{ ...gemm(ofW, W, [rank, rank, size], updated), keep: 1 }] },
      {
        jobs: [gemm(updated, updated, [rank, size, rank], gram, { transposeRight: true })],
        then: ([report]: Report[]) => {
          // A batch that has made something of it not finite leaves F as it was.
          if (!step || report.status !== 'ok' || !gram.every(Number.isFinite)) return;
          if (step.doubtful) this.orthonormalise(updated, gram, step.shares);
          W.set(updated);
          this.eigenvalues.set(step.eigenvalues);
          this.rho[0] = step.rho;
        },
      },
    ];
  }

  /**
   * Z = Y Y' for Y = R S, S = eta/N X'X + (1 - eta) F:
   *
   *     (eta/N)^2 E^-1/2 K E^-1/2 + (eta/N) (1 - eta) [E^-1/2 L E^-1/2 (D + rho) + (D + rho) E^-1/2 L E^-1/2] + (1 - eta)^2 (D + rho)^2
   */
  private secondMoment(Z: Float64Array, K: FloatArray, L: FloatArray, share: number, eta: number): void {
    const { rank, eigenvalues: d } = this;
    const rho = this.rho[0];
    const shares = this.shares(d, rho);
    for (let i = 0; i < rank; i++) {
      for (let j = 0; j < rank; j++) {
        const at = i * rank + j;
        const root = Math.sqrt(shares[i] * shares[j]);
        const symmetric = (L[at] + L[j * rank + i]) / 2;
        Z[at] = (share ** 2 * K[at] + share * (1 - eta) * symmetric * (d[i] + d[j] + 2 * rho)) / root;
      }
      Z[i * (rank + 1)] += ((1 - eta) * (d[i] + rho)) ** 2;
    }
  }

  /** What follows from the eigenvalues (ascending) and eigenvectors (columns) of Z. */
  private plan(
    values: Float64Array,
    vectors: Float64Array,
    trace: number,
    count: number,
    eta: number,
  ): Update {
    const { rank, size } = this;
    const { epsilon, delta } = this.options;
    const rho = this.rho[0];
    const share = eta / count;
    const shares = this.shares(this.eigenvalues, rho);
    const floor = (rho * (1 - eta)) ** 2;
    const order = Array.from({ length: rank }, (_, i) => rank - 1 - i);
    const roots = Float64Array.from(order, (i) => Math.sqrt(Math.max(values[i], floor)));
    let doubtful =
      order.some((i) => values[i] < floor) || roots[0] ** 2 > largestCondition * roots[rank - 1] ** 2;

    const total = share * trace + (1 - eta) * (size * rho + sum(this.eigenvalues));
    const least = Math.max(epsilon, delta * roots[0]);
    let nextRho = (total - sum(roots)) / (size - rank);
    if (nextRho < least) [nextRho, doubtful] = [least, true];
    const eigenvalues = roots.map((root) => root - nextRho);
    eigenvalues.forEach((value, i) => {
      if (value < least) [eigenvalues[i], doubtful] = [least, true];
    });

    // W' = A (J + (1 - eta) / (eta/N) (D + rho) W),  A = eta/N E'^1/2 C^-1/2 U' E^-1/2
    const nextShares = this.shares(eigenvalues, nextRho);
    const ofJ = new Float64Array(rank * rank);
    const ofW = new Float64Array(rank * rank);
    for (let i = 0; i < rank; i++) {
      for (let j = 0; j < rank; j++) {
        const u = vectors[j * rank + order[i]];
        const value = (Math.sqrt(nextShares[i]) / roots[i]) * (u / Math.sqrt(shares[j]));
        ofJ[i * rank + j] = share * value;
        ofW[i * rank + j] = (1 - eta) * (this.eigenvalues[j] + rho) * value;
      }
    }
    return { ofJ, ofW, eigenvalues, rho: nextRho, shares: nextShares, doubtful };
  }

  /** Makes the rows of R = E^-1/2 W orthonormal again, given WW', where they are not. */
  private orthonormalise(W: FloatArray, gram: FloatArray, shares: Float64Array): void {
    const { rank, size } = this;
    let error = 0;
    for (let i = 0; i < rank; i++) {
      for (let j = 0; j <= i; j++) {
        const inner = gram[i * rank + j] / Math.sqrt(shares[i] * shares[j]);
        error = Math.max(error, Math.abs(inner - (i === j ? 1 : 0)));
      }
    }
    if (error <= largestOrthogonalityError) return;
    // Gram and Schmidt's method, each row twice: what Cholesky's factor of RR' would give, and safe where that is singular.
    const rows = Array.from({ length: rank }, (_, i) => {
      return Float64Array.from(W.subarray(i * size, (i + 1) * size), (value) => value / Math.sqrt(shares[i]));
    });
    rows.forEach((row, i) => {
      let candidate = 0;
      for (;;) {
        const before = norm(row);
        for (let pass = 0; pass < 2; pass++) {
          for (const other of rows.slice(0, i)) {
            const inner = dot(row, other);
            for (let j = 0; j < size; j++) row[j] -= inner * other[j];
          }
        }
        const after = norm(row);
        if (after > 1e-3 * before && after > 0) {
          for (let j = 0; j < size; j++) row[j] /= after;
          break;
        }
        // It lay in the span of the rows before it; some unit vector does not.
        row.fill(0);
        row[(i + candidate++) % size] = 1;
      }
      for (let j = 0; j < size; j++) W[i * size + j] = Math.sqrt(shares[i]) * row[j];
    });
  }

  /** Element (i, j) of F. */
  at(i: number, j: number): number {
    const { size, next } = this;
    const shares = this.shares(this.eigenvalues, this.rho[0]);
    let value = i === j ? this.rho[0] : 0;
    if (this.rank === 0) return i === j ? 1 : 0;
    for (let k = 0; k < this.rank; k++) {
      value += (this.eigenvalues[k] / shares[k]) * next[k * size + i] * next[k * size + j];
    }
    return value;
  }

  /** R' diag(d) with `F v = rho v + (that) R v`, as W and D/E: for the products with F. */
  get lowRank(): { factor: FloatArray; weighted: FloatArray; rho: number } {
    const { rank, size, next } = this;
    if (rank === 0) return { factor: next, weighted: next, rho: 1 };
    const shares = this.shares(this.eigenvalues, this.rho[0]);
    const weighted = next.map((value, at) => {
      const k = Math.floor(at / size);
      return (value * this.eigenvalues[k]) / shares[k];
    });
    return { factor: next, weighted, rho: this.rho[0] };
  }

  /** Live arrays, by name. */
  state(): Record<string, FloatArray> {
    const { weights, gamma, next, eigenvalues, rho, batches } = this;
    return { weights, gamma, next, eigenvalues, rho, batches };
  }

  get bytes(): number {
    return Object.values(this.state()).reduce((total, { byteLength }) => total + byteLength, 0);
  }

  /** e.g. '785 x 785 of rank 40'. */
  get dimensions(): string {
    return `${this.size} x ${this.size} of rank ${this.rank}`;
  }
}

/** The next F, and W' = ofJ J + ofW W. */
interface Update {
  ofJ: Float64Array;
  ofW: Float64Array;
  eigenvalues: Float64Array;
  rho: number;
  shares: Float64Array;
  /** Whether Z was so ill-conditioned, or so much was floored, that R may not be orthonormal. */
  doubtful: boolean;
}

/** The job `out = left right`, with `left` [rows, inner] and `right` [inner, columns]. */
export function gemm(
  left: FloatArray,
  right: FloatArray,
  [rows, inner, columns]: [number, number, number],
  out: FloatArray,
  how: { transposeLeft?: boolean; transposeRight?: boolean } = {},
): Extract<Job, { op: 'product' }> {
  return { op: 'product', left, right, rows, inner, columns, ...how, scale: 1, keep: 0, out };
}

function sum(values: FloatArray): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}

function dot(left: FloatArray, right: FloatArray): number {
  let total = 0;
  for (let i = 0; i < left.length; i++) total += left[i] * right[i];
  return total;
}

function norm(values: FloatArray): number {
  return Math.sqrt(dot(values, values));
}
