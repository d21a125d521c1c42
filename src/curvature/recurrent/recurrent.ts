/**
 * Block of a kernel that is used at every time step, with the correlation of different steps: J. Martens, J. Ba and M. Johnson,
 * "Kronecker-factored curvature approximations for recurrent neural networks", ICLR 2018.
 *
 * Inputs a_t and output gradients g_t of T steps are taken as stationary linear-Gaussian processes that are independent of one another, so
 * that the scores of steps t + d and t have the covariance V_d = A_d (x) G_d, A_d = (A_1 A_0^-1)^d A_0, and F = sum over s, t of V_{s-t}. How
 * its inverse is had depends on the transition A_1 A_0^-1: see `symmetricCoupling.ts` and `infiniteCoupling.ts`.
 *
 * The damping is split between A_0 and G_0 as in K-FAC, lambda / T of it, because T multiplies the block.
 */
import type { FloatArray, Report } from '../../linalg/jobs';
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
import { dotPhase, runPhases, type Phase } from '../phases';
import type { Precision } from '../shared/factor';
import { outcomeOf } from '../shared/outcome';
import { summaryOf } from '../shared/summary';
import { CoupledSteps, type Coupling } from './coupledSteps';
import { infiniteCoupling } from './infiniteCoupling';
import { RecurrentSide, type CouplingName } from './recurrentSide';
import { symmetricCoupling } from './symmetricCoupling';

export interface RecurrentOptions {
  shape: BlockShape;
  inputSize: number;
  outputSize: number;
  /** Whether the second variable is the bias. */
  bias: boolean;
  coupling: CouplingName;
  precision?: Precision;
}

export class RecurrentBlock implements CurvatureBlock {
  readonly structure: string;
  readonly shape: BlockShape;
  readonly needs = [{ activations: true, outputGradients: true }];
  ready = false;

  private readonly input: RecurrentSide;
  private readonly output: RecurrentSide;
  private readonly bias: boolean;
  private readonly coupling: Coupling;
  private readonly installed: CoupledSteps;
  /** T of the latest batch. */
  private readonly steps = Float64Array.of(1);
  private lambda = 0;

  constructor({ shape, inputSize, outputSize, bias, coupling, precision = 'float32' }: RecurrentOptions) {
    this.structure = `Kronecker factored, ${coupling} transition`;
    this.shape = shape;
    this.bias = bias;
    this.coupling = coupling === 'symmetric' ? symmetricCoupling : infiniteCoupling;
    this.input = new RecurrentSide(inputSize + (bias ? 1 : 0), coupling, precision);
    this.output = new RecurrentSide(outputSize, coupling, precision);
    this.installed = new CoupledSteps(this.input, this.output, bias, precision);
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
    const outcome = outcomeOf(reports);
    if (outcome.failures === 0) {
      this.input.install();
      this.output.install();
    } else if (!this.ready) {
      const scale = (this.steps[0] / this.lambda) ** 0.25;
      this.input.installScaled(scale);
      this.output.installScaled(scale);
    }
    if (outcome.failures === 0 || !this.ready) this.installed.count.set(this.steps);
    this.ready = true;
    this.updateWeights();
    return outcome;
  }

  private updateWeights(): void {
    this.installed.updateWeights((x, steps) => this.coupling.inverseWeight(x, steps));
  }

  restart(): void {
    this.input.restart();
    this.output.restart();
  }

  preconditionPhases(gradients: FloatArray[], directions: FloatArray[]): Phase[] {
    const phases = this.coupling.solvePhases(this.installed, gradients, directions);
    return [...phases, dotPhase(gradients, directions)];
  }

  multiplyPhases(vectors: FloatArray[], products: FloatArray[]): Phase[] {
    const phases = this.coupling.multiplyPhases(this.installed, vectors, products);
    return [...phases, dotPhase(vectors, products)];
  }

  toDense(): Float64Array {
    const { installed } = this;
    const n = this.input.size * this.output.size;
    const dense = new Float64Array(n * n);
    for (let column = 0; column < n; column++) {
      const [unit, product] = [installed.matrix(), installed.matrix()];
      unit[column] = 1;
      const phases = this.multiplyPhases(installed.parts(unit), installed.parts(product));
      runPhases(kernels('reference'), phases);
      for (let row = 0; row < n; row++) dense[row * n + column] = product[row];
    }
    return dense;
  }

  state(): Record<string, FloatArray> {
    return {
      ...this.input.moments('A'),
      ...this.output.moments('G'),
      steps: this.steps,
      installedSteps: this.installed.count,
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
    this.updateWeights();
  }

  summary(): BlockSummary {
    const { input, output } = this;
    return summaryOf(this, {
      matrices: `2 of ${input.size} x ${input.size}, 2 of ${output.size} x ${output.size}`,
      bytes: input.bytes + output.bytes + this.installed.weights.byteLength,
    });
  }
}
