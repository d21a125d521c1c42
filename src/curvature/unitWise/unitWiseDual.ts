/**
 * The blocks of `unitWise.ts` in dual form, for layers with more inputs than rows are worth keeping: over a window of the last W rows
 * (a~_r, g_r) of weights w_r (see `rowWindow.ts`). With X the matrix of their a~ and gamma_rj = sqrt(w_r) g_rj,
 *
 *     F_j = X' diag(gamma_j)^2 X,    K_j = (gamma_j gamma_j') * (X X')    (elementwise product, W x W)
 *     (F_j + lambda I)^-1 V_j = 1/lambda [ V_j - X' diag(gamma_j) (K_j + lambda I)^-1 diag(gamma_j) X V_j ]
 *
 * by the Woodbury identity. Memory is 3 out W^2 numbers instead of 3 out (in + 1)^2, and the average reaches back W rows.
 */
import { NatgradError } from '../../errors';
import type { FloatArray, Job, Report } from '../../linalg/jobs';
import {
  type AverageStep,
  type BlockShape,
  type BlockSummary,
  type CurvatureBlock,
  type RefreshOutcome,
  type Statistics,
} from '../block';
import { multiplyJob } from '../shared/elementwiseJobs';
import { allocate, type Precision } from '../shared/factor';
import { copyJob, gatherJobs, scatterJobs, type MatrixShape } from '../shared/layerMatrix';
import { outcomeOf } from '../shared/outcome';
import { product } from '../shared/productJob';
import { summaryOf } from '../shared/summary';
import { dotPhase, type Phase } from '../phases';
import { RowWindow } from './rowWindow';
import type { UnitWiseBlockOptions } from './unitWise';

/** The window as the inverses in use, or those being computed, belong to it. */
interface Snapshot {
  /** [W, in + 1] */
  inputs: FloatArray;
  /** gamma', [out, W] */
  gradients: FloatArray;
  /** (K_j + lambda I)^-1, [out, W, W] */
  inverses: FloatArray;
  lambda: Float64Array;
}

export class UnitWiseDualBlock implements CurvatureBlock {
  readonly structure = 'unit-wise, dual';
  readonly shape: BlockShape;
  readonly needs = [{ activations: true, outputGradients: true }];
  ready = false;

  private readonly size: number;
  private readonly units: number;
  private readonly transposed: boolean;
  private readonly matrix: MatrixShape;
  private readonly window: RowWindow;
  private inUse: Snapshot;
  private next: Snapshot;
  private readonly gram: FloatArray;
  private readonly kernels: FloatArray;
  private readonly gathered: FloatArray;
  private readonly projections: FloatArray;
  private readonly solutions: FloatArray;

  /** @param options.window how many rows are kept */
  constructor(options: UnitWiseBlockOptions & { window: number }) {
    const { shape, inputSize, outputSize, bias, transposed = false, precision = 'float32', window } = options;
    this.shape = shape;
    this.size = inputSize + (bias ? 1 : 0);
    this.units = outputSize;
    this.transposed = transposed;
    const [rows, columns] = transposed ? [outputSize, this.size] : [this.size, outputSize];
    this.matrix = { rows, columns, bias };
    this.window = new RowWindow(window, this.size, outputSize, precision);
    const snapshot = (): Snapshot => ({
      inputs: allocate(precision, window * this.size),
      gradients: allocate(precision, window * outputSize),
      inverses: allocate(precision, outputSize * window ** 2),
      lambda: Float64Array.of(0),
    });
    this.inUse = snapshot();
    this.next = snapshot();
    this.gram = allocate(precision, window ** 2);
    this.kernels = allocate(precision, outputSize * window ** 2);
    this.gathered = allocate(precision, rows * columns);
    this.projections = allocate(precision, window * outputSize);
    this.solutions = allocate(precision, window * outputSize);
  }

  /** What such a block would keep, in bytes. */
  static bytes(inputSize: number, outputSize: number, window: number, precision: Precision): number {
    const numbers = 3 * window * (outputSize * window + inputSize + outputSize);
    return numbers * (precision === 'float32' ? 4 : 8);
  }

  updatePhases([statistics]: Statistics[], average: AverageStep): Phase[] {
    return [{ jobs: this.window.updateJobs(statistics, average) }];
  }

  /** @throws NatgradError ERR_NATGRAD_ARGUMENT without damping, which the dual form divides by */
  refreshPhases(lambda: number): Phase[] {
    if (!(lambda > 0)) {
      throw new NatgradError(
        'ERR_NATGRAD_ARGUMENT',
        `damping is ${lambda}; the dual form of unit-wise blocks divides by it, so give a positive number or \`form: 'primal'\`.`,
      );
    }
    const { size, units, kernels, gram, next } = this;
    const { inputs, length } = this.window;
    next.lambda[0] = lambda;
    const inputGram = product([length, size, length], inputs, inputs, gram, { transposeRight: true });
    const outer = product([length, 1, length], next.gradients, next.gradients, kernels, { count: units });
    const multiply = Array.from({ length: units }, (_, j): Job => {
      const kernel = kernels.subarray(j * length ** 2, (j + 1) * length ** 2);
      return multiplyJob(kernel, gram, kernel);
    });
    const inverse: Job = {
      op: 'inverse',
      matrix: kernels,
      size: length,
      count: units,
      damping: lambda,
      out: next.inverses,
    };
    return [
      { jobs: [copyJob(inputs, next.inputs), this.window.scaledGradients(next.gradients), inputGram] },
      { jobs: [outer] },
      { jobs: multiply },
      { jobs: [inverse] },
    ];
  }

