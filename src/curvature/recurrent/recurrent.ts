/**
 * Block of a kernel that is used at every time step, with the correlation of different steps: J. Martens, J. Ba and M. Johnson,
 * "Kronecker-factored curvature approximations for recurrent neural networks", ICLR 2018.
 *
 * Inputs a_t and output gradients g_t of T steps are taken as stationary linear-Gaussian processes that are independent of one another, so
 * that the scores of steps t + d and t have the covariance V_d = A_d (x) G_d, A_d = (A_1 A_0^-1)^d A_0, and F = sum over s, t of V_{s-t}. In the
 * bases of the two sides (see {@link RecurrentSide}), with V the gradient [in, out]:
 *
 *     symmetric (option 1: A_1 and G_1 symmetrised, T steps)
 *       F^-1 V = L_A [(L_A' V L_G) * Y] L_G'          Y_ij = 1 / (T + 2 sum_{k=1}^{T-1} (T - k) x^k), x = psi_A,i psi_G,j
 *     infinite (option 2: T steps of a sequence without end)
 *       F^-1 V = (X - P_A' X P_G) / T,   X = K_A [(K_A' (V - P_A V P_G') K_G) * Y] K_G'       Y_ij = 1 / (1 - mu_A,i mu_G,j)
 *
 * The damping is split between A_0 and G_0 as in K-FAC, lambda / T of it, because T multiplies the block.
 */
import type { FloatArray, Job, KroneckerJob, Report } from '../../linalg/jobs';
import { kernels } from '../../linalg/kernels';
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
import { dotPhase, runPhases, type Phase } from '../phases';
import { RecurrentSide, succeeded, type Coupling } from './recurrentSide';
import { outcomeOf } from '../shared/outcome';
import { summaryOf } from '../shared/summary';

export interface RecurrentOptions {
  shape: BlockShape;
  inputSize: number;
  outputSize: number;
  /** Whether the second variable is the bias. */
  bias: boolean;
  coupling: Coupling;
  precision?: Precision;
}

/** Nearest that a product of correlations may come to 1, where the sum over an endless sequence is infinite. */
const largestCorrelation = 1 - 1e-6;
/** Doublings of the number of terms of a geometric series: 2^16 terms. */
const doublings = 16;

export class RecurrentBlock implements CurvatureBlock {
  readonly structure: string;
  readonly shape: BlockShape;
  readonly needs = [{ activations: true, outputGradients: true }];
  ready = false;

  private readonly input: RecurrentSide;
  private readonly output: RecurrentSide;
  private readonly bias: boolean;
  private readonly coupling: Coupling;
  private readonly precision: Precision;
  /** T of the latest batch. */
  private readonly steps = Float64Array.of(1);
  /** T that the installed results belong to, and Y made of them. */
  private installedSteps = Float64Array.of(1);
  private spectrum: FloatArray;
  private lambda = 0;

  constructor({ shape, inputSize, outputSize, bias, coupling, precision = 'float32' }: RecurrentOptions) {
    this.structure = `Kronecker factored, ${coupling} transition`;
    this.shape = shape;
    this.bias = bias;
    this.coupling = coupling;
    this.precision = precision;
    this.input = new RecurrentSide(inputSize + (bias ? 1 : 0), coupling, precision);
    this.output = new RecurrentSide(outputSize, coupling, precision);
    this.spectrum = allocate(precision, this.input.size * this.output.size);
  }

  updatePhases([{ examples, activations, passes }]: Statistics[], { decay, scale }: AverageStep): Phase[] {
    const inputs = activations as Rows[];
    this.steps[0] = inputs.length;
    const phases = passes.map(({ weight, gradientScale, outputGradients }, pass): Phase => {
      const share = (scale * weight * gradientScale ** 2) / examples;
      const average = { decay: pass === 0 ? decay : 1, scale: share };
      return { jobs: this.output.updateJobs(outputGradients!, false, average) };
    });
    phases[0].jobs.push(
      ...this.input.updateJobs(inputs, this.bias, { decay, scale: scale / inputs[0].rows }),
    );
    return phases;
  }

  refreshPhases(lambda: number): Phase[] {
    this.lambda = lambda;
    const share = lambda / this.steps[0];
    const sides = [
      this.input.refreshPhases(share, this.output),
      this.output.refreshPhases(share, this.input),
    ];
    return sides[0].map(({ jobs }, k) => ({ jobs: [...jobs, ...sides[1][k].jobs] }));
  }

  install(reports: Report[]): RefreshOutcome {
    if (succeeded(reports)) {
      this.input.install();
      this.output.install();
      this.installedSteps = this.steps.slice();
      this.ready = true;
    } else if (!this.ready) {
      const scale = (this.steps[0] / this.lambda) ** 0.25;
      this.input.installScaled(scale);
      this.output.installScaled(scale);
      this.installedSteps = this.steps.slice();
      this.ready = true;
    }
    this.computeSpectrum();
    return outcomeOf(reports);
  }

