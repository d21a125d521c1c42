/**
 * One dense block per output unit, over the weights into it and its bias: Y. Ollivier, "Riemannian metrics for neural networks I", 2015
 * (the unitwise Fisher metric); R. Karakida and K. Osawa, "Understanding Approximate Fisher Information for Fast Convergence of Natural
 * Gradient Descent in Wide Neural Networks", 2020.
 *
 *     F_j = 1/N sum_{n,r} g_nrj^2 a~_nr a~_nr'        direction_j = (F_j + lambda I)^-1 V_j
 *
 * It is the exact block of the unit where an example has one row; several (positions of a convolution, time steps) count as if they were
 * independent, as in K-FAC. This is the primal form: it keeps every F_j and its inverse, 3 out (in + 1)^2 numbers, and averages over all
 * batches. See `unitWiseDual.ts` for wide layers.
 *
 * A unit whose g is all but zero has a block that is all but zero and a step of V_j / lambda: choose the damping accordingly.
 */
import type { FloatArray, Job, Report } from '../../linalg/jobs';
import {
  parameterCount,
  type Activation,
  type AverageStep,
  type BlockShape,
  type BlockSummary,
  type CurvatureBlock,
  type RefreshOutcome,
  type Statistics,
} from '../block';
import { allocate, type Precision } from '../shared/factor';
import { gatherJobs, scatterJobs, type MatrixShape } from '../shared/layerMatrix';
import { dotPhase, type Phase } from '../phases';

export interface UnitWiseBlockOptions {
  shape: BlockShape;
  /** Length of an input row or patch, without the homogeneous coordinate. */
  inputSize: number;
  outputSize: number;
  /** Whether the second variable is the bias. */
  bias: boolean;
  /** The kernel is [out, in] and used transposed; never with a bias. */
  transposed?: boolean;
  precision?: Precision;
}

export class UnitWiseBlock implements CurvatureBlock {
  readonly structure = 'unit-wise';
  readonly shape: BlockShape;
  readonly needs = [{ activations: true, outputGradients: true }];
  ready = false;

  private readonly size: number;
  private readonly units: number;
  private readonly bias: boolean;
  private readonly transposed: boolean;
  private readonly matrix: MatrixShape;
  /** Lower triangles, one matrix per unit. */
  private readonly moments: FloatArray;
  private inverses: FloatArray;
  private upcomingInverses: FloatArray;
  private readonly identity: FloatArray;
  /** The variables as one matrix, and the vectors of the units, [out, in + 1]. */
  private readonly gathered: FloatArray;
  private readonly vectors: FloatArray;
  private readonly solutions: FloatArray;
  private lambda = 0;

  constructor(options: UnitWiseBlockOptions) {
    const { shape, inputSize, outputSize, bias, transposed = false, precision = 'float32' } = options;
    this.shape = shape;
    this.size = inputSize + (bias ? 1 : 0);
    this.units = outputSize;
    this.bias = bias;
    this.transposed = transposed;
    const [rows, columns] = transposed ? [outputSize, this.size] : [this.size, outputSize];
    this.matrix = { rows, columns, bias };
    const stack = outputSize * this.size ** 2;
    this.moments = allocate(precision, stack);
    this.inverses = allocate(precision, stack);
    this.upcomingInverses = allocate(precision, stack);
    this.identity = allocate(precision, this.size ** 2);
    for (let i = 0; i < this.size; i++) this.identity[i * (this.size + 1)] = 1;
    this.gathered = allocate(precision, rows * columns);
    this.vectors = allocate(precision, rows * columns);
    this.solutions = allocate(precision, rows * columns);
  }

  /** What such a block would keep, in bytes. */
  static bytes(inputSize: number, outputSize: number, precision: Precision): number {
    return 3 * outputSize * inputSize ** 2 * (precision === 'float32' ? 4 : 8);
  }

  updatePhases([{ examples, activations, passes }]: Statistics[], { decay, scale }: AverageStep): Phase[] {
    const inputs = passes.flatMap(({ weight, gradientScale, outputGradients }) =>
      activations!.map((activation, use) => ({
        ...(activation as Exclude<Activation, { indices: Int32Array }>),
        gradients: outputGradients![use].data,
        scale: (scale * weight * gradientScale ** 2) / examples,
      })),
    );
    const job: Job = {
      op: 'unitFactors',
      inputs,
      homogeneous: this.bias,
      decay,
      factors: this.moments,
      size: this.size,
      count: this.units,
    };
    return [{ jobs: [job] }];
  }

  refreshPhases(lambda: number): Phase[] {
    this.lambda = lambda;
    const job: Job = {
      op: 'inverse',
      matrix: this.moments,
      size: this.size,
      count: this.units,
      damping: lambda,
      out: this.upcomingInverses,
    };
    return [{ jobs: [job] }];
  }

