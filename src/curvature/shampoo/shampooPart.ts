/** The part of a variable, folded to a matrix, that has Shampoo factors of its own, and one side of it. */
import type { FloatArray, Job, MatrixForm, Report } from '../../linalg/jobs';
import type { AverageStep } from '../block';
import { allocate, type Precision } from '../shared/factor';

/** What a side is multiplied with: a root of its factor, or the eigenvectors of it. */
export type Basis = 'root' | 'eigen';

/** A second moment of rows or of columns, with its inverse root or its eigenvectors: one in use, one being computed. */
class Side {
  readonly moment: FloatArray;
  current: FloatArray;
  upcoming: FloatArray;
  /** Ascending eigenvalues of what is being computed; nothing reads them but the job that writes them. */
  private readonly values: FloatArray;

  constructor(
    readonly size: number,
    private readonly basis: Basis,
    precision: Precision,
  ) {
    this.moment = allocate(precision, size * size);
    this.current = allocate(precision, size * size);
    this.upcoming = allocate(precision, size * size);
    this.values = allocate(precision, basis === 'eigen' ? size : 0);
  }

  refreshJob(lambda: number, p: 1 | 2 | 4): Job {
    const { moment: matrix, size, values, upcoming } = this;
    return this.basis === 'eigen'
      ? { op: 'eigh', matrix, size, values, vectors: upcoming }
      : {
          op: 'inverseRoot',
          matrix,
          size,
          p,
          damping: lambda,
          method: 'auto',
          tolerance: 0,
          maxIterations: 0,
          out: upcoming,
        };
  }

  install(): void {
    [this.current, this.upcoming] = [this.upcoming, this.current];
  }

  /** What belongs to a factor that is zero. */
  installIdentity(lambda: number, p: number): void {
    this.current.fill(0);
    const value = this.basis === 'eigen' ? 1 : lambda ** (-1 / p);
    for (let i = 0; i < this.size; i++) this.current[i * this.size + i] = value;
  }

  get bytes(): number {
    return 3 * this.moment.byteLength + this.values.byteLength;
  }
}

/** Where a part lies in the matrix of its variable. */
export interface Extent {
  firstRow: number;
  firstColumn: number;
  rows: number;
  columns: number;
}

export class ShampooPart {
  /** Second moment of the columns, V V'; a vector, which is one row, has none. */
  readonly left: Side | null;
  /** Second moment of the rows, V' V. */
  readonly right: Side;
  /** Workspace: what is multiplied, and what comes of it. */
  readonly input: FloatArray;
  readonly output: FloatArray;
  private readonly one: FloatArray;
  private readonly roots: { left: 1 | 2 | 4; right: 1 | 2 | 4 };

  /**
   * @param width columns of the variable's matrix
   * @param exponent e: both sides of a matrix get the root M^-e, the only side of a vector M^-2e
   */
  constructor(
    readonly extent: Extent,
    private readonly width: number,
    isVector: boolean,
    exponent: 0.25 | 0.5,
    basis: Basis,
    precision: Precision,
  ) {
    const { rows, columns } = extent;
    this.left = isVector ? null : new Side(rows, basis, precision);
    this.right = new Side(columns, basis, precision);
    this.input = allocate(precision, rows * columns);
    this.output = allocate(precision, rows * columns);
    this.one = allocate(precision, 1).fill(1);
    const root = exponent === 0.25 ? 4 : 2;
    this.roots = { left: root, right: isVector ? (root === 4 ? 2 : 1) : root };
  }

  get sides(): Side[] {
    return this.left ? [this.left, this.right] : [this.right];
  }

  /** Copies the part out of the variable's elements, into `out`. */
  gather(variable: FloatArray, out: FloatArray): FloatArray {
    const { firstRow, firstColumn, rows, columns } = this.extent;
    for (let r = 0; r < rows; r++) {
      const begin = (firstRow + r) * this.width + firstColumn;
      out.set(variable.subarray(begin, begin + columns), r * columns);
    }
    return out;
  }

