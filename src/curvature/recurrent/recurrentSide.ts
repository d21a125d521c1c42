/**
 * One side, inputs or output gradients, of the block of a kernel that is used at every time step: a stationary process x_t with
 *
 *     C0 = E[x_t x_t']      C1 = E[x_{t+1} x_t']
 *
 * and what a refresh makes of it with the damped C0 (J. Martens, J. Ba and M. Johnson, "Kronecker-factored curvature approximations for
 * recurrent neural networks", 2018):
 *
 *     symmetric:  C0^-1/2 (C1 + C1')/2 C0^-1/2 = U diag(psi) U'     basis = C0^-1/2 U   values = psi
 *     infinite:   C0^-1/2 C1 C0^-1/2 = E diag(sigma) V'             basis = C0^-1/2 E   values = sigma^2   transition = C1 C0^-1
 */
import type { FloatArray, Job } from '../../linalg/jobs';
import type { Activation, AverageStep, Rows } from '../block';
import { allocate, Factor, type Precision } from '../shared/factor';
import type { Phase } from '../phases';
import type { Operand } from '../shared/kroneckerJob';
import { product } from '../shared/productJob';
import { totalWeight } from '../shared/rowWeights';
import type { Transition } from './transition';

/** The rows of a step, and what each of them counts if they do not count alike. */
type WeightedRows = Rows & Pick<Activation, 'weights'>;

/** The transitions that couple time steps. */
export type CouplingName = Exclude<Transition, 'independent'>;

/** Results of a refresh. */
interface Refreshed {
  basis: FloatArray;
  values: FloatArray;
  transition: FloatArray;
}

export class RecurrentSide {
  readonly factor: Factor;
  /** C1, full. */
  readonly lagged: FloatArray;
  installed: Refreshed;
  upcoming: Refreshed;

  private readonly work: FloatArray[];

  constructor(
    readonly size: number,
    private readonly coupling: CouplingName,
    private readonly precision: Precision,
  ) {
    this.factor = new Factor(size, 'lower', precision);
    const matrix = () => allocate(precision, size * size);
    const refreshed = () => ({
      basis: matrix(),
      values: allocate(precision, size),
      transition: coupling === 'infinite' ? matrix() : allocate(precision, 0),
    });
    this.lagged = matrix();
    this.installed = refreshed();
    this.upcoming = refreshed();
    this.work = [matrix(), matrix(), matrix(), matrix()];
  }

  /**
   * Jobs for the moving averages of C0 and C1 over the steps, `decay C0 + scale/T sum_t X_t'X_t` and `decay C1 + scale/(T-1) sum_t X_{t+1}'X_t`.
   * Rows with weights are multiplied with their roots, and the means over the steps are taken by weight.
   *
   * @param steps the rows X_t of every step, in the order of time; a 1 is appended to each row if `homogeneous`
   */
  updateJobs(steps: WeightedRows[], homogeneous: boolean, { decay, scale }: AverageStep): Job[] {
    const rows = steps[0].rows;
    const stacked = this.stack(steps, homogeneous);
    const length = (steps.length - 1) * rows;
    const average = { decay, scale: (scale * rows) / totalWeight(steps) };
    const pairs = steps.slice(1).reduce((sum, step, t) => sum + pairWeight(steps[t], step), 0);
    return [
      ...this.factor.updateJobs(steps, homogeneous, average),
      product(
        [this.size, length, this.size],
        stacked.subarray(rows * this.size),
        stacked.subarray(0, length * this.size),
        this.lagged,
        { transposeLeft: true, scale: pairs > 0 ? (scale * rows) / pairs : 0, keep: decay },
      ),
    ];
  }

  /** All rows as one matrix: a copy, because a product's inputs must stay as they are until it has run. */
  private stack(steps: WeightedRows[], homogeneous: boolean): FloatArray {
    const stacked = allocate(this.precision, steps.length * steps[0].rows * this.size);
    let to = 0;
    for (const { data, rows, columns, weights } of steps) {
      for (let row = 0; row < rows; row++, to += this.size) {
        const root = Math.sqrt(weights?.[row] ?? 1);
        for (let i = 0; i < columns; i++) stacked[to + i] = root * data[row * columns + i];
        if (homogeneous) stacked[to + columns] = root;
      }
    }
    return stacked;
  }

