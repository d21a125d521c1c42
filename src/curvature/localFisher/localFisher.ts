/**
 * Local Fisher block (SNGD): Liu, Boumaraf et al., "Reconstructing deep neural networks: unleashing the optimization potential of natural
 * gradient descent", equation 12. A unit's information about its own pre-activation takes the place of back-propagated gradients:
 *
 *     G = A (x) diag(v),    A = E[x~ x~'],    v_j = E[v_f(z_j)]
 *
 * with input rows x~ = [x; 1] (image patches for a convolution) and the relative Fisher information v_f of the function that follows
 * (see `relativeFisher`), both averaged over examples and positions. One matrix root per layer is all it takes, and no backward pass. Of a
 * recurrent layer, input and recurrent kernel have an A each and share the v of the gates.
 *
 * Damping is relative to each side's mean eigenvalue, so that lambda means the same for every layer, whatever the scale of its inputs:
 *
 *     G_lambda = (A + lambda tr A / dim A I) (x) diag(v + lambda mean v).
 */
import type { FloatArray, Job, Report } from '../../linalg/jobs';
import {
  rowsOf,
  type AverageStep,
  type BlockShape,
  type BlockSummary,
  type CurvatureBlock,
  type RefreshOutcome,
  type Reparametrisation,
  type Statistics,
} from '../block';
import type { Phase } from '../phases';
import { combineJob } from '../shared/elementwiseJobs';
import { allocate, type Precision } from '../shared/factor';
import { kroneckerJob, type Operand } from '../shared/kroneckerJob';
import { totalWeight } from '../shared/rowWeights';
import type { NystromOptions } from '../shared/nystrom';
import { outcomeOf } from '../shared/outcome';
import { summaryOf } from '../shared/summary';
import { InputSide } from './inputSide';
import { meanRelativeFisher } from './relativeFisher';

/** Options of the structure `localFisher`. */
export interface LocalFisherOptions {
  /**
   * How the roots A^-1/2 are computed: by the product form of Denman and Beavers' iteration, by the coupled iteration of Newton and Schulz,
   * or by what is fastest for the size. Default 'auto'.
   */
  root?: 'auto' | 'denmanBeavers' | 'newtonSchulz';
  /**
   * 'update': w <- w - a G^-1 g. 'reparametrised': the weights are kept as w' = G^1/2 w, which take plain gradient steps
   * w' <- w' - a G^-1/2 g, and w = G^-1/2 w'; a refresh leaves w as it is. The two are the same but for rounding; the second needs
   * `momentum: null`. Default 'update'.
   */
  form?: 'update' | 'reparametrised';
  /**
   * `{rank}`: so many columns of A, chosen anew in every refresh, stand for all of it, and no matrix root is computed (see
   * `nystromRoots.ts`); `root` then has no meaning. Null: all columns. Default null.
   */
  nystrom?: NystromOptions | null;
}

export interface LocalFisherBlockOptions extends LocalFisherOptions {
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
  precision?: Precision;
  /** Seed of the choice of columns. Default 0. */
  seed?: number;
  /** Shown in the summary when `diagonalInput` is a fallback. */
  reason?: string;
}

export class LocalFisherBlock implements CurvatureBlock {
  readonly structure: string;
  readonly shape: BlockShape;
  readonly needs = [{ activations: true, responses: true }];
  readonly reparametrisation?: Reparametrisation;
  ready = false;

  private readonly bias: boolean;
  private readonly transposed: boolean;
  private readonly precision: Precision;
  private readonly reason: string;
  private readonly input: InputSide;
  /** v, and 1 / v as it is in use and as it is being computed. */
  private readonly information: FloatArray;
  private inverse: FloatArray;
  private upcomingInverse: FloatArray;
  /** How many refreshes there were. */
  private readonly generation = Float64Array.of(0);

  constructor(options: LocalFisherBlockOptions) {
    const { inputSize, outputSize, bias, diagonalInput = false, precision = 'float32' } = options;
    const { rank } = options.nystrom ?? {};
    this.shape = options.shape;
    this.bias = bias;
    this.transposed = options.transposed ?? false;
    this.precision = precision;
    this.reason = options.reason ?? '';
    this.input = new InputSide({
      size: inputSize + (bias ? 1 : 0),
      form: diagonalInput ? 'diagonal' : 'lower',
      homogeneous: bias,
      precision,
      needsBack: options.form === 'reparametrised',
      root: options.root ?? 'auto',
      rank,
      seed: options.seed ?? 0,
    });
    const columns = this.input.isSampled ? `, ${rank} columns` : '';
    this.structure = `local Fisher${diagonalInput ? ', diagonal input' : columns}`;
    this.information = allocate(precision, outputSize);
    this.inverse = allocate(precision, outputSize);
    this.upcomingInverse = allocate(precision, outputSize);
    if (options.form === 'reparametrised') {
      this.reparametrisation = {
        generation: () => this.generation[0],
        toOwn: (weights, own) => this.rootPhases(0.5, weights, own),
        toWeights: (own, weights) => this.rootPhases(-0.5, own, weights),
      };
    }
  }

