/**
 * Kronecker-factored block whose damping is exact, `(A (x) G + lambda I)^-1`, by the eigendecompositions of both factors:
 *
 *     A = U_A diag(a) U_A',  G = U_G diag(g) U_G',    direction = U_A [ (U_A' V U_G) / (a g' + lambda) ] U_G'
 *
 * with elementwise division and the kernel V as tfjs holds it, [in, out] with the bias as one more row. It needs no split of the damping
 * over the factors; the price is an eigendecomposition in place of an inverse, and twice the products per step.
 */
import type { FloatArray, Job, Report } from '../../linalg/jobs';
import {
  least,
  type AverageStep,
  type BlockShape,
  type BlockSummary,
  type CurvatureBlock,
  type Needs,
  type RefreshOutcome,
  type Statistics,
} from '../block';
import { EigenSide } from './eigenSide';
import { allocate, denseProduct, type Precision } from '../shared/factor';
import type { KroneckerFactoredOptions } from './kroneckerFactored';
import { momentPhases, type KroneckerMoments } from './kroneckerMoments';
import { variableParts } from '../shared/layerMatrix';
import { dotPhase, type Phase } from '../phases';
import type { WeightSharing } from '../shared/weightSharing';
import { kroneckerJob } from '../shared/kroneckerJob';
import { product } from '../shared/productJob';
import { summaryOf } from '../shared/summary';

export class EigenbasisBlock implements CurvatureBlock, KroneckerMoments {
  readonly structure: string = 'Kronecker factored, exact damping';
  readonly shape: BlockShape;
  readonly needs: readonly Needs[] = [{ activations: true, outputGradients: true }];
  ready = false;

  readonly input: EigenSide;
  readonly output: EigenSide;
  /** Those of the kernel as tfjs holds it: its rows on the left. */
  protected readonly left: EigenSide;
  protected readonly right: EigenSide;
  readonly bias: boolean;
  readonly weightSharing: WeightSharing;
  readonly precision: Precision;
  protected readonly transposed: boolean;
  private readonly reason: string;
  /** The damping of the decomposition in use, and of the one being computed. */
  private readonly lambda = Float64Array.of(0);
  private readonly upcomingLambda = Float64Array.of(0);
  /** The gradient in the eigenbasis, and the eigenvalues of the product. */
  protected readonly rotated: FloatArray;
  protected readonly spectrum: FloatArray;

  constructor(options: KroneckerFactoredOptions) {
    const { inputSize, outputSize, bias, diagonalInput = false, precision = 'float32' } = options;
    this.shape = options.shape;
    this.bias = bias;
    this.transposed = options.transposed ?? false;
    this.weightSharing = options.weightSharing ?? 'expand';
    this.precision = precision;
    this.reason = options.reason ?? '';
    this.input = new EigenSide(inputSize + (bias ? 1 : 0), diagonalInput ? 'diagonal' : 'lower', precision);
    this.output = new EigenSide(outputSize, 'lower', precision);
    [this.left, this.right] = this.transposed ? [this.output, this.input] : [this.input, this.output];
    this.rotated = allocate(precision, this.left.size * this.right.size);
    this.spectrum = allocate(precision, this.rotated.length);
    this.input.clear(bias);
  }

  updatePhases([statistics]: Statistics[], average: AverageStep): Phase[] {
    return momentPhases(this, statistics, average);
  }

  refreshPhases(lambda: number): Phase[] {
    this.upcomingLambda[0] = lambda;
    return [{ jobs: [this.input.refreshJob(), this.output.refreshJob()] }];
  }

  /** The eigenbases belong together, so they are replaced together or not at all. */
  install(reports: Report[]): RefreshOutcome {
    const succeeded = this.sides.map((side, i) => side.succeeded(reports[i]));
    const failures = succeeded.filter((success) => !success).length;
    if (failures === 0) this.sides.forEach((side) => side.install());
    if (failures === 0 || !this.ready) this.useUpcomingDamping();
    this.ready = true;
    const smallest = reports.slice(0, 2).reduce((all, { minEigenvalue }) => least(all, minEigenvalue), NaN);
    return {
      failures,
      retries: 0,
      minEigenvalue: smallest,
      overflowed: reports.slice(0, 2).some(({ status }, i) => !succeeded[i] && status !== 'notConverged'),
    };
  }

