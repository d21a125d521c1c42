/**
 * The second moment A of a layer's inputs with the powers of A + lambda tr A / dim A I that a local Fisher block uses. They are kept twice:
 * those in use, and those being computed.
 */
import type { FloatArray, Job } from '../../linalg/jobs';
import type { Phase } from '../phases';
import { allocate, Moment, type Precision } from '../shared/factor';
import type { Operand } from '../shared/kroneckerJob';
import { product } from '../shared/productJob';
import { NystromRoots } from './nystromRoots';

/** Full matrices, or diagonals where A is one. */
interface Powers {
  /** A^-1/2 */
  inputRoot: FloatArray;
  /** A^-1 */
  inputInverse: FloatArray;
  /** A^1/2; empty unless it is needed. */
  inputBack: FloatArray;
}

export interface InputSideOptions {
  /** Length of the rows, with the homogeneous coordinate if there is one. */
  size: number;
  form: 'lower' | 'diagonal';
  /** Whether rows have a 1 appended. */
  homogeneous: boolean;
  precision: Precision;
  /** Whether A^1/2 is needed too. */
  needsBack: boolean;
  /** How the root is computed, of all of A. */
  root: 'auto' | 'denmanBeavers' | 'newtonSchulz';
  /** How many columns stand for all of A; undefined: all of them. */
  rank: number | undefined;
  /** Of the choice of columns. */
  seed: number;
}

export class InputSide extends Moment {
  private readonly options: InputSideOptions;
  private current: Powers;
  private next: Powers;
  private readonly nystrom: NystromRoots | undefined;

  constructor(options: InputSideOptions) {
    const { size, form, precision, rank, needsBack } = options;
    super(size, form, precision);
    this.options = options;
    const matrix = () => allocate(precision, this.moment.length);
    const powers = (): Powers => ({
      inputRoot: matrix(),
      inputInverse: matrix(),
      inputBack: needsBack ? matrix() : allocate(precision, 0),
    });
    this.current = powers();
    this.next = powers();
    if (rank !== undefined && rank < size && form === 'lower') {
      this.nystrom = new NystromRoots(size, rank, precision, needsBack ? 3 : 2);
    }
    this.clear(options.homogeneous);
  }

  /** Whether columns stand for all of A. */
  get isSampled(): boolean {
    return this.nystrom !== undefined;
  }

  /** @param draw the number of this refresh, which decides the columns together with the seed */
  refreshPhases(lambda: number, draw: number): Phase[] {
    const { moment, size, next, nystrom } = this;
    const { inputInverse: inverse, inputRoot: inverseRoot, inputBack } = next;
    const { needsBack, root, seed } = this.options;
    const damped = { damping: lambda, relative: true };
    if (this.form === 'diagonal') {
      return [{ jobs: [{ op: 'diagonalInverse', diagonal: moment, out: inverse, ...damped }] }];
    }
    if (nystrom) {
      const powers = { inverse, inverseRoot, ...(needsBack && { root: inputBack }) };
      return nystrom.phases(moment, lambda, powers, seed, draw);
    }
    const rooted: Job = {
      op: 'inverseRoot',
      matrix: moment,
      size,
      p: 2,
      method: root,
      tolerance: 0,
      maxIterations: 0,
      out: inverseRoot,
      ...damped,
    };
    const square = product([size, size, size], inverseRoot, inverseRoot, inverse);
    // The inverse of the computed root, not another root: w' must lead back to w whatever the iteration's residual is.
    const back: Job = { op: 'inverse', matrix: inverseRoot, size, damping: 0, out: inputBack };
    return [{ jobs: [rooted] }, { jobs: needsBack ? [square, back] : [square] }];
  }

  /** Takes what `refreshPhases` computed into use. */
  install(): void {
    if (this.form === 'diagonal') {
      this.next.inputRoot.set(this.next.inputInverse.map(Math.sqrt));
      if (this.options.needsBack) this.next.inputBack.set(this.next.inputRoot.map((value) => 1 / value));
    }
    [this.current, this.next] = [this.next, this.current];
  }

  /** As if A were the identity. */
  installIdentity(): void {
    const step = this.form === 'diagonal' ? 1 : this.size + 1;
    const { inputRoot, inputInverse, inputBack } = this.current;
    for (const matrix of [inputRoot, inputInverse, inputBack]) {
      matrix.fill(0);
      for (let i = 0; i < matrix.length; i += step) matrix[i] = 1;
    }
  }

  restart(): void {
    this.clear(this.options.homogeneous);
  }

  /** For the jobs that multiply by a power of A, as it is in use. */
  power(exponent: -1 | -0.5 | 0.5): Operand {
    const { inputRoot, inputInverse, inputBack } = this.current;
    const matrix = exponent === -1 ? inputInverse : exponent === -0.5 ? inputRoot : inputBack;
    return { matrix, size: this.size, form: this.form === 'diagonal' ? 'diagonal' : 'full' };
  }

  /** Those that only jobs use: of a diagonal `install` takes the root itself, and the columns of A are picked by JavaScript. */
  get resident(): FloatArray[] {
    if (this.form === 'diagonal' || this.nystrom) return [];
    const powers = [this.current, this.next].flatMap(({ inputRoot, inputInverse, inputBack }) => {
      return [inputRoot, inputInverse, inputBack];
    });
    return [this.moment, ...powers.filter(({ length }) => length > 0)];
  }

  /** Live arrays, by name. */
  state(): Record<string, FloatArray> {
    return { ...this.current };
  }

  upcoming(): Record<string, FloatArray> {
    return { ...this.next };
  }

  get bytes(): number {
    const { inputRoot, inputInverse, inputBack } = this.current;
    const powers = inputRoot.byteLength + inputInverse.byteLength + inputBack.byteLength;
    return this.moment.byteLength + 2 * powers + (this.nystrom?.bytes ?? 0);
  }
}
