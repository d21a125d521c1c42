import type { FloatArray, Report } from '../../linalg/jobs';
import type { RefreshOutcome } from '../block';
import type { Phase } from '../phases';
import { allocate, type Precision } from './factor';
import { outcomeOf } from './outcome';

/**
 * Many small second moments of one size with their damped inverses, in stacks. As in a {@link Factor}, the inverses are kept twice: those in
 * use, and those being computed, which take their place all together or not at all.
 */
export class FactorStack {
  /** Of each matrix at least the lower triangle. */
  readonly moments: FloatArray;
  inverses: FloatArray;
  private next: FloatArray;
  private lambda = 0;

  constructor(
    readonly size: number,
    readonly count: number,
    precision: Precision,
  ) {
    const length = count * size ** 2;
    this.moments = allocate(precision, length);
    this.inverses = allocate(precision, length);
    this.next = allocate(precision, length);
  }

  /** What a stack would keep, in bytes. */
  static bytes(size: number, count: number, precision: Precision): number {
    return 3 * count * size ** 2 * (precision === 'float32' ? 4 : 8);
  }

  refreshPhases(lambda: number): Phase[] {
    this.lambda = lambda;
    const { moments: matrix, size, count, next: out } = this;
    return [{ jobs: [{ op: 'inverse', matrix, size, count, damping: lambda, out }] }];
  }

  /**
   * Takes over what `refreshPhases` computed. Where that failed and there is no inverse yet it is as if the moments were zero.
   *
   * @param ready whether there are inverses to keep in use
   */
  install(reports: Report[], ready: boolean): RefreshOutcome {
    const outcome = outcomeOf(reports);
    if (outcome.failures === 0) [this.inverses, this.next] = [this.next, this.inverses];
    else if (!ready) this.installIdentity();
    return outcome;
  }

  /** `I / lambda`. */
  private installIdentity(): void {
    const { inverses, size } = this;
    inverses.fill(0);
    for (let row = 0; row * size < inverses.length; row++)
      inverses[row * size + (row % size)] = 1 / this.lambda;
  }

  /** For `CurvatureBlock.state` and `upcoming`. */
  state(): Record<string, FloatArray> {
    return { F: this.moments, inverseF: this.inverses };
  }

  upcoming(): Record<string, FloatArray> {
    return { upcomingF: this.next };
  }

  /** e.g. '10 of 785 x 785', or '10 x 10' of a single one. */
  get dimensions(): string {
    return `${this.count === 1 ? '' : `${this.count} of `}${this.size} x ${this.size}`;
  }

  get bytes(): number {
    return 3 * this.moments.byteLength;
  }
}