  protected useUpcomingDamping(): void {
    this.lambda.set(this.upcomingLambda);
  }

  restart(): void {
    this.input.clear(this.bias);
    this.output.clear(false);
  }

  /** The order in which they are refreshed. */
  private get sides(): [EigenSide, EigenSide] {
    return [this.input, this.output];
  }

  resident(): FloatArray[] {
    return [...this.input.arrays, ...this.output.arrays, this.rotated, this.spectrum];
  }

  preconditionPhases(gradients: FloatArray[], directions: FloatArray[]): Phase[] {
    const { jobs, eigenvalues } = this.eigenvalues();
    const divide: Job = {
      op: 'elementwise',
      how: 'divide',
      left: this.rotated,
      right: eigenvalues,
      offset: this.lambda[0],
      out: this.rotated,
    };
    return [
      { jobs: [this.rotate(gradients), ...jobs] },
      { jobs: [divide] },
      { jobs: [this.rotateBack(directions)] },
      dotPhase(gradients, directions),
    ];
  }

  /** The eigenvalues in use, [left, right], and the jobs that compute them. */
  protected eigenvalues(): { jobs: Job[]; eigenvalues: FloatArray } {
    const { left, right, spectrum } = this;
    const outer = product([left.size, 1, right.size], left.values, right.values, spectrum);
    return { jobs: [outer], eigenvalues: spectrum };
  }

  multiplyPhases(vectors: FloatArray[], products: FloatArray[]): Phase[] {
    return [{ jobs: [kroneckerJob(this.left.operand, this.right.operand, vectors, products)] }];
  }

  /** `rotated = U_l' V U_r`, in the basis in use or in another. */
  protected rotate(vectors: FloatArray[], left = this.left.vectors, right = this.right.vectors): Job {
    const bases = [this.left.basis(left, true), this.right.basis(right, false)] as const;
    return kroneckerJob(...bases, vectors, this.parts(this.rotated));
  }

  /** `out = U_l rotated U_r'`. */
  protected rotateBack(out: FloatArray[], left = this.left.vectors, right = this.right.vectors): Job {
    const bases = [this.left.basis(left, false), this.right.basis(right, true)] as const;
    return kroneckerJob(...bases, this.parts(this.rotated), out);
  }

  /** A matrix of the size of a score as the arrays of the variables. */
  private parts(matrix: FloatArray): FloatArray[] {
    return variableParts(matrix, { rows: this.left.size, columns: this.right.size, bias: this.bias });
  }

  toDense(): Float64Array {
    const { left, right } = this;
    return denseProduct(left, right);
  }

  state(): Record<string, FloatArray> {
    return {
      A: this.input.moment,
      G: this.output.moment,
      vectorsA: this.input.vectors,
      vectorsG: this.output.vectors,
      valuesA: this.input.values,
      valuesG: this.output.values,
      lambda: this.lambda,
    };
  }

  upcoming(): Record<string, FloatArray> {
    return {
      upcomingVectorsA: this.input.upcomingVectors,
      upcomingVectorsG: this.output.upcomingVectors,
      upcomingValuesA: this.input.upcomingValues,
      upcomingValuesG: this.output.upcomingValues,
      upcomingLambda: this.upcomingLambda,
    };
  }

  loaded(ready: boolean): void {
    this.ready = ready;
  }

  summary(): BlockSummary {
    return summaryOf(this, {
      matrices: `${this.input.dimensions}, ${this.output.dimensions}`,
      bytes: this.input.bytes + this.output.bytes + 2 * this.rotated.byteLength,
      reason: this.reason,
    });
  }
}
