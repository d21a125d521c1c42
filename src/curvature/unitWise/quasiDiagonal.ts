/**
 * Quasi-diagonal reduction of the unit-wise Fisher matrix: Y. Ollivier, "Riemannian metrics for neural networks I", 2015, section 2.3.
 *
 * Of the block F of a unit, over its weights i and its bias b, only the diagonal and the row of the bias are computed. The matrix that has
 * those and stays positive definite is
 *
 *     M = L diag(s, F_bb) L',    L = I but for L_ib = F_ib / F_bb,    s_i = F_ii - F_ib^2 / F_bb
 *
 * with M_ij = F_ib F_jb / F_bb between different weights; its inverse is an arrow, zero between different weights. Solving takes, with lambda
 * added to F_ii and F_bb and q_i = F_ib / F_bb,
 *
 *     w_i = (v_i - q_i v_b) / s_i        b = v_b / F_bb - sum_i q_i w_i
 *
 * (The matrix that is zero between different weights itself need not be positive definite.) Two numbers are kept per weight. Examples with
 * several rows (positions of a convolution, time steps) count as if the rows were independent, as in K-FAC.
 */
import type { FloatArray, Job, Report } from '../../linalg/jobs';
import {
  rowsOf,
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
import { copyJob } from '../shared/layerMatrix';
import { dotPhase, type Phase } from '../phases';
import { copyRows, examplesOf, onesLike } from '../shared/rowCopies';
import type { UnitWiseBlockOptions } from './unitWise';

type Input = Exclude<Activation, { indices: Int32Array }>;

/** What the inverse in use, or the one being computed, is made of. */
interface Inverse {
  /** q, [in, out] */
  ratios: FloatArray;
  /** 1 / s, [in, out] */
  weights: FloatArray;
  /** 1 / F_bb, [out] */
  biases: FloatArray;
}

/** Patches are made explicit for so many images at a time that they take no more than this, in bytes. */
const scratchLimit = 2 ** 25;

export class QuasiDiagonalBlock implements CurvatureBlock {
  readonly structure = 'quasi-diagonal';
  readonly shape: BlockShape;
  readonly needs = [{ activations: true, outputGradients: true }];
  ready = false;

  private readonly inputs: number;
  private readonly units: number;
  private readonly precision: Precision;
  /** F_ii with F_bb as the last row, and F_ib with F_bb again, [in + 1, out] each. */
  private readonly diagonal: FloatArray;
  private readonly cross: FloatArray;
  private inUse: Inverse;
  private next: Inverse;
  /** Of a refresh, and of a product. */
  private readonly scratch: FloatArray;
  private readonly product: FloatArray;
  private readonly ones: FloatArray;
  private patches: FloatArray;
  private patchSquares: FloatArray;
  private lambda = 0;

  /** @param options with a bias; without one the quasi-diagonal is the diagonal */
  constructor({ shape, inputSize, outputSize, precision = 'float32' }: UnitWiseBlockOptions) {
    this.shape = shape;
    this.inputs = inputSize;
    this.units = outputSize;
    this.precision = precision;
    const size = inputSize * outputSize;
    this.diagonal = allocate(precision, size + outputSize);
    this.cross = allocate(precision, size + outputSize);
    const inverse = (): Inverse => ({
      ratios: allocate(precision, size),
      weights: allocate(precision, size),
      biases: allocate(precision, outputSize),
    });
    this.inUse = inverse();
    this.next = inverse();
    this.scratch = allocate(precision, size);
    this.product = allocate(precision, size);
    this.ones = allocate(precision, inputSize).fill(1);
    this.patches = this.patchSquares = allocate(precision, 0);
  }

  updatePhases([{ examples, activations, passes }]: Statistics[], { decay, scale }: AverageStep): Phase[] {
    let keep = decay;
    return (activations as Input[]).flatMap((input, use) =>
      this.chunks(input).flatMap(([begin, end]): Phase[] => {
        const { rows, phases } = this.explicitRows(input, begin, end);
        const count = rows.data.length / (this.inputs + 1);
        const gradients = passes.map(({ weight, gradientScale, outputGradients }) => {
          const all = outputGradients![use];
          const part = 'geometry' in input ? examplesOf(all, input.geometry.batch, begin, end) : all;
          return { data: copyRows(part).data, share: (scale * weight * gradientScale ** 2) / examples };
        });
        const squares = gradients.map(({ data }) => square(data, data));
        const sums = gradients.map(({ data, share }): Phase => {
          const common = {
            op: 'product' as const,
            transposeLeft: true,
            right: data,
            rows: this.inputs + 1,
            inner: count,
            columns: this.units,
            scale: share,
            keep,
          };
          keep = 1;
          return {
            jobs: [
              { ...common, left: rows.squares, out: this.diagonal },
              { ...common, left: rows.data, out: this.cross },
            ],
          };
        });
        return [...phases, { jobs: [square(rows.data, rows.squares), ...squares] }, ...sums];
      }),
    );
  }

  /** Ranges of images whose patches fit into the scratch memory; for dense rows all of them. */
  private chunks(input: Input): [number, number][] {
    if (!('geometry' in input)) return [[0, input.rows]];
    const { batch } = input.geometry;
    const elements = (rowsOf(input) / batch) * (this.inputs + 1);
    const bytes = 2 * elements * this.diagonal.BYTES_PER_ELEMENT;
    const most = Math.min(batch, Math.max(1, Math.floor(scratchLimit / bytes)));
    if (this.patches.length < most * elements) {
      this.patches = allocate(this.precision, most * elements);
      this.patchSquares = allocate(this.precision, most * elements);
    }
    return Array.from({ length: Math.ceil(batch / most) }, (_, i) => {
      return [i * most, Math.min(batch, (i + 1) * most)];
    });
  }

  /** The rows [a; 1] as a matrix, with room for their squares. A patch is made explicit as the score of a gradient of 1. */
  private explicitRows(
    input: Input,
    begin: number,
    end: number,
  ): { rows: { data: FloatArray; squares: FloatArray }; phases: Phase[] } {
    if (!('geometry' in input)) {
      const { data } = copyRows(input, true);
      return { rows: { data, squares: allocate(this.precision, data.length) }, phases: [] };
    }
    const activation = examplesOf(input, input.geometry.batch, begin, end);
    const rows = rowsOf(activation);
    const length = rows * (this.inputs + 1);
    const data = this.patches.subarray(0, length);
    const job: Job = {
      op: 'scores',
      activation,
      outputGradient: { data: onesLike(data, rows), rows, columns: 1 },
      examples: rows,
      homogeneous: true,
      scale: 1,
      keep: 0,
      out: data,
    };
    return { rows: { data, squares: this.patchSquares.subarray(0, length) }, phases: [{ jobs: [job] }] };
  }

  refreshPhases(lambda: number): Phase[] {
    this.lambda = lambda;
    const { diagonal, cross, scratch, next, ones, inputs, units } = this;
    const size = inputs * units;
    const [weights, crosses] = [diagonal.subarray(0, size), cross.subarray(0, size)];
    const biases: Job = {
      op: 'diagonalInverse',
      diagonal: diagonal.subarray(size),
      damping: lambda,
      out: next.biases,
    };
    const ratios: Job = {
      op: 'kronecker',
      left: ones,
      leftSize: inputs,
      leftForm: 'diagonal',
      right: next.biases,
      rightSize: units,
      rightForm: 'diagonal',
      input: crosses,
      out: next.ratios,
    };
    const explained: Job = {
      op: 'elementwise',
      how: 'multiply',
      left: next.ratios,
      right: crosses,
      offset: 0,
      out: scratch,
    };
    const terms = [
      { data: weights, scale: 1 },
      { data: scratch, scale: -1 },
    ];
    return [
      { jobs: [biases] },
      { jobs: [ratios] },
      { jobs: [explained] },
      { jobs: [{ op: 'combine', terms, out: scratch }] },
      { jobs: [{ op: 'diagonalInverse', diagonal: scratch, damping: lambda, out: next.weights }] },
    ];
  }

  install(reports: Report[]): RefreshOutcome {
    const failures = reports.filter(({ status }) => status !== 'ok').length;
    if (failures === 0) {
      [this.inUse, this.next] = [this.next, this.inUse];
    } else if (!this.ready) {
      this.inUse.weights.fill(1 / this.lambda);
      this.inUse.biases.fill(1 / this.lambda);
    }
    this.ready = true;
    const overflowed = reports.some(({ status }) => status === 'notFinite');
    return { failures: Math.min(failures, 1), retries: 0, minEigenvalue: NaN, overflowed };
  }

  restart(): void {
    this.diagonal.fill(0);
    this.cross.fill(0);
  }

  preconditionPhases([kernel, bias]: FloatArray[], [outKernel, outBias]: FloatArray[]): Phase[] {
    const { ratios, weights, biases } = this.inUse;
    const terms = [
      { data: kernel, scale: 1 },
      { data: this.product, scale: -1 },
    ];
    const scale: Job = { op: 'scale', diagonal: biases, input: bias, out: outBias };
    return [
      { jobs: [this.broadcast(bias, this.product), scale] },
      { jobs: [times(this.product, ratios, this.product)] },
      { jobs: [{ op: 'combine', terms, out: this.product }] },
      { jobs: [times(this.product, weights, outKernel)] },
      { jobs: [times(outKernel, ratios, this.product)] },
      { jobs: [this.columnSums(this.product, outBias, { scale: -1, keep: 1 })] },
      dotPhase([kernel, bias], [outKernel, outBias]),
    ];
  }

  /** With u = v_b + sum_i q_i v_i and q undamped: `(M v)_i = s_i v_i + F_ib u`, `(M v)_b = F_bb u`. */
  multiplyPhases([kernel, bias]: FloatArray[], [outKernel, outBias]: FloatArray[]): Phase[] {
    const size = this.inputs * this.units;
    const ratios = this.product.slice();
    const residuals = this.product.slice();
    const sums = bias.slice();
    const [diagonal, cross] = [this.diagonal.subarray(0, size), this.cross.subarray(0, size)];
    const biases = this.diagonal.subarray(size);
    const split = () => {
      for (let i = 0; i < size; i++) {
        const moment = biases[i % this.units];
        ratios[i] = moment > 0 ? cross[i] / moment : 0;
        residuals[i] = diagonal[i] - ratios[i] * cross[i];
      }
    };
    const terms = [
      { data: outKernel, scale: 1 },
      { data: this.product, scale: 1 },
    ];
    return [
      { jobs: [copyJob(bias, sums)], then: split },
      { jobs: [times(kernel, ratios, this.product), times(kernel, residuals, outKernel)] },
      { jobs: [this.columnSums(this.product, sums, { scale: 1, keep: 1 })] },
      { jobs: [this.broadcast(sums, this.product), times(sums, biases, outBias)] },
      { jobs: [times(this.product, cross, this.product)] },
      { jobs: [{ op: 'combine', terms, out: outKernel }] },
      dotPhase([kernel, bias], [outKernel, outBias]),
    ];
  }

  /** Every row of `out` = `row`. */
  private broadcast(row: FloatArray, out: FloatArray): Job {
    const { ones, inputs, units } = this;
    return {
      op: 'product',
      left: ones,
      right: row,
      rows: inputs,
      inner: 1,
      columns: units,
      scale: 1,
      keep: 0,
      out,
    };
  }

  /** `out = keep out + scale (sum of the rows)`. */
  private columnSums(matrix: FloatArray, out: FloatArray, how: { scale: number; keep: number }): Job {
    const { ones, inputs, units } = this;
    return { op: 'product', left: ones, right: matrix, rows: 1, inner: inputs, columns: units, ...how, out };
  }

  toDense(): Float64Array {
    const { inputs, units, diagonal, cross } = this;
    const n = (inputs + 1) * units;
    const dense = new Float64Array(n * n);
    for (let unit = 0; unit < units; unit++) {
      const bias = diagonal[inputs * units + unit];
      for (let i = 0; i <= inputs; i++) {
        for (let j = 0; j <= inputs; j++) {
          const [fi, fj] = [cross[i * units + unit], cross[j * units + unit]];
          const between = bias > 0 ? (fi * fj) / bias : 0;
          dense[(i * units + unit) * n + j * units + unit] = i === j ? diagonal[i * units + unit] : between;
        }
      }
    }
    return dense;
  }

  state(): Record<string, FloatArray> {
    const { ratios, weights, biases } = this.inUse;
    return {
      diagonal: this.diagonal,
      cross: this.cross,
      ratios,
      inverseWeights: weights,
      inverseBiases: biases,
    };
  }

  upcoming(): Record<string, FloatArray> {
    const { ratios, weights, biases } = this.next;
    return { upcomingRatios: ratios, upcomingWeights: weights, upcomingBiases: biases };
  }

  loaded(ready: boolean): void {
    this.ready = ready;
  }

  summary(): BlockSummary {
    const parameters = parameterCount(this.shape);
    return {
      variables: this.shape.names.join(', '),
      structure: this.structure,
      matrices: `2 x diagonal ${parameters}`,
      parameters,
      bytes: 8 * this.diagonal.byteLength,
      reason: '',
    };
  }
}

function square(data: FloatArray, out: FloatArray): Job {
  return times(data, data, out);
}

function times(left: FloatArray, right: FloatArray, out: FloatArray): Job {
  return { op: 'elementwise', how: 'multiply', left, right, offset: 0, out };
}
