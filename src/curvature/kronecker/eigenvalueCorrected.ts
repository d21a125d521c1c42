/**
 * Eigenvalue-corrected Kronecker-factored block (EKFAC): T. George, C. Laurent, X. Bouthillier, N. Ballas and P. Vincent, "Fast
 * Approximate Natural Gradient Descent in a Kronecker-factored Eigenbasis", 2018.
 *
 * The eigenbasis U = U_A (x) U_G of K-FAC is kept, its eigenvalues a g' are replaced by the second moments of the scores in that basis:
 *
 *     S = 1/N sum_n (U_A' S_n U_G)^2        F ~ U diag(S) U'        direction = U_A [ (U_A' V U_G) / (S + lambda) ] U_G'
 *
 * No diagonal is closer to the Fisher block in the Frobenius norm in this basis, and the trace of the block is kept exactly.
 *
 * A new eigenbasis U+ takes over what was averaged in the old one: the diagonal of U+' U diag(S) U' U+ is, with R = U_A' U+_A and Q = U_G'
 * U+_G and elementwise squares,
 *
 *     S+ = (R^2)' S (Q^2)
 *
 * which keeps the trace too. The paper starts again from the eigenvalues of the factors, which forgets the correction at every refresh.
 */
import type { FloatArray, Job, Report } from '../../linalg/jobs';
import type { AverageStep, Needs, RefreshOutcome, Statistics } from '../block';
import { EigenbasisBlock } from './eigenbasis';
import type { EigenSide } from './eigenSide';
import { allocate } from '../shared/factor';
import type { KroneckerFactoredOptions } from './kroneckerFactored';
import { copyJob } from '../shared/layerMatrix';
import { dotPhase, merge, type Phase } from '../phases';
import { rotation, ScoreMoment, type Basis, type ScoreShape } from '../shared/scoreMoment';

export interface EigenvalueCorrectedOptions {
  /**
   * Where S comes from: 'batch' takes the score of every example, and averages over batches as the factors are averaged; 'running' takes
   * the gradient of the batch only, `S <- 3/4 S + 1/4 N (U_A' mean gradient U_G)^2`, which is cheaper and noisier. Default 'batch'.
   */
  correction?: 'batch' | 'running';
  /**
   * Every n-th refresh computes a new eigenbasis, and so do refreshes 1, 2, 4 … before the first of those; the others only bring the newest
   * S into use, which costs next to nothing. Default 10, with the default `refreshPeriod` of 10 the 100 steps of the paper.
   */
  basisPeriod?: number;
}

/** The paper's decay of the running estimate, section 4.2. */
const runningDecay = 0.75;

/** In which basis S is held: in none before the first batch, in the one in use, in the upcoming one; a stale S begins anew. */
const held = { nowhere: 0, inUse: 1, upcoming: 2, stale: 3 };

export class EigenvalueCorrectedBlock extends EigenbasisBlock {
  override readonly structure: string = 'eigenvalue-corrected Kronecker factored';
  override readonly needs: readonly Needs[];

  private readonly correction: 'batch' | 'running';
  private readonly scoreShape: ScoreShape;
  private readonly scores: ScoreMoment;
  /** The running S, which is ahead of the one in use as the factors are ahead of the inverses. */
  private readonly moment: FloatArray;
  private readonly basis = Float64Array.of(held.nowhere);
  private readonly basisPeriod: number;
  /** How many refreshes there have been. */
  private readonly refreshes = Float64Array.of(0);
  private inUse: FloatArray;
  private upcomingMoment: FloatArray;
  /** R^2 and Q^2 of a refresh; one element where a side has the standard basis. */
  private readonly overlaps: [FloatArray, FloatArray];

  constructor(options: KroneckerFactoredOptions & EigenvalueCorrectedOptions) {
    super(options);
    const { precision = 'float32', correction = 'batch', basisPeriod = 10 } = options;
    this.correction = correction;
    this.basisPeriod = basisPeriod;
    this.needs = [
      { activations: true, outputGradients: true, ...(correction === 'running' && { scores: true }) },
    ];
    this.scoreShape = {
      leftSize: this.left.size,
      rightSize: this.right.size,
      bias: this.bias,
      transposed: this.transposed,
    };
    this.scores = new ScoreMoment(this.scoreShape, precision);
    const size = this.left.size * this.right.size;
    this.moment = allocate(precision, size);
    this.inUse = allocate(precision, size);
    this.upcomingMoment = allocate(precision, size);
    const overlap = (side: EigenSide) => allocate(precision, side.form === 'diagonal' ? 0 : side.size ** 2);
    this.overlaps = [overlap(this.left), overlap(this.right)];
  }

