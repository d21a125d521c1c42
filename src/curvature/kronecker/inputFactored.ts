/**
 * Kronecker-factored block with the identity for the factor of the output gradients, F = A (x) I: F. Benzing, "Gradient Descent on Neurons
 * and its Link to Approximate Second-Order Optimization", 2022 (FOOF). With A = E[a~ a~'] the mean over all rows, and the kernel V as tfjs
 * holds it,
 *
 *     direction = (A + lambda I)^-1 V
 *
 * It needs no output gradients, hence no predictive distribution and no backward pass but the one for the gradient.
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
import { allocate, Factor } from '../shared/factor';
import type { KroneckerFactoredOptions } from './kroneckerFactored';
import type { Phase } from '../phases';
import { RowProduct, rowsArePreferable } from './rowProduct';
import { kroneckerJob, type Operand } from '../shared/kroneckerJob';
import { outcomeOf } from '../shared/outcome';
import { summaryOf } from '../shared/summary';
import { totalWeight } from '../shared/rowWeights';

export class InputFactoredBlock implements CurvatureBlock {
  readonly structure = 'input factor';
  readonly shape: BlockShape;
  readonly needs = [{ activations: true }];
  ready = false;

  private readonly input: Factor;
  private readonly outputSize: number;
  private readonly bias: boolean;
  private readonly transposed: boolean;
  private readonly reason: string;
  /** The diagonal of the other factor. */
  private readonly ones: FloatArray;
  private readonly rowProduct: RowProduct;
  private lambda = 0;

  constructor(options: KroneckerFactoredOptions) {
    const { inputSize, outputSize, bias, diagonalInput = false, precision = 'float32' } = options;
    this.shape = options.shape;
    this.outputSize = outputSize;
    this.bias = bias;
    this.transposed = options.transposed ?? false;
    this.reason = options.reason ?? '';
    this.input = new Factor(inputSize + (bias ? 1 : 0), diagonalInput ? 'diagonal' : 'lower', precision);
    this.ones = allocate(precision, outputSize).fill(1);
    this.rowProduct = new RowProduct(precision);
    this.input.clear(bias);
  }

  updatePhases([{ activations }]: Statistics[], { decay, scale }: AverageStep): Phase[] {
    const average = { decay, scale: scale / totalWeight(activations!) };
    return [{ jobs: this.input.updateJobs(activations!, this.bias, average) }];
  }

  refreshPhases(lambda: number): Phase[] {
    this.lambda = lambda;
    return [{ jobs: [this.input.refreshJob(lambda)] }];
  }

  install([report]: Report[]): RefreshOutcome {
    const installed = this.input.install(report);
    if (!installed && !this.ready) this.input.installIdentity(this.lambda);
    this.ready = true;
    return outcomeOf([report]);
  }

  restart(): void {
    this.input.clear(this.bias);
  }

  resident(): FloatArray[] {
    return this.input.arrays;
  }

  preconditionPhases(gradients: FloatArray[], directions: FloatArray[]): Phase[] {
    return [{ jobs: [this.product(this.input.inverseOperand, gradients, directions)] }];
  }

  prefersRows(rows: number): boolean {
    const { input, outputSize, transposed } = this;
    if (transposed || input.form === 'diagonal') return false;
    return rowsArePreferable(rows, input.size, outputSize, false);
  }

  beginRows(inputs: Rows): Job {
    return this.rowProduct.begin(inputs, this.input.inverse);
  }

  preconditionRows(rows: RowGradient, gradients: FloatArray[], directions: FloatArray[]): Phase[] {
    return this.rowProduct.phases(rows, [this.input.inverse], gradients, directions);
  }

  multiplyPhases(vectors: FloatArray[], products: FloatArray[]): Phase[] {
    return [{ jobs: [this.product(this.input.operand, vectors, products)] }];
  }

  private product(factor: Operand, input: FloatArray[], out: FloatArray[]): Job {
    const identity: Operand = { matrix: this.ones, size: this.outputSize, form: 'diagonal' };
    return this.transposed
      ? kroneckerJob(identity, factor, input, out)
      : kroneckerJob(factor, identity, input, out);
  }

  toDense(): Float64Array {
    const rightSize = this.transposed ? this.input.size : this.outputSize;
    const n = this.input.size * this.outputSize;
    const dense = new Float64Array(n * n);
    for (let row = 0; row < n; row++) {
      for (let column = 0; column < n; column++) {
        const [i, j] = [Math.floor(row / rightSize), row % rightSize];
        const [k, l] = [Math.floor(column / rightSize), column % rightSize];
        const [inputs, outputs] = this.transposed ? [[j, l] as const, [i, k]] : [[i, k] as const, [j, l]];
        if (outputs[0] === outputs[1]) dense[row * n + column] = this.input.at(...inputs);
      }
    }
    return dense;
  }

  state(): Record<string, FloatArray> {
    return { A: this.input.moment, inverseA: this.input.inverse };
  }

  upcoming(): Record<string, FloatArray> {
    return { upcomingA: this.input.upcoming };
  }

  loaded(ready: boolean): void {
    this.ready = ready;
  }

  summary(): BlockSummary {
    return summaryOf(this, {
      matrices: this.input.dimensions,
      bytes: this.input.bytes,
      reason: this.reason,
    });
  }
}
