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
import type { FloatArray, Job, MatrixForm, Report, RootMethod } from '../../linalg/jobs';
import {
  least,
  rowsOf,
  type AverageStep,
  type BlockShape,
  type BlockSummary,
  type CurvatureBlock,
  type RefreshOutcome,
  type Reparametrisation,
  type Statistics,
} from '../block';
import { allocate, type Precision } from '../shared/factor';
import type { Phase } from '../phases';
import type { NystromOptions } from '../shared/nystrom';
import { NystromRoots } from './nystromRoots';
import { meanRelativeFisher } from './relativeFisher';
import { summaryOf } from '../shared/summary';

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

/** Functions of the damped block. The input side is full matrices, or diagonals where A is one. */
interface Functions {
  /** A^-1/2 */
  inputRoot: FloatArray;
  /** A^-1 */
  inputInverse: FloatArray;
  /** A^1/2; empty unless reparametrised. */
  inputBack: FloatArray;
  /** 1 / v */
  outputInverse: FloatArray;
}

export class LocalFisherBlock implements CurvatureBlock {
  readonly structure: string;
  readonly shape: BlockShape;
  readonly needs = [{ activations: true, responses: true }];
  readonly reparametrisation?: Reparametrisation;
  ready = false;

  private readonly options: LocalFisherBlockOptions;
  private readonly precision: Precision;
  private readonly size: number;
  private readonly moment: FloatArray;
  private readonly information: FloatArray;
  private current: Functions;
  private next: Functions;
  private readonly nystrom?: NystromRoots;
  /** How many refreshes there were. */
  private readonly generation = Float64Array.of(0);

  constructor(options: LocalFisherBlockOptions) {
    const { inputSize, outputSize, bias, diagonalInput = false, precision = 'float32' } = options;
    this.structure = diagonalInput ? 'local Fisher, diagonal input' : 'local Fisher';
    this.shape = options.shape;
    this.options = options;
    this.precision = precision;
    this.size = inputSize + (bias ? 1 : 0);
    this.moment = this.inputArray();
    this.information = allocate(precision, outputSize);
    this.current = this.functions();
    this.next = this.functions();
    if (this.isReparametrised) {
      this.reparametrisation = {
        generation: () => this.generation[0],
        toOwn: (weights, own) => this.rootPhases(1, weights, own),
        toWeights: (own, weights) => this.rootPhases(-1, own, weights),
      };
    }
    const { rank } = options.nystrom ?? {};
    if (rank !== undefined && rank < this.size && !diagonalInput) {
      this.structure = `local Fisher, ${rank} columns`;
      this.nystrom = new NystromRoots(this.size, rank, precision, this.isReparametrised ? 3 : 2);
    }
    this.fillHomogeneous();
  }

  private get isReparametrised(): boolean {
    return this.options.form === 'reparametrised';
  }

  private inputArray(): FloatArray {
    return allocate(this.precision, this.options.diagonalInput ? this.size : this.size ** 2);
  }

  private functions(): Functions {
    return {
      inputRoot: this.inputArray(),
      inputInverse: this.inputArray(),
      inputBack: this.isReparametrised ? this.inputArray() : allocate(this.precision, 0),
      outputInverse: allocate(this.precision, this.options.outputSize),
    };
  }

  /** The moment of the appended 1, which a diagonal A keeps as it is set. */
  private fillHomogeneous(): void {
    const { diagonalInput, bias } = this.options;
    if (diagonalInput && bias) this.moment[this.size - 1] = 1;
  }