  /** Y, element by element. */
  private computeSpectrum(): void {
    const [steps] = this.installedSteps;
    const { values: inputs } = this.input.installed;
    const { values: outputs } = this.output.installed;
    inputs.forEach((a, i) => {
      outputs.forEach((g, j) => {
        const x = Math.max(-largestCorrelation, Math.min(largestCorrelation, a * g));
        const value = this.coupling === 'infinite' ? 1 - x : lagSum(x, steps);
        this.spectrum[i * outputs.length + j] = 1 / value;
      });
    });
  }

  restart(): void {
    this.input.restart();
    this.output.restart();
  }

  preconditionPhases(gradients: FloatArray[], directions: FloatArray[]): Phase[] {
    const phases =
      this.coupling === 'symmetric'
        ? this.symmetricSolution(gradients, directions)
        : this.infiniteSolution(gradients, directions);
    return [...phases, dotPhase(gradients, directions)];
  }

  private symmetricSolution(gradients: FloatArray[], directions: FloatArray[]): Phase[] {
    const inner = this.matrix();
    const { basis: A } = this.input.installed;
    const { basis: G } = this.output.installed;
    return [
      { jobs: [this.kronecker(A, true, G, false, gradients, this.parts(inner))] },
      { jobs: [this.weighted('multiply', inner)] },
      { jobs: [this.kronecker(A, false, G, true, this.parts(inner), directions)] },
    ];
  }

  private infiniteSolution(gradients: FloatArray[], directions: FloatArray[]): Phase[] {
    const [shifted, inner] = [this.matrix(), this.matrix()];
    const { basis: A, transition: PA } = this.input.installed;
    const { basis: G, transition: PG } = this.output.installed;
    const [steps] = this.installedSteps;
    const parts = (array: FloatArray) => this.parts(array);
    return [
      { jobs: [this.kronecker(PA, false, PG, true, gradients, parts(shifted))] },
      { jobs: combined(gradients, 1, parts(shifted), -1, parts(shifted)) },
      { jobs: [this.kronecker(A, true, G, false, parts(shifted), parts(inner))] },
      { jobs: [this.weighted('multiply', inner)] },
      { jobs: [this.kronecker(A, false, G, true, parts(inner), parts(shifted))] },
      { jobs: [this.kronecker(PA, true, PG, false, parts(shifted), parts(inner))] },
      { jobs: combined(parts(shifted), 1 / steps, parts(inner), -1 / steps, directions) },
    ];
  }

  /** With the undamped A_0 and G_0, and the transitions and bases of the installed refresh. */
  multiplyPhases(vectors: FloatArray[], products: FloatArray[]): Phase[] {
    const phases =
      this.coupling === 'symmetric'
        ? this.symmetricProduct(vectors, products)
        : this.infiniteProduct(vectors, products);
    return [...phases, dotPhase(vectors, products)];
  }

  /** F V = A_0 L_A [(L_A' A_0 V G_0 L_G) / Y] L_G' G_0, because the inverse of a basis L is L' C0. */
  private symmetricProduct(vectors: FloatArray[], products: FloatArray[]): Phase[] {
    const [outer, inner] = [this.matrix(), this.matrix()];
    const { basis: A } = this.input.installed;
    const { basis: G } = this.output.installed;
    const parts = (array: FloatArray) => this.parts(array);
    return [
      { jobs: [this.momentProduct(vectors, parts(outer))] },
      { jobs: [this.kronecker(A, true, G, false, parts(outer), parts(inner))] },
      { jobs: [this.weighted('divide', inner)] },
      { jobs: [this.kronecker(A, false, G, true, parts(inner), parts(outer))] },
      { jobs: [this.momentProduct(parts(outer), products)] },
    ];
  }

  /**
   * F V = T (S + S* - A_0 V G_0) with S = sum_{d >= 0} P_A^d A_0 V G_0 P_G'^d and S* = A_0 (sum_d P_A'^d V P_G^d) G_0. The sums are doubled in
   * length at each step: S <- S + P^m S, P^m <- P^m P^m.
   */
  private infiniteProduct(vectors: FloatArray[], products: FloatArray[]): Phase[] {
    const [zero, later, earlier, change, other] = Array.from({ length: 5 }, () => this.matrix());
    const [steps] = this.installedSteps;
    const parts = (array: FloatArray) => this.parts(array);
    const powersOf = ({ installed, size }: RecurrentSide) =>
      [
        installed.transition,
        allocate(this.precision, size ** 2),
        allocate(this.precision, size ** 2),
      ] as const;
    const [A, G] = [powersOf(this.input), powersOf(this.output)];
    // The power in use: first the transition itself, then its squares, which take turns in two buffers.
    const power = ([first, one, two]: ReturnType<typeof powersOf>, k: number) =>
      k === 0 ? first : k % 2 === 1 ? one : two;
    const square = (powers: ReturnType<typeof powersOf>, size: number, k: number): Job => ({
      op: 'product',
      left: power(powers, k),
      right: power(powers, k),
      rows: size,
      inner: size,
      columns: size,
      scale: 1,
      keep: 0,
      out: power(powers, k + 1),
    });
    const phases: Phase[] = [
      {
        jobs: [this.momentProduct(vectors, parts(zero)), ...combined(vectors, 1, vectors, 0, parts(earlier))],
      },
      { jobs: combined(parts(zero), 1, parts(zero), 0, parts(later)) },
    ];
    for (let k = 0; k < doublings; k++) {
      const [PA, PG] = [power(A, k), power(G, k)];
      phases.push(
        {
          jobs: [
            this.kronecker(PA, false, PG, true, parts(later), parts(change)),
            this.kronecker(PA, true, PG, false, parts(earlier), parts(other)),
          ],
        },
        {
          jobs: [
            ...combined(parts(later), 1, parts(change), 1, parts(later)),
            ...combined(parts(earlier), 1, parts(other), 1, parts(earlier)),
            square(A, this.input.size, k),
            square(G, this.output.size, k),
          ],
        },
      );
    }
    phases.push(
      { jobs: [this.momentProduct(parts(earlier), parts(change))] },
      { jobs: combined(parts(later), steps, parts(zero), -steps, parts(later)) },
      { jobs: combined(parts(later), 1, parts(change), steps, products) },
    );
    return phases;
  }

