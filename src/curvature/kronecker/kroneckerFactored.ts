/**
 * Kronecker-factored block (K-FAC): Martens & Grosse 2015, "Optimizing Neural Networks with Kronecker-factored Approximate
 * Curvature"; for convolutions Grosse & Martens 2016 (KFC); for weights that are used several times Martens, Ba & Johnson 2018.
 *
 * With input rows a~ = [a; 1] (image patches for a convolution) and gradients g at the pre-activation, over N examples with R rows each
 * (positions, time steps):
 *
 *     A = 1/(N R) sum_{n,r} a~ a~'      G = 1/N sum_{n,r} g g'      F = A (x) G
 *
 * so the R of KFC's Omega = R * mean stands in G, and the same lambda means the same damping for every layer. This is `weightSharing:
 * 'expand'`; `'reduce'` has one row per example instead, see {@link WeightSharing}. The kernel of tfjs is [in, out] with the bias as one
 * more row, hence
 *
 *     (F + damping)^-1 V = (A + pi sqrt(lambda) I)^-1 V (G + sqrt(lambda) / pi I)^-1,   pi^2 = (tr A / dim A) / (tr G / dim G).
 *
 * The rule of kfac-jax for k factors, which scales every factor to a mean diagonal of 1 before it adds lambda^(1/k) over their common
 * scale, is this one for k = 2. `eigenbasis.ts` adds lambda to the product itself.
 */
import type { FloatArray, Job, Report } from '../../linalg/jobs';
import {
  type AverageStep,
  type BlockShape,
  type BlockSummary,
  type CurvatureBlock,
  type RefreshOutcome,
  type RowGradient,
  type Rows,
  type Statistics,
} from '../block';
import { denseProduct, Factor, type Precision } from '../shared/factor';
import type { Phase } from '../phases';
import { momentPhases, type KroneckerMoments } from './kroneckerMoments';
import { RowProduct, rowsArePreferable } from './rowProduct';
import type { WeightSharing } from '../shared/weightSharing';
import { kroneckerJob } from '../shared/kroneckerJob';
import { outcomeOf } from '../shared/outcome';
import { summaryOf } from '../shared/summary';

export interface KroneckerFactoredOptions {
  shape: BlockShape;
  /** Length of an input row or patch, without the homogeneous coordinate; the number of indices of an embedding. */
  inputSize: number;
  outputSize: number;
  /** Whether the second variable is the bias. */
  bias: boolean;
  /** Keep only the diagonal of A: exact for one-hot inputs (embeddings). */
  diagonalInput?: boolean;
  /** The kernel is [out, in] and used transposed; never with a bias. */
  transposed?: boolean;
  /** How rows that share a term of the loss are brought together. Default 'expand'. */
  weightSharing?: WeightSharing;
  precision?: Precision;
  /** How lambda is split over the factors: by pi, or sqrt(lambda) for each. Default 'pi'. */
  dampingSplit?: 'pi' | 'equal';
  /** Shown in the summary when `diagonalInput` is a fallback. */
  reason?: string;
}

export interface KroneckerDampingOptions {
  /**
   * How lambda is added to a Kronecker product: 'pi' and 'equal' add `pi sqrt(lambda)` and `sqrt(lambda) / pi` to the factors, with the pi
   * of Martens & Grosse 2015, section 6.3, or with pi = 1; 'exact' adds lambda to the product, by eigendecompositions. Default 'pi'.
   */
  dampingSplit?: 'pi' | 'equal' | 'exact';
}

export class KroneckerFactoredBlock implements CurvatureBlock, KroneckerMoments {
  readonly structure: string;
  readonly shape: BlockShape;
  readonly needs = [{ activations: true, outputGradients: true }];
  ready = false;

  readonly input: Factor;
  readonly output: Factor;
  readonly bias: boolean;
  private readonly transposed: boolean;
  readonly weightSharing: WeightSharing;
  readonly precision: Precision;
  private readonly dampingSplit: 'pi' | 'equal';
  private readonly reason: string;
  private readonly rowProduct: RowProduct;
  private lambda = 0;