  updatePhases([{ activations, responses }]: Statistics[], { decay, scale }: AverageStep): Phase[] {
    const { bias, diagonalInput, outputSize } = this.options;
    const rows = activations!.map(rowsOf);
    const total = rows.reduce((sum, count) => sum + count, 0);
    const inputs = activations!.map((activation) => ({ ...activation, scale: scale / total }));
    const input = diagonalInput
      ? {
          op: 'diagonalFactor',
          inputs,
          decay,
          factor: bias ? this.moment.subarray(0, this.size - 1) : this.moment,
        }
      : { op: 'factor', inputs, homogeneous: bias, decay, factor: this.moment, size: this.size };
    const mean = allocate(this.precision, outputSize);
    mean.set(meanRelativeFisher(responses!, rows, outputSize));
    const terms = [
      { data: this.information, scale: decay },
      { data: mean, scale },
    ];
    return [{ jobs: [input as Job, { op: 'combine', terms, out: this.information }] }];
  }

  refreshPhases(lambda: number): Phase[] {
    const { diagonalInput, root = 'auto' } = this.options;
    const { moment: matrix, size, next } = this;
    const damped = { damping: lambda, relative: true };
    const output: Job = {
      op: 'diagonalInverse',
      diagonal: this.information,
      out: next.outputInverse,
      ...damped,
    };
    if (diagonalInput) {
      const input: Job = { op: 'diagonalInverse', diagonal: matrix, out: next.inputInverse, ...damped };
      return [{ jobs: [output, input] }];
    }
    if (this.nystrom) {
      const { inputInverse: inverse, inputRoot: inverseRoot, inputBack } = next;
      const powers = { inverse, inverseRoot, ...(this.isReparametrised ? { root: inputBack } : {}) };
      const { seed = 0 } = this.options;
      return [{ jobs: [output] }, ...this.nystrom.phases(matrix, lambda, powers, seed, this.generation[0])];
    }
    const method: RootMethod = root;
    const inverseRoot: Job = {
      op: 'inverseRoot', matrix, size, p: 2, method, tolerance: 0, maxIterations: 0, out: next.inputRoot, ...damped,
    }; // prettier-ignore
    const square: Job = {
      op: 'product', left: next.inputRoot, right: next.inputRoot, rows: size, inner: size, columns: size, scale: 1, keep: 0,
      out: next.inputInverse,
    }; // prettier-ignore
    // The inverse of the computed root, not another root: w' must lead back to w whatever the iteration's residual is.
    const back: Job = { op: 'inverse', matrix: next.inputRoot, size, damping: 0, out: next.inputBack };
    return [{ jobs: [output, inverseRoot] }, { jobs: this.isReparametrised ? [square, back] : [square] }];
  }

  /** The two sides belong together, so they are replaced together or not at all; G = I until there is a first. */
  install(reports: Report[]): RefreshOutcome {
    const failures = reports.filter((report) => report.status !== 'ok').length;
    if (failures === 0) {
      if (this.options.diagonalInput) {
        this.next.inputRoot.set(this.next.inputInverse.map(Math.sqrt));
        if (this.isReparametrised) this.next.inputBack.set(this.next.inputRoot.map((value) => 1 / value));
      }
      [this.current, this.next] = [this.next, this.current];
      this.generation[0]++;
    } else if (!this.ready) {
      this.current.outputInverse.fill(1);
      const { inputRoot, inputInverse, inputBack } = this.current;
      for (const matrix of [inputRoot, inputInverse, inputBack]) this.fillIdentity(matrix);
    }
    this.ready = true;
    return {
      failures,
      retries: reports.filter((report) => report.retries > 0).length,
      minEigenvalue: reports
        .slice(0, 2)
        .reduce((minimum, report) => least(minimum, report.minEigenvalue), NaN),
      overflowed: reports.some((report) => report.status === 'notFinite'),
    };
  }

  private fillIdentity(matrix: FloatArray): void {
    const step = this.options.diagonalInput ? 1 : this.size + 1;
    matrix.fill(0);
    for (let i = 0; i < matrix.length; i += step) matrix[i] = 1;
  }

  restart(): void {
    this.moment.fill(0);
    this.information.fill(0);
    this.fillHomogeneous();
  }

