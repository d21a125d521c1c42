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
import type { FloatArray, Job } from '../../linalg/jobs';
import type { Phase } from '../phases';
import { allocate, type Precision } from '../shared/factor';
import { kroneckerJob, type Operand } from '../shared/kroneckerJob';
import { product } from '../shared/productJob';
import {
  fillSecondMoment,
  planUpdate,
  sharesOf,
  type BatchOfRows,
  type LowRankFisher,
  type LowRankUpdate,
} from './lowRankUpdate';
import type { ResolvedOnlineOptions } from './onlineOptions';
import { orthonormalise } from './orthonormalise';

/** Batches with which every matrix is updated, whatever the period. */
const initialUpdates = 10;
/** Rounds of updates with the first batch, before it is preconditioned; 1 where it has no more rows than the rank. */
const initialRounds = 3;

/** Rows of a batch, as they are or as their second moment: its lower triangle, which a `factor` job computes (patches). */
export type RowSource =
  { rows: FloatArray; count: number } | { moment: FloatArray; compute: Job; count: number };

/** What a round computes of the rows: W X'X, its square, W X'X W', and products of two W. */
interface WorkSpace {
  J: FloatArray;
  K: FloatArray;
  L: FloatArray;
  gram: FloatArray;
}

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
    const shares = sharesOf(this.fisher);
    for (let i = 0; i < rank; i++) {
      const columns = Math.ceil((size - i) / rank);
      const norm = Math.sqrt(1.1 ** 2 + columns - 1);
      for (let j = i; j < size; j += rank) {
        this.next[i * size + j] = (Math.sqrt(shares[i]) * (j === i ? 1.1 : 1)) / norm;
      }
    }
    this.weights.set(this.next);
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

  /** One update of F with the rows X, N of them, in phases; or only gamma, where F stays as it is. */
  private round(source: RowSource, updates: boolean): Phase[] {
    const { rank, size, next: W } = this;
    const work = this.workSpace();
    const { J, K, L, gram } = work;
    const eta = Math.min(0.9, 1 - Math.exp(-source.count / this.options.numSamplesHistory));
    const batch: BatchOfRows = { trace: 0, count: source.count, eta };
    const Z = new Float64Array(rank * rank);
    const products: Phase = {
      jobs: [
        product([rank, size, rank], W, W, gram, { transposeRight: true }),
        ...(updates ? [product([rank, size, rank], J, J, K, { transposeRight: true })] : []),
      ],
      then: () => {
        this.updateGamma(batch.trace, L, gram);
        if (updates) fillSecondMoment(Z, K, L, this.fisher, batch);
      },
    };
    const taken = [...this.rowPhases(source, batch, work, updates), products];
    return updates ? [...taken, ...this.stepPhases(Z, batch, work)] : taken;
  }

  private workSpace(): WorkSpace {
    const square = () => allocate(this.precision, this.rank ** 2);
    const J = allocate(this.precision, this.rank * this.size);
    return { J, K: square(), L: square(), gram: square() };
  }

  /** Fills J = W X'X, which only updates need, L = W X'X W' and the trace of X'X. */
  private rowPhases(source: RowSource, batch: BatchOfRows, { J, L }: WorkSpace, updates: boolean): Phase[] {
    const { rank, size, next: W, precision } = this;
    if ('moment' in source) {
      const { moment } = source;
      const identity: Operand = {
        matrix: allocate(precision, rank).fill(1),
        size: rank,
        form: 'diagonal',
      };
      return [
        { jobs: [kroneckerJob(identity, { matrix: moment, size, form: 'lower' }, [W], [J])] },
        {
          jobs: [product([rank, size, rank], J, W, L, { transposeRight: true })],
          then: () => {
            for (let i = 0; i < size; i++) batch.trace += moment[i * (size + 1)];
          },
        },
      ];
    }
    const { rows: X } = source;
    const n = X.length / size;
    const H = allocate(precision, n * rank);
    return [
      {
        jobs: [product([n, size, rank], X, W, H, { transposeRight: true }), { op: 'dot', left: X, right: X }],
        then: ([, { dot }]) => void (batch.trace = dot),
      },
      {
        jobs: [
          ...(updates ? [product([rank, n, size], H, X, J, { transposeLeft: true })] : []),
          product([rank, n, rank], H, H, L, { transposeLeft: true }),
        ],
      },
    ];
  }

  /** gamma^2 = tr XX' / |X (I - W'W)|^2, of which the latter is tr XX' - 2 tr L + <L, WW'>. */
  private updateGamma(trace: number, L: FloatArray, gram: FloatArray): void {
    let after = trace;
    for (let i = 0; i < this.rank; i++) after -= 2 * L[i * (this.rank + 1)];
    for (let i = 0; i < L.length; i++) after += L[i] * gram[i];
    const isPositive = trace > 0 && after > 0 && Number.isFinite(trace / after);
    this.gamma[0] = isPositive ? Math.sqrt(trace / after) : 1;
  }

  /** From Z to the next F. */
  private stepPhases(Z: Float64Array, batch: BatchOfRows, { J, gram }: WorkSpace): Phase[] {
    const { rank, size, next: W, precision } = this;
    const values = new Float64Array(rank);
    const vectors = new Float64Array(rank * rank);
    const ofJ = allocate(precision, rank * rank);
    const ofW = allocate(precision, rank * rank);
    const updated = allocate(precision, rank * size);
    let step: LowRankUpdate | undefined;
    return [
      {
        jobs: [{ op: 'eigh', matrix: Z, size: rank, values, vectors }],
        then: ([{ status }]) => {
          if (status !== 'ok' || !Number.isFinite(batch.trace)) return;
          step = planUpdate(values, vectors, this.fisher, batch);
          ofJ.set(step.ofJ);
          ofW.set(step.ofW);
        },
      },
      { jobs: [product([rank, rank, size], ofJ, J, updated)] },
      { jobs: [product([rank, rank, size], ofW, W, updated, { keep: 1 })] },
      {
        jobs: [product([rank, size, rank], updated, updated, gram, { transposeRight: true })],
        then: ([{ status }]) => {
          // A batch that has made something of it not finite leaves F as it was.
          if (!step || status !== 'ok' || !gram.every(Number.isFinite)) return;
          if (step.doubtful) orthonormalise(updated, gram, step.shares);
          W.set(updated);
          this.eigenvalues.set(step.eigenvalues);
          this.rho[0] = step.rho;
        },
      },
    ];
  }

  private get fisher(): LowRankFisher {
    const { size, eigenvalues, options } = this;
    return { ...options, size, eigenvalues, rho: this.rho[0] };
  }

  /** Element (i, j) of F. */
  at(i: number, j: number): number {
    const { size, next } = this;
    const shares = sharesOf(this.fisher);
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
    const shares = sharesOf(this.fisher);
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