  override updatePhases(statistics: Statistics[], average: AverageStep): Phase[] {
    const factors = super.updatePhases(statistics, average);
    const first = this.basis[0] === held.nowhere;
    if (first || this.basis[0] === held.stale) this.basis[0] = held.inUse;
    else return merge([factors, this.correctionPhases(statistics[0], average)]).phases;
    const correction = this.correctionPhases(statistics[0], { decay: 0, scale: 1 });
    // The first batch needs a basis to be corrected in before there is a refresh. A moment that is not finite leaves the standard basis.
    const bases = [this.left, this.right].filter(({ form }) => form === 'lower');
    const jobs = bases.map((side) => side.eighJob(side.vectors, side.values));
    return [...factors, ...(first ? [{ jobs }] : []), ...correction];
  }

  private correctionPhases(statistics: Statistics, average: AverageStep): Phase[] {
    if (this.correction === 'batch') {
      return this.scores.updatePhases(statistics, average, this.moment, this.heldBasis());
    }
    const { examples, passes } = statistics;
    const decay = average.decay === 0 ? 0 : runningDecay;
    const rotated = passes.map(({ scores }) => {
      const score = allocate(this.precision, this.moment.length);
      score.set(scores![0]);
      if (this.bias) score.set(scores![1], scores![0].length);
      const out = score.slice();
      return { job: rotation(score, out, this.scoreShape, this.heldBasis()), out };
    });
    const squares = rotated.map(({ out }): Job => {
      return { op: 'elementwise', how: 'multiply', left: out, right: out, offset: 0, out };
    });
    const terms = rotated.map(({ out }, pass) => {
      const { weight, gradientScale } = passes[pass];
      return { data: out, scale: ((1 - decay) * weight * gradientScale ** 2) / examples };
    });
    const sum: Job = {
      op: 'combine',
      terms: [{ data: this.moment, scale: decay }, ...terms],
      out: this.moment,
    };
    return [{ jobs: rotated.map(({ job }) => job) }, { jobs: squares }, { jobs: [sum] }];
  }

  /** The eigenvectors that S is held in. */
  private heldBasis(): Basis {
    const vectors = (side: EigenSide) => {
      if (side.form === 'diagonal') return undefined;
      return this.basis[0] === held.upcoming ? side.upcomingVectors : side.vectors;
    };
    return { left: vectors(this.left), right: vectors(this.right) };
  }

  override refreshPhases(lambda: number): Phase[] {
    const copy: Phase = { jobs: [copyJob(this.moment, this.upcomingMoment)] };
    const phases = super.refreshPhases(lambda);
    if (!this.renewsBasis()) return [copy];
    if (this.basis[0] === held.inUse) this.basis[0] = held.upcoming;
    return [...phases, ...this.transportPhases(), copy];
  }

  /** Whether the next refresh, or the one under way, has a new basis. */
  private renewsBasis(): boolean {
    const [n] = this.refreshes;
    return n % this.basisPeriod === 0 || (n < this.basisPeriod && (n & (n - 1)) === 0);
  }

  /** `S <- (R^2)' S (Q^2)`, from the basis in use to the upcoming one. */
  private transportPhases(): Phase[] {
    const { left, right, moment, spectrum } = this;
    const sides = [left, right].flatMap((side, i) => {
      return side.form === 'diagonal' ? [] : [{ side, overlap: this.overlaps[i] }];
    });
    const products = sides.map(({ side, overlap }): Job => ({
      op: 'product',
      left: side.vectors,
      right: side.upcomingVectors,
      rows: side.size,
      inner: side.size,
      columns: side.size,
      transposeLeft: true,
      scale: 1,
      keep: 0,
      out: overlap,
    }));
    const squares = sides.map(({ overlap }): Job => {
      return { op: 'elementwise', how: 'multiply', left: overlap, right: overlap, offset: 0, out: overlap };
    });
    const times = { rows: left.size, columns: right.size, scale: 1, keep: 0 };
    const fromLeft: Job =
      left.form === 'diagonal'
        ? copyJob(moment, spectrum)
        : {
            op: 'product',
            left: this.overlaps[0],
            transposeLeft: true,
            right: moment,
            inner: left.size,
            ...times,
            out: spectrum,
          };
    const fromRight: Job =
      right.form === 'diagonal'
        ? copyJob(spectrum, moment)
        : {
            op: 'product',
            left: spectrum,
            right: this.overlaps[1],
            inner: right.size,
            ...times,
            out: moment,
          };
    return [{ jobs: products }, { jobs: squares }, { jobs: [fromLeft] }, { jobs: [fromRight] }];
  }