  /** Only matrices: of a diagonal input `install` takes the root itself. */
  resident(): FloatArray[] {
    // Columns of A are picked, and what they give is written, by JavaScript.
    if (this.options.diagonalInput || this.nystrom) return [];
    const functions = [this.current, this.next].flatMap(({ inputRoot, inputInverse, inputBack }) => {
      return this.isReparametrised ? [inputRoot, inputInverse, inputBack] : [inputRoot, inputInverse];
    });
    return [this.moment, ...functions];
  }

  preconditionPhases(gradients: FloatArray[], directions: FloatArray[]): Phase[] {
    const { inputInverse, outputInverse } = this.current;
    return [{ jobs: [this.product(inputInverse, outputInverse, gradients, directions)] }];
  }

  multiplyPhases(vectors: FloatArray[], products: FloatArray[]): Phase[] {
    return [{ jobs: [this.product(this.moment, this.information, vectors, products, 'lower')] }];
  }

  /** `outputs = G^(power/2) inputs`. */
  private rootPhases(power: 1 | -1, inputs: FloatArray[], outputs: FloatArray[]): Phase[] {
    const { inputRoot, inputBack, outputInverse } = this.current;
    const scales = outputInverse.map((value) => value ** (-power / 2));
    return [{ jobs: [this.product(power === 1 ? inputBack : inputRoot, scales, inputs, outputs)] }];
  }

  private product(
    input: FloatArray,
    output: FloatArray,
    vectors: FloatArray[],
    products: FloatArray[],
    form: 'full' | 'lower' = 'full',
  ): Job {
    const { bias, diagonalInput, transposed, outputSize } = this.options;
    const inputForm: MatrixForm = diagonalInput ? 'diagonal' : form;
    const sides = transposed
      ? {
          left: output,
          leftSize: outputSize,
          leftForm: 'diagonal' as const,
          right: input,
          rightSize: this.size,
          rightForm: inputForm,
        }
      : {
          left: input,
          leftSize: this.size,
          leftForm: inputForm,
          right: output,
          rightSize: outputSize,
          rightForm: 'diagonal' as const,
        };
    return {
      op: 'kronecker',
      ...sides,
      input: vectors[0],
      out: products[0],
      ...(bias ? { inputLast: vectors[1], outLast: products[1] } : {}),
    };
  }

  toDense(): Float64Array {
    const { diagonalInput, transposed, outputSize } = this.options;
    const { size, moment, information } = this;
    const n = size * outputSize;
    const input = (i: number, k: number): number => {
      if (diagonalInput) return i === k ? moment[i] : 0;
      return moment[Math.max(i, k) * size + Math.min(i, k)];
    };
    const dense = new Float64Array(n * n);
    for (let i = 0; i < size; i++) {
      for (let k = 0; k < size; k++) {
        for (let j = 0; j < outputSize; j++) {
          const [row, column] = transposed
            ? [j * size + i, j * size + k]
            : [i * outputSize + j, k * outputSize + j];
          dense[row * n + column] = input(i, k) * information[j];
        }
      }
    }
    return dense;
  }

  state(): Record<string, FloatArray> {
    return {
      A: this.moment,
      v: this.information,
      generation: this.generation,
      ...prefixed('', this.current),
    };
  }

  upcoming(): Record<string, FloatArray> {
    return prefixed('upcoming/', this.next);
  }

  loaded(ready: boolean): void {
    this.ready = ready;
  }

  summary(): BlockSummary {
    const { diagonalInput, outputSize, reason = '' } = this.options;
    const functions = Object.values(this.current) as FloatArray[];
    return summaryOf(this, {
      matrices: `${diagonalInput ? `diagonal ${this.size}` : `${this.size} x ${this.size}`}, diagonal ${outputSize}`,
      bytes:
        this.moment.byteLength +
        this.information.byteLength +
        2 * functions.reduce((sum, { byteLength }) => sum + byteLength, 0) +
        (this.nystrom?.bytes ?? 0),
      reason,
    });
  }
}

function prefixed(prefix: string, functions: Functions): Record<string, FloatArray> {
  return Object.fromEntries(
    Object.entries(functions).map(([name, values]) => [prefix + name, values as FloatArray]),
  );
}