  constructor(options: KroneckerFactoredOptions) {
    const { inputSize, outputSize, bias, diagonalInput = false, precision = 'float32' } = options;
    this.structure = diagonalInput ? 'diagonal (x) Kronecker factor' : 'Kronecker factored';
    this.shape = options.shape;
    this.bias = bias;
    this.transposed = options.transposed ?? false;
    this.weightSharing = options.weightSharing ?? 'expand';
    this.precision = precision;
    this.dampingSplit = options.dampingSplit ?? 'pi';
    this.reason = options.reason ?? '';
    this.input = new Factor(inputSize + (bias ? 1 : 0), diagonalInput ? 'diagonal' : 'lower', precision);
    this.output = new Factor(outputSize, 'lower', precision);
    this.rowProduct = new RowProduct(precision);
    this.input.clear(bias);
  }

  updatePhases([statistics]: Statistics[], average: AverageStep): Phase[] {
    return momentPhases(this, statistics, average);
  }

  refreshPhases(lambda: number): Phase[] {
    this.lambda = lambda;
    const { input, output } = this;
    if (this.dampingSplit === 'pi') {
      return [{ jobs: [input.refreshJob(lambda, output), output.refreshJob(lambda, input)] }];
    }
    const root = Math.sqrt(lambda);
    return [{ jobs: [input.refreshJob(root), output.refreshJob(root)] }];
  }

  /** The two sides share the damping, so they are replaced together or not at all. */
  install(reports: Report[]): RefreshOutcome {
    const outcome = outcomeOf(reports);
    if (outcome.failures === 0) {
      this.input.install(reports[0]);
      this.output.install(reports[1]);
      this.ready = true;
    } else if (!this.ready) {
      this.input.installIdentity(Math.sqrt(this.lambda));
      this.output.installIdentity(Math.sqrt(this.lambda));
      this.ready = true;
    }
    return outcome;
  }

  restart(): void {
    this.input.clear(this.bias);
    this.output.clear(false);
  }

  resident(): FloatArray[] {
    return [...this.input.arrays, ...this.output.arrays];
  }

  preconditionPhases(gradients: FloatArray[], directions: FloatArray[]): Phase[] {
    const [left, right] = this.sides;
    return [{ jobs: [kroneckerJob(left.inverseOperand, right.inverseOperand, gradients, directions)] }];
  }

  prefersRows(rows: number): boolean {
    const { input, output, transposed } = this;
    if (transposed || input.form === 'diagonal') return false;
    return rowsArePreferable(rows, input.size, output.size);
  }

  beginRows(inputs: Rows): Job {
    return this.rowProduct.begin(inputs, this.input.inverse);
  }

  preconditionRows(rows: RowGradient, gradients: FloatArray[], directions: FloatArray[]): Phase[] {
    const inverses: [FloatArray, FloatArray] = [this.input.inverse, this.output.inverse];
    return this.rowProduct.phases(rows, inverses, gradients, directions);
  }

  multiplyPhases(vectors: FloatArray[], products: FloatArray[]): Phase[] {
    const [left, right] = this.sides;
    return [{ jobs: [kroneckerJob(left.operand, right.operand, vectors, products)] }];
  }

  /** Those of the kernel as tfjs holds it: its rows on the left. */
  private get sides(): [Factor, Factor] {
    return this.transposed ? [this.output, this.input] : [this.input, this.output];
  }

  toDense(): Float64Array {
    return denseProduct(...this.sides);
  }

  state(): Record<string, FloatArray> {
    return {
      A: this.input.moment,
      G: this.output.moment,
      inverseA: this.input.inverse,
      inverseG: this.output.inverse,
    };
  }

  upcoming(): Record<string, FloatArray> {
    return { upcomingA: this.input.upcoming, upcomingG: this.output.upcoming };
  }

  loaded(ready: boolean): void {
    this.ready = ready;
  }

  summary(): BlockSummary {
    return summaryOf(this, {
      matrices: `${this.input.dimensions}, ${this.output.dimensions}`,
      bytes: this.input.bytes + this.output.bytes,
      reason: this.reason,
    });
  }
}