  install(reports: Report[]): RefreshOutcome {
    const outcome = outcomeOf(reports.slice(-1));
    if (outcome.failures === 0) [this.inUse, this.next] = [this.next, this.inUse];
    else if (!this.ready) this.inUse.lambda.set(this.next.lambda);
    this.ready = true;
    return outcome;
  }

  restart(): void {
    this.window.restart();
  }

  preconditionPhases(gradients: FloatArray[], directions: FloatArray[]): Phase[] {
    const { inputs, gradients: scaled, inverses, lambda } = this.inUse;
    const { units, projections, solutions } = this;
    const { length } = this.window;
    const solve = product([length, length, 1], inverses, projections, solutions, { count: units });
    const factor = 1 / lambda[0];
    return [
      { jobs: gatherJobs(gradients, this.gathered, this.matrix) },
      { jobs: [this.project(inputs)] },
      { jobs: [multiplyJob(projections, scaled, projections)] },
      { jobs: [solve] },
      { jobs: [multiplyJob(solutions, scaled, solutions)] },
      { jobs: [this.lift(inputs, solutions, { scale: -factor, keep: factor })] },
      { jobs: scatterJobs(this.gathered, directions, this.matrix) },
      dotPhase(gradients, directions),
    ];
  }

  multiplyPhases(vectors: FloatArray[], products: FloatArray[]): Phase[] {
    const { projections, solutions: scaled } = this;
    const { inputs } = this.window;
    return [
      { jobs: [...gatherJobs(vectors, this.gathered, this.matrix), this.window.scaledGradients(scaled)] },
      { jobs: [this.project(inputs)] },
      { jobs: [multiplyJob(projections, scaled, projections)] },
      { jobs: [multiplyJob(projections, scaled, projections)] },
      { jobs: [this.lift(inputs, projections, { scale: 1, keep: 0 })] },
      { jobs: scatterJobs(this.gathered, products, this.matrix) },
      dotPhase(vectors, products),
    ];
  }

  /** `projections = V' X'`, [out, W]. */
  private project(inputs: FloatArray): Job {
    const { units, size, window, gathered, projections, transposed } = this;
    return product([units, size, window.length], gathered, inputs, projections, {
      transposeLeft: !transposed,
      transposeRight: true,
    });
  }

  /** `V = keep V + scale X' Z'` with Z [out, W]. */
  private lift(inputs: FloatArray, coefficients: FloatArray, how: { scale: number; keep: number }): Job {
    const { size, units, window, gathered, transposed } = this;
    return transposed
      ? product([units, window.length, size], coefficients, inputs, gathered, how)
      : product([size, window.length, units], inputs, coefficients, gathered, {
          ...how,
          transposeLeft: true,
          transposeRight: true,
        });
  }

  toDense(): Float64Array {
    const { size, units, window } = this;
    const n = size * units;
    const dense = new Float64Array(n * n);
    const place = (unit: number, i: number) => (this.transposed ? unit * size + i : i * units + unit);
    for (let r = 0; r < window.length; r++) {
      for (let unit = 0; unit < units; unit++) {
        const weight = window.weightOf(r, unit);
        for (let i = 0; i < size; i++) {
          for (let j = 0; j < size; j++) {
            dense[place(unit, i) * n + place(unit, j)] +=
              weight * window.inputs[r * size + i] * window.inputs[r * size + j];
          }
        }
      }
    }
    return dense;
  }

  state(): Record<string, FloatArray> {
    const { inputs: inUseInputs, gradients: inUseGradients, inverses, lambda } = this.inUse;
    return { ...this.window.state(), inUseInputs, inUseGradients, inverses, lambda };
  }

  upcoming(): Record<string, FloatArray> {
    const { inputs, gradients, inverses, lambda } = this.next;
    return {
      upcomingInputs: inputs,
      upcomingGradients: gradients,
      upcomingInverses: inverses,
      upcomingLambda: lambda,
    };
  }

  loaded(ready: boolean): void {
    this.ready = ready;
  }

  summary(): BlockSummary {
    const { length } = this.window;
    const scratch = this.gathered.byteLength + 2 * this.projections.byteLength + this.gram.byteLength;
    return summaryOf(this, {
      matrices: `${this.units} of ${length} x ${length}`,
      bytes: 3 * this.window.bytes + 3 * this.inUse.inverses.byteLength + scratch,
    });
  }
}