  /** Phases that compute `upcoming`, with this side's share of the damping `lambda` of the product with `partner`. */
  refreshPhases(lambda: number, partner: RecurrentSide): Phase[] {
    const [root, half, psi, vectors] = this.work;
    const { basis, values, transition } = this.upcoming;
    const inverseRoot: Job = {
      op: 'inverseRoot',
      matrix: this.factor.moment,
      size: this.size,
      p: 2,
      method: 'eigen',
      tolerance: 0,
      maxIterations: 0,
      out: root,
      damping: lambda,
      partner: { matrix: partner.factor.moment, size: partner.size },
    };
    const eigh: Job = { op: 'eigh', matrix: half, size: this.size, values, vectors };
    const toBasis = this.product(root, vectors, basis);
    const first = [inverseRoot];
    if (this.coupling === 'symmetric') {
      const symmetrised = (left: FloatArray, right: FloatArray, transposeRight: boolean, keep: number) =>
        this.product(left, right, half, { transposeRight, scale: 0.5, keep });
      return [
        first,
        [this.product(root, this.lagged, psi)],
        [symmetrised(psi, root, false, 0)],
        [symmetrised(root, psi, true, 1)],
        [eigh],
        [toBasis],
      ].map((jobs) => ({ jobs }));
    }
    return [
      first,
      [this.product(this.lagged, root, vectors)],
      [this.product(root, vectors, psi), this.product(vectors, root, transition)],
      [this.product(psi, psi, half, { transposeRight: true })],
      [eigh],
      [toBasis],
    ].map((jobs) => ({ jobs }));
  }

  /** A product of matrices of this side's size. */
  private product(
    left: FloatArray,
    right: FloatArray,
    out: FloatArray,
    how?: Parameters<typeof product>[4],
  ): Job {
    return product([this.size, this.size, this.size], left, right, out, how);
  }

  /** For the jobs that multiply by the installed basis. */
  basis({ transposed = false } = {}): Operand {
    return { matrix: this.installed.basis, size: this.size, form: 'full', transposed };
  }

  /** For the jobs that multiply by the installed transition. */
  transition({ transposed = false } = {}): Operand {
    return { matrix: this.installed.transition, size: this.size, form: 'full', transposed };
  }

  install(): void {
    [this.installed, this.upcoming] = [this.upcoming, this.installed];
  }

  /** As if C0 were `scale^-2 I` and C1 zero. */
  installScaled(scale: number): void {
    const { basis, values, transition } = this.installed;
    for (const array of [basis, values, transition]) array.fill(0);
    for (let i = 0; i < this.size; i++) basis[i * this.size + i] = scale;
  }

  restart(): void {
    this.factor.moment.fill(0);
    this.lagged.fill(0);
  }

  /** Arrays of a checkpoint, by name. */
  moments(name: string): Record<string, FloatArray> {
    return { [`${name}0`]: this.factor.moment, [`${name}1`]: this.lagged };
  }

  static named(name: string, { basis, values, transition }: Refreshed): Record<string, FloatArray> {
    return {
      [`basis${name}`]: basis,
      [`values${name}`]: values,
      ...(transition.length > 0 ? { [`transition${name}`]: transition } : {}),
    };
  }

  get bytes(): number {
    const { basis, values, transition } = this.installed;
    const results = 2 * (basis.byteLength + values.byteLength + transition.byteLength);
    return this.factor.bytes + (1 + this.work.length) * this.lagged.byteLength + results;
  }
}

/** What the rows of two consecutive steps count as pairs. */
function pairWeight(one: WeightedRows, next: WeightedRows): number {
  let sum = 0;
  for (let r = 0; r < one.rows; r++) sum += Math.sqrt((one.weights?.[r] ?? 1) * (next.weights?.[r] ?? 1));
  return sum;
}