  private momentProduct(input: FloatArray[], out: FloatArray[]): KroneckerJob {
    const job = this.kronecker(this.input.factor.moment, false, this.output.factor.moment, false, input, out);
    return { ...job, leftForm: 'lower', rightForm: 'lower' };
  }

  private kronecker(
    left: FloatArray,
    leftTransposed: boolean,
    right: FloatArray,
    rightTransposed: boolean,
    input: FloatArray[],
    out: FloatArray[],
  ): KroneckerJob {
    return {
      op: 'kronecker',
      left,
      leftSize: this.input.size,
      leftForm: 'full',
      leftTransposed,
      right,
      rightSize: this.output.size,
      rightForm: 'full',
      rightTransposed,
      input: input[0],
      out: out[0],
      ...(this.bias ? { inputLast: input[1], outLast: out[1] } : {}),
    };
  }

  private weighted(how: 'multiply' | 'divide', values: FloatArray): Job {
    return { op: 'elementwise', how, left: values, right: this.spectrum, offset: 0, out: values };
  }

  /** Work space of one value per parameter. */
  private matrix(): FloatArray {
    return allocate(this.precision, this.input.size * this.output.size);
  }

  /** One array per variable in place of one over all. */
  private parts(array: FloatArray): FloatArray[] {
    if (!this.bias) return [array];
    const end = array.length - this.output.size;
    return [array.subarray(0, end), array.subarray(end)];
  }

  toDense(): Float64Array {
    const n = this.input.size * this.output.size;
    const dense = new Float64Array(n * n);
    for (let column = 0; column < n; column++) {
      const [unit, product] = [this.matrix(), this.matrix()];
      unit[column] = 1;
      runPhases(kernels('reference'), this.multiplyPhases(this.parts(unit), this.parts(product)));
      for (let row = 0; row < n; row++) dense[row * n + column] = product[row];
    }
    return dense;
  }

  state(): Record<string, FloatArray> {
    return {
      ...this.input.moments('A'),
      ...this.output.moments('G'),
      steps: this.steps,
      installedSteps: this.installedSteps,
      ...RecurrentSide.named('A', this.input.installed),
      ...RecurrentSide.named('G', this.output.installed),
    };
  }

  upcoming(): Record<string, FloatArray> {
    const named = {
      ...RecurrentSide.named('A', this.input.upcoming),
      ...RecurrentSide.named('G', this.output.upcoming),
    };
    return Object.fromEntries(Object.entries(named).map(([name, array]) => [`upcoming/${name}`, array]));
  }

  loaded(ready: boolean): void {
    this.ready = ready;
    this.computeSpectrum();
  }

  summary(): BlockSummary {
    const { input, output } = this;
    return summaryOf(this, {
      matrices: `2 of ${input.size} x ${input.size}, 2 of ${output.size} x ${output.size}`,
      bytes: input.bytes + output.bytes + this.spectrum.byteLength,
    });
  }
}

/**
 * T + 2 sum_{k=1}^{T-1} (T - k) x^k = (T (1 - x^2) - 2 x (1 - x^T)) / (1 - x)^2, by Horner's rule: the closed form cancels near x = 1.
 */
function lagSum(x: number, steps: number): number {
  let sum = 0;
  for (let k = steps - 1; k >= 1; k--) sum = x * (sum + 2 * (steps - k));
  return steps + sum;
}

/** `out = scale left + otherScale right`, array by array. */
function combined(
  left: FloatArray[],
  scale: number,
  right: FloatArray[],
  otherScale: number,
  out: FloatArray[],
): Job[] {
  return left.map((data, i) => ({
    op: 'combine',
    terms: [
      { data, scale },
      { data: right[i], scale: otherScale },
    ],
    out: out[i],
  }));
}
