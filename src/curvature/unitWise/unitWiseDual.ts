/**
 * The blocks of `unitWise.ts` in dual form, for layers with more inputs than rows are worth keeping. Of the last rows (a~_r, g_r) a window
 * of W is kept, with weights w_r that fall as batches age and add up to one batch. With X the matrix of their a~ and gamma_rj = sqrt(w_r)
 * g_rj,
 *
 *     F_j = X' diag(gamma_j)^2 X,    K_j = (gamma_j gamma_j') * (X X')    (elementwise product, W x W)
 *     (F_j + lambda I)^-1 V_j = 1/lambda [ V_j - X' diag(gamma_j) (K_j + lambda I)^-1 diag(gamma_j) X V_j ]
 *
 * by the Woodbury identity. Memory is 3 out W^2 numbers instead of 3 out (in + 1)^2, and the average reaches back W rows. Of a batch with
 * more rows than that, evenly spaced ones are taken, with larger weights.
 */
import { NatgradError } from '../../errors';
import type { FloatArray, Job, Report } from '../../linalg/jobs';
import {
  type AverageStep,
  type BlockShape,
  type BlockSummary,
  type CurvatureBlock,
  type RefreshOutcome,
  type Rows,
  type Statistics,
} from '../block';
import { allocate, type Precision } from '../shared/factor';
import { copyJob, gatherJobs, scatterJobs, type MatrixShape } from '../shared/layerMatrix';
import { dotPhase, type Phase } from '../phases';
import { like } from '../shared/rowCopies';
import type { UnitWiseBlockOptions } from './unitWise';
import { summaryOf } from '../shared/summary';

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
  private readonly window: number;
  private readonly transposed: boolean;
  private readonly matrix: MatrixShape;
  /** The window: rows of a~ and of g, what each counts for, and its share of a batch; the next row goes to `position`. */
  private readonly inputs: FloatArray;
  private readonly gradients: FloatArray;
  private readonly weights: Float64Array;
  private readonly shares: Float64Array;
  private readonly position = Float64Array.of(0);
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
    this.window = window;
    this.transposed = transposed;
    const [rows, columns] = transposed ? [outputSize, this.size] : [this.size, outputSize];
    this.matrix = { rows, columns, bias };
    this.inputs = allocate(precision, window * this.size);
    this.gradients = allocate(precision, window * outputSize);
    this.weights = new Float64Array(window);
    this.shares = new Float64Array(window);
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

  updatePhases([{ examples, activations, passes }]: Statistics[], { decay, scale }: AverageStep): Phase[] {
    const { window, size, units } = this;
    const sources = passes.flatMap(({ weight, gradientScale, outputGradients }) =>
      activations!.map((activation, use) => ({
        input: activation as Rows,
        gradient: outputGradients![use],
        weight: (scale * weight * gradientScale ** 2) / examples,
      })),
    );
    const total = sources.reduce((sum, { input }) => sum + input.rows, 0);
    const kept = Math.min(total, window);
    const inputs = like(this.inputs, kept * size).fill(1);
    const gradients = like(this.inputs, kept * units);
    for (let r = 0; r < window; r++) {
      this.weights[r] *= decay;
      this.shares[r] *= decay;
    }
    const [begin] = this.position;
    let source = 0;
    let before = 0;
    for (let k = 0; k < kept; k++) {
      const row = Math.floor((k * total) / kept);
      while (row - before >= sources[source].input.rows) before += sources[source++].input.rows;
      const { input, gradient, weight } = sources[source];
      const at = row - before;
      inputs.set(input.data.subarray(at * input.columns, (at + 1) * input.columns), k * size);
      gradients.set(gradient.data.subarray(at * units, (at + 1) * units), k * units);
      this.weights[(begin + k) % window] = (weight * total) / kept;
      this.shares[(begin + k) % window] = scale / kept;
    }
    this.position[0] = (begin + kept) % window;
    const jobs: Job[] = [];
    const put = (rows: FloatArray, width: number, ring: FloatArray) => {
      const first = Math.min(kept, window - begin);
      jobs.push(
        copyJob(rows.subarray(0, first * width), ring.subarray(begin * width, (begin + first) * width)),
      );
      if (first < kept)
        jobs.push(copyJob(rows.subarray(first * width), ring.subarray(0, (kept - first) * width)));
    };
    put(inputs, size, this.inputs);
    put(gradients, units, this.gradients);
    return [{ jobs }];
  }

  /** The job for `gamma'`, [out, W], of the window with its weights as they are now. */
  private scaledGradients(out: FloatArray): Job {
    const { window } = this;
    const total = this.shares.reduce((sum, share) => sum + share, 0);
    const roots = like(this.gradients, window * window);
    for (let r = 0; r < window; r++) {
      roots[r * (window + 1)] = total > 0 ? Math.sqrt(this.weights[r] / total) : 0;
    }
    return {
      op: 'product',
      left: this.gradients,
      transposeLeft: true,
      right: roots,
      rows: this.units,
      inner: window,
      columns: window,
      scale: 1,
      keep: 0,
      out,
    };
  }

  /** @throws NatgradError ERR_NATGRAD_ARGUMENT without damping, which the dual form divides by */
  refreshPhases(lambda: number): Phase[] {
    if (!(lambda > 0)) {
      throw new NatgradError(
        'ERR_NATGRAD_ARGUMENT',
        `damping is ${lambda}; the dual form of unit-wise blocks divides by it, so give a positive number or \`form: 'primal'\`.`,
      );
    }
    const { window, units, kernels, gram, next } = this;
    next.lambda[0] = lambda;
    const inputGram: Job = {
      op: 'product',
      left: this.inputs,
      right: this.inputs,
      transposeRight: true,
      rows: window,
      inner: this.size,
      columns: window,
      scale: 1,
      keep: 0,
      out: gram,
    };
    const outer: Job = {
      op: 'product',
      left: next.gradients,
      right: next.gradients,
      rows: window,
      inner: 1,
      columns: window,
      count: units,
      scale: 1,
      keep: 0,
      out: kernels,
    };
    const multiply = Array.from({ length: units }, (_, j): Job => {
      const kernel = kernels.subarray(j * window ** 2, (j + 1) * window ** 2);
      return { op: 'elementwise', how: 'multiply', left: kernel, right: gram, offset: 0, out: kernel };
    });
    const inverse: Job = {
      op: 'inverse',
      matrix: kernels,
      size: window,
      count: units,
      damping: lambda,
      out: next.inverses,
    };
    return [
      { jobs: [copyJob(this.inputs, next.inputs), this.scaledGradients(next.gradients), inputGram] },
      { jobs: [outer] },
      { jobs: multiply },
      { jobs: [inverse] },
    ];
  }

  install(reports: Report[]): RefreshOutcome {
    const report = reports[reports.length - 1];
    if (report.status === 'ok') {
      [this.inUse, this.next] = [this.next, this.inUse];
    } else if (!this.ready) {
      this.inUse.lambda.set(this.next.lambda);
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
    for (const array of [this.inputs, this.gradients, this.weights, this.shares]) array.fill(0);
  }

  preconditionPhases(gradients: FloatArray[], directions: FloatArray[]): Phase[] {
    const { inputs, gradients: scaled, inverses, lambda } = this.inUse;
    const { window, units, projections, solutions } = this;
    const solve: Job = {
      op: 'product',
      left: inverses,
      right: projections,
      rows: window,
      inner: window,
      columns: 1,
      count: units,
      scale: 1,
      keep: 0,
      out: solutions,
    };
    const factor = 1 / lambda[0];
    return [
      { jobs: gatherJobs(gradients, this.gathered, this.matrix) },
      { jobs: [this.project(inputs)] },
      { jobs: [times(projections, scaled)] },
      { jobs: [solve] },
      { jobs: [times(solutions, scaled)] },
      { jobs: [this.lift(inputs, solutions, { scale: -factor, keep: factor })] },
      { jobs: scatterJobs(this.gathered, directions, this.matrix) },
      dotPhase(gradients, directions),
    ];
  }

  multiplyPhases(vectors: FloatArray[], products: FloatArray[]): Phase[] {
    const { inputs, projections, solutions } = this;
    return [
      { jobs: [...gatherJobs(vectors, this.gathered, this.matrix), this.scaledGradients(solutions)] },
      { jobs: [this.project(inputs)] },
      { jobs: [times(projections, solutions)] },
      { jobs: [times(projections, solutions)] },
      { jobs: [this.lift(inputs, projections, { scale: 1, keep: 0 })] },
      { jobs: scatterJobs(this.gathered, products, this.matrix) },
      dotPhase(vectors, products),
    ];
  }

  /** `projections = V' X'`, [out, W]. */
  private project(inputs: FloatArray): Job {
    return {
      op: 'product',
      left: this.gathered,
      transposeLeft: !this.transposed,
      right: inputs,
      transposeRight: true,
      rows: this.units,
      inner: this.size,
      columns: this.window,
      scale: 1,
      keep: 0,
      out: this.projections,
    };
  }

  /** `V = keep V + scale X' Z'` with Z [out, W]. */
  private lift(inputs: FloatArray, coefficients: FloatArray, how: { scale: number; keep: number }): Job {
    const { size, units, window } = this;
    const common = { op: 'product' as const, inner: window, ...how, out: this.gathered };
    return this.transposed
      ? { ...common, left: coefficients, right: inputs, rows: units, columns: size }
      : {
          ...common,
          left: inputs,
          transposeLeft: true,
          right: coefficients,
          transposeRight: true,
          rows: size,
          columns: units,
        };
  }

  toDense(): Float64Array {
    const { size, units, window } = this;
    const total = this.shares.reduce((sum, share) => sum + share, 0);
    const n = size * units;
    const dense = new Float64Array(n * n);
    const place = (unit: number, i: number) => (this.transposed ? unit * size + i : i * units + unit);
    for (let r = 0; r < window; r++) {
      for (let unit = 0; unit < units; unit++) {
        const weight = total > 0 ? (this.weights[r] / total) * this.gradients[r * units + unit] ** 2 : 0;
        for (let i = 0; i < size; i++) {
          for (let j = 0; j < size; j++) {
            dense[place(unit, i) * n + place(unit, j)] +=
              weight * this.inputs[r * size + i] * this.inputs[r * size + j];
          }
        }
      }
    }
    return dense;
  }

  state(): Record<string, FloatArray> {
    const { inputs, gradients, inverses, lambda } = this.inUse;
    return {
      inputs: this.inputs,
      gradients: this.gradients,
      weights: this.weights,
      shares: this.shares,
      position: this.position,
      inUseInputs: inputs,
      inUseGradients: gradients,
      inverses,
      lambda,
    };
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
    const { inputs, gradients, inverses } = this.inUse;
    const window = 3 * (inputs.byteLength + gradients.byteLength);
    const scratch = this.gathered.byteLength + 2 * this.projections.byteLength + this.gram.byteLength;
    return summaryOf(this, {
      matrices: `${this.units} of ${this.window} x ${this.window}`,
      bytes: window + 3 * inverses.byteLength + scratch,
    });
  }
}

/** `left *= right`, elementwise. */
function times(left: FloatArray, right: FloatArray): Job {
  return { op: 'elementwise', how: 'multiply', left, right, offset: 0, out: left };
}
