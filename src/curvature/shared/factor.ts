import type { FloatArray, Job, Report } from '../../linalg/jobs';
import type { Activation, AverageStep } from '../block';
import type { Operand } from './kroneckerJob';
import { byWeight } from './rowWeights';

export type Precision = 'float32' | 'float64';

/** A zero-filled array of the given precision. */
export function allocate(precision: Precision, length: number): FloatArray {
  return precision === 'float32' ? new Float32Array(length) : new Float64Array(length);
}

/**
 * A symmetric second moment of rows, either a dense matrix (its lower triangle) or only its diagonal (one-hot inputs, or sizes whose
 * square would not fit into memory).
 */
export class Moment {
  readonly moment: FloatArray;

  constructor(
    readonly size: number,
    readonly form: 'lower' | 'diagonal',
    precision: Precision,
  ) {
    this.moment = allocate(precision, form === 'diagonal' ? size : size * size);
  }

  /**
   * Jobs for `moment = decay moment + scale sum_r x_r x_r'`. With `homogeneous` every row x_r has a 1 appended, whose own moment is 1
   * always; a diagonal factor keeps it as it was set. Rows with weights w_r enter as `w_r x_r x_r'`.
   */
  updateJobs(rows: Activation[], homogeneous: boolean, { decay, scale }: AverageStep): Job[] {
    const parts = rows.flatMap(byWeight);
    if (this.form === 'lower') {
      const inputs = parts.map(({ rows: input, weight }) => ({
        ...(input as Exclude<Activation, { indices: Int32Array }>),
        scale: scale * weight,
      }));
      return [{ op: 'factor', inputs, homogeneous, decay, factor: this.moment, size: this.size }];
    }
    const inputs = parts.map(({ rows: input, weight }) => ({
      ...(input as Exclude<Activation, { geometry: object }>),
      scale: scale * weight,
    }));
    const factor = homogeneous ? this.moment.subarray(0, this.size - 1) : this.moment;
    return [{ op: 'diagonalFactor', inputs, decay, factor }];
  }

  /** Begins anew. With `homogeneous` a diagonal has the moment of the appended 1, which `updateJobs` leaves as it is. */
  clear(homogeneous: boolean): void {
    this.moment.fill(0);
    if (this.form === 'diagonal' && homogeneous) this.moment[this.size - 1] = 1;
  }

  /** For the jobs that multiply by the moment. */
  get operand(): Operand {
    return { matrix: this.moment, size: this.size, form: this.form };
  }

  /** Element (i, j) of the moment. */
  at(i: number, j: number): number {
    if (this.form === 'diagonal') return i === j ? this.moment[i] : 0;
    return i >= j ? this.moment[i * this.size + j] : this.moment[j * this.size + i];
  }

  /** e.g. '785 x 785' or 'diagonal 10000'. */
  get dimensions(): string {
    return this.form === 'diagonal' ? `diagonal ${this.size}` : `${this.size} x ${this.size}`;
  }
}

/** `left (x) right` as a dense matrix, row-major. */
export function denseProduct(left: Moment, right: Moment): Float64Array {
  const n = left.size * right.size;
  const dense = new Float64Array(n * n);
  for (let row = 0; row < n; row++) {
    for (let column = 0; column < n; column++) {
      const [i, j] = [Math.floor(row / right.size), row % right.size];
      const [k, l] = [Math.floor(column / right.size), column % right.size];
      dense[row * n + column] = left.at(i, k) * right.at(j, l);
    }
  }
  return dense;
}

/**
 * One side of a Kronecker product: a second moment with its damped inverse. The inverse is kept twice: one in use, one being computed,
 * swapped by `install`.
 */
export class Factor extends Moment {
  inverse: FloatArray;
  upcoming: FloatArray;

  constructor(size: number, form: 'lower' | 'diagonal', precision: Precision) {
    super(size, form, precision);
    this.inverse = allocate(precision, this.moment.length);
    this.upcoming = allocate(precision, this.moment.length);
  }

  /**
   * The job that computes the inverse: with this side's share of the damping `lambda` of the product with `partner`, or with all of it
   * where there is no partner.
   */
  refreshJob(lambda: number, partner?: Moment): Job {
    const damped = {
      damping: lambda,
      ...(partner && {
        partner: { matrix: partner.moment, size: partner.size, diagonal: partner.form === 'diagonal' },
      }),
    };
    return this.form === 'diagonal'
      ? { op: 'diagonalInverse', diagonal: this.moment, out: this.upcoming, ...damped }
      : { op: 'inverse', matrix: this.moment, size: this.size, out: this.upcoming, ...damped };
  }

  /** Swaps in what `refreshJob` computed; false (and no change) if it failed. */
  install(report: Report): boolean {
    if (report.status !== 'ok') return false;
    [this.inverse, this.upcoming] = [this.upcoming, this.inverse];
    return true;
  }

  /** An inverse to begin with when the first one cannot be computed: `I / root`, as if the moment were zero. */
  installIdentity(root: number): void {
    this.inverse.fill(this.form === 'diagonal' ? 1 / root : 0);
    if (this.form === 'lower') for (let i = 0; i < this.size; i++) this.inverse[i * this.size + i] = 1 / root;
  }

  /** For the jobs that multiply by the inverse. */
  get inverseOperand(): Operand {
    const form = this.form === 'diagonal' ? 'diagonal' : 'full';
    return { matrix: this.inverse, size: this.size, form };
  }

  /** Those that only jobs use, once there is an inverse. */
  get arrays(): FloatArray[] {
    return [this.moment, this.inverse, this.upcoming];
  }

  get bytes(): number {
    return 3 * this.moment.byteLength;
  }
}
