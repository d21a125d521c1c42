/**
 * Diagonal of the Fisher matrix for any variable, from the score of the whole batch.
 *
 * With targets drawn from the model's own distribution the scores s_n of the examples are independent and have mean zero, so
 *
 *     E[(sum_n s_n)^2] = sum_n E[s_n^2],    F_ii ~ (sum_n s_n,i)^2 / N
 *
 * is an unbiased estimate that needs no gradient per example (kfac-jax calls it the naive diagonal). With the true targets (empirical
 * Fisher) the scores share the mean gradient and the estimate is too large by about N times its square: more damping, not less.
 */
import type { FloatArray, Job, Report } from '../../linalg/jobs';
import {
  variableSizes,
  type AverageStep,
  type BlockShape,
  type BlockSummary,
  type CurvatureBlock,
  type Needs,
  type RefreshOutcome,
  type Statistics,
} from '../block';
import { allocate, type Precision } from '../shared/factor';
import { summaryOf } from '../shared/summary';
import type { Phase } from '../phases';

export interface DiagonalOptions {
  shape: BlockShape;
  precision?: Precision;
  /** Why the layer has no finer block, for the summary. */
  reason?: string;
}

export class DiagonalBlock implements CurvatureBlock {
  readonly structure: string = 'diagonal';
  readonly shape: BlockShape;
  readonly needs: readonly Needs[] = [{ scores: true }];
  ready = false;

  /** The diagonal of all variables, one after the other, and the part of each. */
  protected readonly moment: FloatArray;
  private readonly reason: string;
  private readonly moments: FloatArray[];
  private readonly inverses: FloatArray[];
  private readonly next: FloatArray[];

  constructor({ shape, precision = 'float32', reason = '' }: DiagonalOptions) {
    this.shape = shape;
    this.reason = reason;
    const sizes = variableSizes(shape);
    this.moment = allocate(
      precision,
      sizes.reduce((sum, size) => sum + size, 0),
    );
    let begin = 0;
    this.moments = sizes.map((size) => this.moment.subarray(begin, (begin += size)));
    this.inverses = sizes.map((size) => allocate(precision, size));
    this.next = sizes.map((size) => allocate(precision, size));
  }

  updatePhases([{ examples, passes }]: Statistics[], { decay, scale }: AverageStep): Phase[] {
    return passes.map(({ weight, gradientScale, scores }, pass) => ({
      jobs: scores!.map((data, i): Job => {
        const share = (scale * weight * gradientScale ** 2) / examples;
        const inputs = [{ data, rows: 1, columns: data.length, scale: share }];
        return { op: 'diagonalFactor', inputs, decay: pass === 0 ? decay : 1, factor: this.moments[i] };
      }),
    }));
  }

  refreshPhases(lambda: number): Phase[] {
    const jobs = this.moments.map((diagonal, i): Job => ({
      op: 'diagonalInverse',
      diagonal,
      damping: lambda,
      out: this.next[i],
    }));
    return [{ jobs }];
  }

  install(reports: Report[]): RefreshOutcome {
    let failures = 0;
    reports.forEach((report, i) => {
      if (report.status === 'ok') {
        [this.inverses[i], this.next[i]] = [this.next[i], this.inverses[i]];
        this.finish(this.inverses[i]);
      } else {
        failures++;
        if (!this.ready) {
          this.inverses[i].fill(1 / report.damping);
          this.finish(this.inverses[i]);
        }
      }
    });
    this.ready = true;
    const overflowed = reports.some((report) => report.status === 'notFinite');
    return { failures, retries: 0, minEigenvalue: NaN, overflowed };
  }

  /** What is still to be done to `1 / (F + damping)` before it is in use. */
  protected finish(_inverse: FloatArray): void {}

  restart(): void {
    this.moment.fill(0);
  }

  preconditionPhases(gradients: FloatArray[], directions: FloatArray[]): Phase[] {
    return this.products(this.inverses, gradients, directions);
  }

  multiplyPhases(vectors: FloatArray[], products: FloatArray[]): Phase[] {
    return this.products(this.moments, vectors, products);
  }

  private products(diagonals: FloatArray[], inputs: FloatArray[], outs: FloatArray[]): Phase[] {
    const jobs = diagonals.map((diagonal, i): Job => ({
      op: 'scale',
      diagonal,
      input: inputs[i],
      out: outs[i],
    }));
    return [{ jobs }];
  }

  toDense(): Float64Array {
    const n = this.moment.length;
    const dense = new Float64Array(n * n);
    this.moment.forEach((value, i) => (dense[i * n + i] = value));
    return dense;
  }

  state(): Record<string, FloatArray> {
    return { ...named('F', this.moments), ...named('inverseF', this.inverses) };
  }

  upcoming(): Record<string, FloatArray> {
    return named('upcomingF', this.next);
  }

  loaded(ready: boolean): void {
    this.ready = ready;
  }

  summary(): BlockSummary {
    return summaryOf(this, {
      matrices: `diagonal ${this.moment.length}`,
      bytes: 3 * this.moment.byteLength,
      reason: this.reason,
    });
  }
}

function named(name: string, arrays: FloatArray[]): Record<string, FloatArray> {
  return Object.fromEntries(arrays.map((array, i) => [`${name}${i}`, array]));
}
