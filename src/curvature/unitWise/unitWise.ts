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
import { combineJob, multiplyJob } from '../shared/elementwiseJobs';
import { FactorStack } from '../shared/factorStack';
import { product } from '../shared/productJob';
import { dotPhase, type Phase } from '../phases';
import { summaryOf } from '../shared/summary';

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
  /** One matrix per unit; of the moments the lower triangles. */
  private readonly factors: FactorStack;
  private readonly identity: FloatArray;
  /** The variables as one matrix, and the vectors of the units, [out, in + 1]. */
  private readonly gathered: FloatArray;
  private readonly vectors: FloatArray;
  private readonly solutions: FloatArray;

  constructor(options: UnitWiseBlockOptions) {
    const { shape, inputSize, outputSize, bias, transposed = false, precision = 'float32' } = options;
    this.shape = shape;
    this.size = inputSize + (bias ? 1 : 0);
    this.units = outputSize;
    this.bias = bias;
    this.transposed = transposed;
    const [rows, columns] = transposed ? [outputSize, this.size] : [this.size, outputSize];
    this.matrix = { rows, columns, bias };
    this.factors = new FactorStack(this.size, outputSize, precision);
    this.identity = allocate(precision, this.size ** 2);
    for (let i = 0; i < this.size; i++) this.identity[i * (this.size + 1)] = 1;
    this.gathered = allocate(precision, rows * columns);
    this.vectors = allocate(precision, rows * columns);
    this.solutions = allocate(precision, rows * columns);
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
      factors: this.factors.moments,
      size: this.size,
      count: this.units,
    };
    return [{ jobs: [job] }];
  }

  refreshPhases(lambda: number): Phase[] {
    return this.factors.refreshPhases(lambda);
  }

  install(reports: Report[]): RefreshOutcome {
    const outcome = this.factors.install(reports, this.ready);
    this.ready = true;
    return outcome;
  }

  restart(): void {
    this.factors.moments.fill(0);
  }

  preconditionPhases(gradients: FloatArray[], directions: FloatArray[]): Phase[] {
    return [
      ...this.toUnits(gradients),
      { jobs: [this.timesStack(this.factors.inverses, { transpose: false, keep: 0 })] },
      ...this.fromUnits(directions),
      dotPhase(gradients, directions),
    ];
  }

  /** With L the lower triangles, which the stack holds, `F = L + L' - diag(L)`. */
  multiplyPhases(vectors: FloatArray[], products: FloatArray[]): Phase[] {
    const { moments } = this.factors;
    const diagonal = this.vectors.slice();
    const readDiagonal = () => {
      for (let i = 0; i < diagonal.length; i++) {
        const [unit, at] = [Math.floor(i / this.size), i % this.size];
        diagonal[i] = moments[unit * this.size ** 2 + at * (this.size + 1)];
      }
    };
    return [
      ...this.toUnits(vectors),
      { jobs: [this.timesStack(moments, { transpose: false, keep: 0 })], then: readDiagonal },
      {
        jobs: [
          this.timesStack(moments, { transpose: true, keep: 1 }),
          multiplyJob(diagonal, this.vectors, diagonal),
        ],
      },
      {
        jobs: [
          combineJob(
            [
              [1, this.solutions],
              [-1, diagonal],
            ],
            this.solutions,
          ),
        ],
      },
      ...this.fromUnits(products),
      dotPhase(vectors, products),
    ];
  }

  /** `solutions = keep solutions + stack vectors`, unit by unit. */
  private timesStack(stack: FloatArray, { transpose, keep }: { transpose: boolean; keep: number }): Job {
    const { size, units, vectors, solutions } = this;
    return product([size, size, 1], stack, vectors, solutions, {
      transposeLeft: transpose,
      count: units,
      keep,
    });
  }

  /** Phases that bring the variables into the order of the units: a transposition, as a product with the identity. */
  private toUnits(variables: FloatArray[]): Phase[] {
    if (this.transposed) return [{ jobs: gatherJobs(variables, this.vectors, this.matrix) }];
    const { size, units, identity, gathered, vectors } = this;
    const transpose = product([units, size, size], gathered, identity, vectors, { transposeLeft: true });
    return [{ jobs: gatherJobs(variables, gathered, this.matrix) }, { jobs: [transpose] }];
  }

  private fromUnits(variables: FloatArray[]): Phase[] {
    if (this.transposed) return [{ jobs: scatterJobs(this.solutions, variables, this.matrix) }];
    const { size, units, identity, gathered, solutions } = this;
    const transpose = product([size, size, units], identity, solutions, gathered, { transposeRight: true });
    return [{ jobs: [transpose] }, { jobs: scatterJobs(gathered, variables, this.matrix) }];
  }

  toDense(): Float64Array {
    const { size, units } = this;
    const { moments } = this.factors;
    const n = size * units;
    const dense = new Float64Array(n * n);
    const place = (unit: number, i: number) => (this.transposed ? unit * size + i : i * units + unit);
    for (let unit = 0; unit < units; unit++) {
      for (let i = 0; i < size; i++) {
        for (let j = 0; j < size; j++) {
          const [low, high] = [Math.max(i, j), Math.min(i, j)];
          const value = moments[(unit * size + low) * size + high];
          dense[place(unit, i) * n + place(unit, j)] = value;
        }
      }
    }
    return dense;
  }

  state(): Record<string, FloatArray> {
    return this.factors.state();
  }

  upcoming(): Record<string, FloatArray> {
    return this.factors.upcoming();
  }

  loaded(ready: boolean): void {
    this.ready = ready;
  }

  summary(): BlockSummary {
    const { dimensions: matrices, bytes } = this.factors;
    return summaryOf(this, {
      matrices,
      bytes: bytes + this.identity.byteLength + 3 * this.vectors.byteLength,
    });
  }
}