  override install(reports: Report[]): RefreshOutcome {
    const renewed = this.renewsBasis();
    this.refreshes[0]++;
    // Squares of finite gradients can overflow where the factors do not.
    const finite = this.upcomingMoment.every((value) => Number.isFinite(value));
    if (!renewed) {
      if (finite) this.useUpcoming();
      return { failures: finite ? 0 : 1, retries: 0, minEigenvalue: NaN, overflowed: !finite };
    }
    const outcome = super.install(
      finite ? reports : reports.map((report) => ({ ...report, status: 'notFinite' })),
    );
    if (outcome.failures > 0) {
      // What was transported to a basis that did not come is of no use, and the next refresh is to compute one.
      this.basis[0] = held.stale;
      this.refreshes[0] = 0;
      return outcome;
    }
    this.useUpcoming();
    if (this.basis[0] === held.upcoming) this.basis[0] = held.inUse;
    return outcome;
  }

  private useUpcoming(): void {
    [this.inUse, this.upcomingMoment] = [this.upcomingMoment, this.inUse];
    this.useUpcomingDamping();
  }

  override restart(): void {
    super.restart();
    this.moment.fill(0);
  }

  /** `upcomingMoment`, which `install` looks at, takes turns with `inUse`. */
  override resident(): FloatArray[] {
    return [...super.resident(), this.moment, ...this.overlaps, ...this.scores.arrays];
  }

  protected override eigenvalues(): { jobs: Job[]; eigenvalues: FloatArray } {
    return { jobs: [], eigenvalues: this.inUse };
  }

  override multiplyPhases(vectors: FloatArray[], products: FloatArray[]): Phase[] {
    const { left = this.left.vectors, right = this.right.vectors } = this.heldBasis();
    const { rotated } = this;
    const multiply: Job = {
      op: 'elementwise',
      how: 'multiply',
      left: rotated,
      right: this.moment,
      offset: 0,
      out: rotated,
    };
    return [
      { jobs: [this.rotate(vectors, left, right)] },
      { jobs: [multiply] },
      { jobs: [this.rotateBack(products, left, right)] },
      dotPhase(vectors, products),
    ];
  }

  override toDense(): Float64Array {
    const basis = this.heldBasis();
    const at = (vectors: FloatArray | undefined, size: number, i: number, j: number) =>
      vectors ? vectors[i * size + j] : Number(i === j);
    const [rows, columns] = [this.left.size, this.right.size];
    const n = rows * columns;
    const dense = new Float64Array(n * n);
    const eigenvector = new Float64Array(n);
    for (let k = 0; k < n; k++) {
      const [p, q] = [Math.floor(k / columns), k % columns];
      for (let i = 0; i < n; i++) {
        eigenvector[i] =
          at(basis.left, rows, Math.floor(i / columns), p) * at(basis.right, columns, i % columns, q);
      }
      for (let i = 0; i < n; i++) {
        for (let j = 0; j < n; j++) dense[i * n + j] += this.moment[k] * eigenvector[i] * eigenvector[j];
      }
    }
    return dense;
  }

  override state(): Record<string, FloatArray> {
    return {
      ...super.state(),
      S: this.moment,
      basis: this.basis,
      refreshes: this.refreshes,
      inUseS: this.inUse,
    };
  }

  override upcoming(): Record<string, FloatArray> {
    return { ...super.upcoming(), upcomingS: this.upcomingMoment };
  }

  override summary() {
    const summary = super.summary();
    const overlaps = this.overlaps.reduce((sum, { byteLength }) => sum + byteLength, 0);
    return { ...summary, bytes: summary.bytes + 3 * this.moment.byteLength + overlaps };
  }
}