  updatePhases([{ activations, responses }]: Statistics[], { decay, scale }: AverageStep): Phase[] {
    const rows = activations!.map(rowsOf);
    const weights = activations!.map((activation) => activation.weights);
    const share = scale / totalWeight(activations!);
    const inputs = this.input.updateJobs(activations!, this.bias, { decay, scale: share });
    const mean = allocate(this.precision, this.information.length);
    mean.set(meanRelativeFisher(responses!, rows, this.information.length, weights));
    const { information } = this;
    return [
      {
        jobs: [
          ...inputs,
          combineJob(
            [
              [decay, information],
              [scale, mean],
            ],
            information,
          ),
        ],
      },
    ];
  }

  refreshPhases(lambda: number): Phase[] {
    const output: Job = {
      op: 'diagonalInverse',
      diagonal: this.information,
      out: this.upcomingInverse,
      damping: lambda,
      relative: true,
    };
    const [first, ...rest] = this.input.refreshPhases(lambda, this.generation[0]);
    return [{ ...first, jobs: [output, ...first.jobs] }, ...rest];
  }

  /** The two sides belong together, so they are replaced together or not at all; G = I until there is a first. */
  install(reports: Report[]): RefreshOutcome {
    const outcome = outcomeOf(reports);
    if (outcome.failures === 0) {
      this.input.install();
      [this.inverse, this.upcomingInverse] = [this.upcomingInverse, this.inverse];
      this.generation[0]++;
    } else if (!this.ready) {
      this.input.installIdentity();
      this.inverse.fill(1);
    }
    this.ready = true;
    // After the first two, which are of the damped sides, come functions of them.
    return { ...outcome, minEigenvalue: outcomeOf(reports.slice(0, 2)).minEigenvalue };
  }

  restart(): void {
    this.input.restart();
    this.information.fill(0);
  }

  /** Only matrices. */
  resident(): FloatArray[] {
    return this.input.resident;
  }

  preconditionPhases(gradients: FloatArray[], directions: FloatArray[]): Phase[] {
    return [{ jobs: [this.product(this.input.power(-1), this.inverse, gradients, directions)] }];
  }

  multiplyPhases(vectors: FloatArray[], products: FloatArray[]): Phase[] {
    return [{ jobs: [this.product(this.input.operand, this.information, vectors, products)] }];
  }

  /** `outputs = G^exponent inputs`. */
  private rootPhases(exponent: 0.5 | -0.5, inputs: FloatArray[], outputs: FloatArray[]): Phase[] {
    const scales = this.inverse.map((value) => value ** -exponent);
    return [{ jobs: [this.product(this.input.power(exponent), scales, inputs, outputs)] }];
  }

  private product(input: Operand, diagonal: FloatArray, vectors: FloatArray[], products: FloatArray[]): Job {
    const output: Operand = { matrix: diagonal, size: diagonal.length, form: 'diagonal' };
    return this.transposed
      ? kroneckerJob(output, input, vectors, products)
      : kroneckerJob(input, output, vectors, products);
  }

  toDense(): Float64Array {
    const { input, information } = this;
    const outputs = information.length;
    const n = input.size * outputs;
    const dense = new Float64Array(n * n);
    for (let i = 0; i < input.size; i++) {
      for (let k = 0; k < input.size; k++) {
        for (let j = 0; j < outputs; j++) {
          const [row, column] = this.transposed
            ? [j * input.size + i, j * input.size + k]
            : [i * outputs + j, k * outputs + j];
          dense[row * n + column] = input.at(i, k) * information[j];
        }
      }
    }
    return dense;
  }

  state(): Record<string, FloatArray> {
    return {
      A: this.input.moment,
      v: this.information,
      generation: this.generation,
      ...this.input.state(),
      outputInverse: this.inverse,
    };
  }

  upcoming(): Record<string, FloatArray> {
    const arrays = { ...this.input.upcoming(), outputInverse: this.upcomingInverse };
    return Object.fromEntries(Object.entries(arrays).map(([name, array]) => [`upcoming/${name}`, array]));
  }

  loaded(ready: boolean): void {
    this.ready = ready;
  }

  summary(): BlockSummary {
    return summaryOf(this, {
      matrices: `${this.input.dimensions}, diagonal ${this.information.length}`,
      bytes: this.input.bytes + 3 * this.information.byteLength,
      reason: this.reason,
    });
  }
}
