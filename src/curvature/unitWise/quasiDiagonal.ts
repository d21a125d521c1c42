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
  type AverageStep,
  type BlockShape,
  type BlockSummary,
  type CurvatureBlock,
  type RefreshOutcome,
  type Statistics,
} from '../block';
import { combineJob, multiplyJob } from '../shared/elementwiseJobs';
import { allocate } from '../shared/factor';
import { kroneckerJob } from '../shared/kroneckerJob';
import { copyJob } from '../shared/layerMatrix';
import { outcomeOf } from '../shared/outcome';
import { product } from '../shared/productJob';
import { summaryOf } from '../shared/summary';
import { dotPhase, type Phase } from '../phases';
import { ArrowMoments } from './arrowMoments';
import type { UnitWiseBlockOptions } from './unitWise';

/** What the inverse in use, or the one being computed, is made of. */
interface Inverse {
  /** q, [in, out] */
  ratios: FloatArray;
  /** 1 / s, [in, out] */
  weights: FloatArray;
  /** 1 / F_bb, [out] */
  biases: FloatArray;
}

export class QuasiDiagonalBlock implements CurvatureBlock {
  readonly structure = 'quasi-diagonal';
  readonly shape: BlockShape;
  readonly needs = [{ activations: true, outputGradients: true }];
  ready = false;

  private readonly inputs: number;
  private readonly units: number;
  private readonly moments: ArrowMoments;
  private inUse: Inverse;
  private next: Inverse;
  /** Of a refresh, and of a product. */
  private readonly scratch: FloatArray;
  private readonly product: FloatArray;
  private readonly ones: FloatArray;
  private lambda = 0;

  /** @param options with a bias; without one the quasi-diagonal is the diagonal */
  constructor({ shape, inputSize, outputSize, precision = 'float32' }: UnitWiseBlockOptions) {
    this.shape = shape;
    this.inputs = inputSize;
    this.units = outputSize;
    const size = inputSize * outputSize;
    this.moments = new ArrowMoments(inputSize, outputSize, precision);
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
  }

  updatePhases([statistics]: Statistics[], average: AverageStep): Phase[] {
    return this.moments.updatePhases(statistics, average);
  }

  refreshPhases(lambda: number): Phase[] {
    this.lambda = lambda;
    const { scratch, next, ones, inputs, units } = this;
    const { diagonal, cross, biases } = this.moments.parts;
    const inverse = (of: FloatArray, out: FloatArray): Job => {
      return { op: 'diagonalInverse', diagonal: of, damping: lambda, out };
    };
    const ratios = kroneckerJob(
      { matrix: ones, size: inputs, form: 'diagonal' },
      { matrix: next.biases, size: units, form: 'diagonal' },
      [cross],
      [next.ratios],
    );
    return [
      { jobs: [inverse(biases, next.biases)] },
      { jobs: [ratios] },
      { jobs: [multiplyJob(next.ratios, cross, scratch)] },
      {
        jobs: [
          combineJob(
            [
              [1, diagonal],
              [-1, scratch],
            ],
            scratch,
          ),
        ],
      },
      { jobs: [inverse(scratch, next.weights)] },
    ];
  }

  install(reports: Report[]): RefreshOutcome {
    const { failures, overflowed } = outcomeOf(reports);
    if (failures === 0) {
      [this.inUse, this.next] = [this.next, this.inUse];
    } else if (!this.ready) {
      this.inUse.weights.fill(1 / this.lambda);
      this.inUse.biases.fill(1 / this.lambda);
    }
    this.ready = true;
    return { failures: Math.min(failures, 1), retries: 0, minEigenvalue: NaN, overflowed };
  }

  restart(): void {
    this.moments.restart();
  }

  preconditionPhases([kernel, bias]: FloatArray[], [outKernel, outBias]: FloatArray[]): Phase[] {
    const { ratios, weights, biases } = this.inUse;
    const { product: work } = this;
    const scale: Job = { op: 'scale', diagonal: biases, input: bias, out: outBias };
    return [
      { jobs: [this.broadcast(bias, work), scale] },
      { jobs: [multiplyJob(work, ratios, work)] },
      {
        jobs: [
          combineJob(
            [
              [1, kernel],
              [-1, work],
            ],
            work,
          ),
        ],
      },
      { jobs: [multiplyJob(work, weights, outKernel)] },
      { jobs: [multiplyJob(outKernel, ratios, work)] },
      { jobs: [this.columnSums(work, outBias, { scale: -1, keep: 1 })] },
      dotPhase([kernel, bias], [outKernel, outBias]),
    ];
  }

  /** With u = v_b + sum_i q_i v_i and q undamped: `(M v)_i = s_i v_i + F_ib u`, `(M v)_b = F_bb u`. */
  multiplyPhases([kernel, bias]: FloatArray[], [outKernel, outBias]: FloatArray[]): Phase[] {
    const { product: work } = this;
    const [ratios, residuals, sums] = [work.slice(), work.slice(), bias.slice()];
    const { diagonal, cross, biases } = this.moments.parts;
    const split = () => {
      for (let i = 0; i < ratios.length; i++) {
        const moment = biases[i % this.units];
        ratios[i] = moment > 0 ? cross[i] / moment : 0;
        residuals[i] = diagonal[i] - ratios[i] * cross[i];
      }
    };
    return [
      { jobs: [copyJob(bias, sums)], then: split },
      { jobs: [multiplyJob(kernel, ratios, work), multiplyJob(kernel, residuals, outKernel)] },
      { jobs: [this.columnSums(work, sums, { scale: 1, keep: 1 })] },
      { jobs: [this.broadcast(sums, work), multiplyJob(sums, biases, outBias)] },
      { jobs: [multiplyJob(work, cross, work)] },
      {
        jobs: [
          combineJob(
            [
              [1, outKernel],
              [1, work],
            ],
            outKernel,
          ),
        ],
      },
      dotPhase([kernel, bias], [outKernel, outBias]),
    ];
  }

  /** Every row of `out` = `row`. */
  private broadcast(row: FloatArray, out: FloatArray): Job {
    return product([this.inputs, 1, this.units], this.ones, row, out);
  }

  /** `out = keep out + scale (sum of the rows)`. */
  private columnSums(matrix: FloatArray, out: FloatArray, how: { scale: number; keep: number }): Job {
    return product([1, this.inputs, this.units], this.ones, matrix, out, how);
  }

  toDense(): Float64Array {
    const { inputs, units } = this;
    const { diagonal, cross } = this.moments;
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
    const { diagonal, cross } = this.moments;
    return { diagonal, cross, ratios, inverseWeights: weights, inverseBiases: biases };
  }

  upcoming(): Record<string, FloatArray> {
    const { ratios, weights, biases } = this.next;
    return { upcomingRatios: ratios, upcomingWeights: weights, upcomingBiases: biases };
  }

  loaded(ready: boolean): void {
    this.ready = ready;
  }

  summary(): BlockSummary {
    const { diagonal } = this.moments;
    return summaryOf(this, { matrices: `2 x diagonal ${diagonal.length}`, bytes: 8 * diagonal.byteLength });
  }
}
