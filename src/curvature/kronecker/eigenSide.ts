/** One side of a Kronecker product: a second moment with its eigenvectors. */
import type { FloatArray, Job, Report } from '../../linalg/jobs';
import { allocate, Moment, type Precision } from '../shared/factor';
import type { Operand } from '../shared/kroneckerJob';

/**
 * A second moment with its eigendecomposition `V diag(values) V'`, kept twice: one in use, one being computed, swapped by `install`. A
 * moment that is only a diagonal has the standard basis. Before the first decomposition the basis is the standard one with zeros.
 */
export class EigenSide extends Moment {
  /** Eigenvectors as columns; ones for a diagonal moment. */
  vectors: FloatArray;
  upcomingVectors: FloatArray;
  values: FloatArray;
  upcomingValues: FloatArray;

  constructor(size: number, form: 'lower' | 'diagonal', precision: Precision) {
    super(size, form, precision);
    const identity = () => {
      const vectors = allocate(precision, this.moment.length);
      for (let i = 0; i < size; i++) vectors[form === 'diagonal' ? i : i * size + i] = 1;
      return vectors;
    };
    this.vectors = identity();
    this.upcomingVectors = identity();
    this.values = allocate(precision, size);
    this.upcomingValues = allocate(precision, size);
  }

  /** The job that decomposes the moment. */
  refreshJob(): Job {
    return this.form === 'diagonal'
      ? { op: 'combine', terms: [{ data: this.moment, scale: 1 }], out: this.upcomingValues }
      : this.eighJob(this.upcomingVectors, this.upcomingValues);
  }

  eighJob(vectors: FloatArray, values: FloatArray): Job {
    return { op: 'eigh', matrix: this.moment, size: this.size, values, vectors };
  }

  /** Whether `refreshJob` succeeded, given its report. */
  succeeded(report: Report): boolean {
    return report.status === 'ok' && this.upcomingValues.every((value) => Number.isFinite(value));
  }

  /** Swaps in what `refreshJob` computed. Rounding leaves eigenvalues of a singular moment below zero; they are set to zero. */
  install(): void {
    [this.vectors, this.upcomingVectors] = [this.upcomingVectors, this.vectors];
    [this.values, this.upcomingValues] = [this.upcomingValues, this.values];
    for (let i = 0; i < this.size; i++) this.values[i] = Math.max(this.values[i], 0);
  }

  /** Those that only jobs use: not the eigenvalues, which `succeeded` and `install` look at. */
  get arrays(): FloatArray[] {
    return [this.moment, this.vectors, this.upcomingVectors];
  }

  /** For the jobs that multiply by eigenvectors, those in use or others, or by their transpose. */
  basis(vectors: FloatArray, transposed: boolean): Operand {
    const { size } = this;
    return this.form === 'diagonal'
      ? { matrix: vectors, size, form: 'diagonal' }
      : { matrix: vectors, size, form: 'full', transposed };
  }

  get bytes(): number {
    return 3 * this.moment.byteLength + 2 * this.values.byteLength;
  }
}