  install([report]: Report[]): RefreshOutcome {
    if (report.status === 'ok') {
      [this.inverses, this.upcomingInverses] = [this.upcomingInverses, this.inverses];
    } else if (!this.ready) {
      this.inverses.fill(0);
      for (let at = 0; at < this.inverses.length; at += this.size ** 2) {
        for (let i = 0; i < this.size; i++) this.inverses[at + i * (this.size + 1)] = 1 / this.lambda;
      }
    }
    this.ready = true;
    return {
      failures: report.status === 'ok' ? 0 : 1,
      retries: report.retries > 0 ? 1 : 0,
      minEigenvalue: report.minEigenvalue,
      overflowed: report.status === 'notFinite',
    };
  }

  restart(): void {
    this.moments.fill(0);
  }

  preconditionPhases(gradients: FloatArray[], directions: FloatArray[]): Phase[] {
    return [
      ...this.toUnits(gradients),
      { jobs: [this.timesStack(this.inverses, { transpose: false, keep: 0 })] },
      ...this.fromUnits(directions),
      dotPhase(gradients, directions),
    ];
  }

  /** With L the lower triangles, which the stack holds, `F = L + L' - diag(L)`. */
  multiplyPhases(vectors: FloatArray[], products: FloatArray[]): Phase[] {
    const diagonal = this.vectors.slice();
    const readDiagonal = () => {
      for (let i = 0; i < diagonal.length; i++) {
        const [unit, at] = [Math.floor(i / this.size), i % this.size];
        diagonal[i] = this.moments[unit * this.size ** 2 + at * (this.size + 1)];
      }
    };
    const terms = [
      { data: this.solutions, scale: 1 },
      { data: diagonal, scale: -1 },
    ];
    return [
      ...this.toUnits(vectors),
      { jobs: [this.timesStack(this.moments, { transpose: false, keep: 0 })], then: readDiagonal },
      {
        jobs: [
          this.timesStack(this.moments, { transpose: true, keep: 1 }),
          {
            op: 'elementwise',
            how: 'multiply',
            left: diagonal,
            right: this.vectors,
            offset: 0,
            out: diagonal,
          },
        ],
      },
      { jobs: [{ op: 'combine', terms, out: this.solutions }] },
      ...this.fromUnits(products),
      dotPhase(vectors, products),
    ];
  }

  /** `solutions = keep solutions + stack vectors`, unit by unit. */
  private timesStack(stack: FloatArray, { transpose, keep }: { transpose: boolean; keep: number }): Job {
    return {
      op: 'product',
      left: stack,
      transposeLeft: transpose,
      right: this.vectors,
      rows: this.size,
      inner: this.size,
      columns: 1,
      count: this.units,
      scale: 1,
      keep,
      out: this.solutions,
    };
  }

  /** Phases that bring the variables into the order of the units: a transposition, as a product with the identity. */
  private toUnits(variables: FloatArray[]): Phase[] {
    if (this.transposed) return [{ jobs: gatherJobs(variables, this.vectors, this.matrix) }];
    const transpose: Job = {
      op: 'product',
      left: this.gathered,
      transposeLeft: true,
      right: this.identity,
      rows: this.units,
      inner: this.size,
      columns: this.size,
      scale: 1,
      keep: 0,
      out: this.vectors,
    };
    return [{ jobs: gatherJobs(variables, this.gathered, this.matrix) }, { jobs: [transpose] }];
  }

  private fromUnits(variables: FloatArray[]): Phase[] {
    if (this.transposed) return [{ jobs: scatterJobs(this.solutions, variables, this.matrix) }];
    const transpose: Job = {
      op: 'product',
      left: this.identity,
      right: this.solutions,
      transposeRight: true,
      rows: this.size,
      inner: this.size,
      columns: this.units,
      scale: 1,
      keep: 0,
      out: this.gathered,
    };
    return [{ jobs: [transpose] }, { jobs: scatterJobs(this.gathered, variables, this.matrix) }];
  }

  toDense(): Float64Array {
    const { size, units } = this;
    const n = size * units;
    const dense = new Float64Array(n * n);
    const place = (unit: number, i: number) => (this.transposed ? unit * size + i : i * units + unit);
    for (let unit = 0; unit < units; unit++) {
      for (let i = 0; i < size; i++) {
        for (let j = 0; j < size; j++) {
          const [low, high] = [Math.max(i, j), Math.min(i, j)];
          const value = this.moments[(unit * size + low) * size + high];
          dense[place(unit, i) * n + place(unit, j)] = value;
        }
      }
    }
    return dense;
  }

  state(): Record<string, FloatArray> {
    return { F: this.moments, inverseF: this.inverses };
  }

  upcoming(): Record<string, FloatArray> {
    return { upcomingF: this.upcomingInverses };
  }

  loaded(ready: boolean): void {
    this.ready = ready;
  }

  summary(): BlockSummary {
    return {
      variables: this.shape.names.join(', '),
      structure: this.structure,
      matrices: `${this.units} of ${this.size} x ${this.size}`,
      parameters: parameterCount(this.shape),
      bytes: 3 * this.moments.byteLength + this.identity.byteLength + 3 * this.vectors.byteLength,
      reason: '',
    };
  }
}