  /** Copies `output` to where it belongs among the variable's elements. */
  scatter(variable: FloatArray): void {
    const { firstRow, firstColumn, rows, columns } = this.extent;
    for (let r = 0; r < rows; r++) {
      const part = this.output.subarray(r * columns, (r + 1) * columns);
      variable.set(part, (firstRow + r) * this.width + firstColumn);
    }
  }

  /** Jobs for `L = decay L + scale V V'` and `R = decay R + scale V' V`, V this part of `gradient`, which is copied. */
  updateJobs(gradient: FloatArray, { decay, scale }: AverageStep): Job[] {
    const { rows, columns } = this.extent;
    const data = this.gather(gradient, this.input.slice());
    const { left, right } = this;
    const jobs: Job[] = [
      {
        op: 'factor',
        inputs: [{ data, rows, columns, scale }],
        homogeneous: false,
        decay,
        factor: right.moment,
        size: columns,
      },
    ];
    if (left) {
      jobs.push({
        op: 'product',
        left: data,
        right: data,
        rows,
        inner: columns,
        columns: rows,
        transposeRight: true,
        scale,
        keep: decay,
        out: left.moment,
      });
    }
    return jobs;
  }

  refreshJobs(lambda: number): Job[] {
    const right = this.right.refreshJob(lambda, this.roots.right);
    return this.left ? [this.left.refreshJob(lambda, this.roots.left), right] : [right];
  }

  /** Takes over both sides or none, given the reports of `refreshJobs`. */
  install(reports: Report[], ready: boolean, lambda: number): void {
    if (reports.every(({ status }) => status === 'ok')) {
      for (const side of this.sides) side.install();
    } else if (!ready) {
      this.left?.installIdentity(lambda, this.roots.left);
      this.right.installIdentity(lambda, this.roots.right);
    }
  }

  /** The job for `to = left' from right`, or `to = left from right'` with `back`; `matrices` are those in use unless given. */
  multiplyJob(
    from: FloatArray,
    to: FloatArray,
    back = false,
    matrices = this.sides.map((side) => side.current),
  ): Job {
    const { rows, columns } = this.extent;
    const form: MatrixForm = 'full';
    return {
      op: 'kronecker',
      ...(this.left
        ? { left: matrices[0], leftSize: rows, leftForm: form, leftTransposed: !back }
        : { left: this.one, leftSize: 1, leftForm: 'diagonal' }),
      right: matrices.at(-1)!,
      rightSize: columns,
      rightForm: form,
      rightTransposed: back,
      input: from,
      out: to,
    };
  }

  get bytes(): number {
    const work = this.input.byteLength + this.output.byteLength;
    return this.sides.reduce((sum, { bytes }) => sum + bytes, work);
  }
}

/** The parts of a matrix, none with more rows or columns than `blockSize`; a vector has one row. */
export function extents(rows: number, columns: number, blockSize: number): Extent[] {
  const cut = (length: number) =>
    Array.from({ length: Math.ceil(length / blockSize) }, (_, i): [number, number] => {
      return [i * blockSize, Math.min(blockSize, length - i * blockSize)];
    });
  return cut(rows).flatMap(([firstRow, height]) =>
    cut(columns).map(([firstColumn, width]) => ({ firstRow, firstColumn, rows: height, columns: width })),
  );
}

/** The matrix as which a variable is seen: leading axes folded into rows, as convolutions do it; a vector or number as one row. */
export function fold(shape: number[]): { rows: number; columns: number; isVector: boolean } {
  const size = shape.reduce((product, length) => product * length, 1);
  const columns = shape.at(-1) ?? 1;
  const rows = size / columns;
  return rows === 1 || columns === 1
    ? { rows: 1, columns: size, isVector: true }
    : { rows, columns, isVector: false };
}
