/**
 * Inverse-free Kronecker-factored block: SINGD, INGD and IKFAC (Lin, Dangel, Eschenhagen, Neklyudov, Kristiadi, Turner & Makhzani 2024,
 * "Structured Inverse-Free Natural Gradient: Memory-Efficient & Numerically-Stable KFAC").
 *
 * K and C with K K' ~ A^-1 and C C' ~ G^-1 (the factors of `KroneckerFactoredBlock`) start as identities and follow them by products
 * alone. A refresh is one step of each:
 *
 *     H_K = K' A K,   H_C = C' G C
 *     m_K <- momentum m_K + 1/2 [H_K tr(H_C) / dim C + lambda K' K tr(C' C) / dim C - I]      m_C likewise
 *     K <- K - rate K m_K                                                                     C likewise
 *
 * With `kfacLike` both traces over the dimension are 1, so that the two sides are independent and K K' tends to (A + lambda I)^-1. The
 * direction for a gradient V in the layout of tfjs is K K' V C C'.
 */
import type { FloatArray, Job, Report } from '../../linalg/jobs';
import {
  gradientRows,
  type AverageStep,
  type BlockShape,
  type BlockSummary,
  type CurvatureBlock,
  type RefreshOutcome,
  type Statistics,
} from '../block';
import type { KroneckerFactoredOptions } from '../kronecker/kroneckerFactored';
import { totalWeight } from '../shared/rowWeights';
import type { Phase } from '../phases';
import { SingdSide, type SideStructure } from './singdSide';
import { kroneckerJob } from '../shared/kroneckerJob';
import { summaryOf } from '../shared/summary';

/** Options of SINGD that a user can set. */
export interface SingdSettings {
  /** Let each side follow its own factor, as K-FAC does, instead of both their product. Default false. */
  kfacLike?: boolean;
  /** The structure of K and C. Default 'dense'. */
  factors?: SideStructure;
  /** Size of the blocks of 'blockDiagonal'. Default 30. */
  factorBlockSize?: number;
  /** Step length of K and C in a refresh. Default 0.1. */
  factorLearningRate?: number;
  /** Momentum of K and C. Default 0.5. */
  factorMomentum?: number;
  /**
   * Divide the step by the largest element of the momentum where that is above 1, and weight what is new with (1 - factorMomentum) / 2
   * instead of 1/2. Then a refresh does not overlap with training. Default true.
   */
  normalize?: boolean;
}

export class SingdBlock implements CurvatureBlock {
  readonly structure: string;
  readonly shape: BlockShape;
  readonly needs = [{ activations: true, outputGradients: true }];
  ready = false;

  private readonly settings: Required<SingdSettings>;
  private readonly input: SingdSide;
  private readonly output: SingdSide;
  private readonly transposed: boolean;
  private readonly reason: string;

  constructor({ shape, precision = 'float32', ...options }: KroneckerFactoredOptions & SingdSettings) {
    const { inputSize, outputSize, bias, diagonalInput = false, transposed = false, reason = '' } = options;
    this.settings = {
      kfacLike: options.kfacLike ?? false,
      factors: options.factors ?? 'dense',
      factorBlockSize: options.factorBlockSize ?? 30,
      factorLearningRate: options.factorLearningRate ?? 0.1,
      factorMomentum: options.factorMomentum ?? 0.5,
      normalize: options.normalize ?? true,
    };
    const { kfacLike, factors, factorBlockSize } = this.settings;
    this.structure = kfacLike
      ? 'inverse-free Kronecker factored (IKFAC)'
      : 'inverse-free Kronecker factored (INGD)';
    this.shape = shape;
    this.transposed = transposed;
    this.reason = reason;
    const inputs = diagonalInput ? 'diagonal' : factors;
    this.input = new SingdSide(inputSize + Number(bias), inputs, factorBlockSize, bias, precision);
    this.output = new SingdSide(outputSize, factors, factorBlockSize, false, precision);
  }

  updatePhases([{ examples, activations, passes }]: Statistics[], { decay, scale }: AverageStep): Phase[] {
    const phases = passes.map(({ weight, gradientScale, outputGradients }, pass): Phase => {
      const share = (scale * weight * gradientScale ** 2) / examples;
      return {
        jobs: this.output.updateJobs(outputGradients!.map(gradientRows), {
          decay: pass === 0 ? decay : 1,
          scale: share,
        }),
      };
    });
    phases[0].jobs.push(
      ...this.input.updateJobs(activations!, { decay, scale: scale / totalWeight(activations!) }),
    );
    return phases;
  }

  refreshPhases(lambda: number): Phase[] {
    const { kfacLike, factorMomentum, factorLearningRate, normalize } = this.settings;
    const sides = [this.input, this.output];
    const c = normalize ? (1 - factorMomentum) / 2 : 1 / 2;
    const together = (plans: Job[][][]): Phase[] =>
      plans[0].map((_, phase) => ({ jobs: plans.flatMap((plan) => plan[phase]) }));
    const setSteps = () => sides.forEach((side) => side.setStep(factorLearningRate, normalize));
    const momentum: Phase = { jobs: sides.flatMap((side) => side.momentumJobs(factorMomentum)) };
    if (normalize) momentum.then = setSteps;
    else setSteps();
    return [
      { jobs: sides.flatMap((side) => side.firstJobs()) },
      { jobs: sides.flatMap((side) => side.secondJobs()) },
      ...together(
        sides.map((side, i) =>
          kfacLike ? side.kfacLikeJobs(c, lambda) : side.jointJobs(c, lambda, sides[1 - i]),
        ),
      ),
      { jobs: sides.flatMap((side) => side.projectJobs()) },
      momentum,
      ...together(sides.map((side) => side.rootJobs())),
    ];
  }

  /** Both sides make their step, or neither if one has left the range of the numbers. */
  install(reports: Report[]): RefreshOutcome {
    const isComputed = reports.every(({ status }) => status === 'ok');
    const isFinite = isComputed && this.input.isFinite && this.output.isFinite;
    if (isFinite) {
      this.input.install();
      this.output.install();
    }
    this.ready = true;
    const moments = [this.input.moment, this.output.moment];
    return {
      failures: isFinite ? 0 : 1,
      retries: 0,
      minEigenvalue: NaN,
      overflowed: !isFinite && !moments.every((moment) => moment.every(Number.isFinite)),
    };
  }

  restart(): void {
    this.input.restart();
    this.output.restart();
  }

  preconditionPhases(gradients: FloatArray[], directions: FloatArray[]): Phase[] {
    return [{ jobs: [this.product('inverse', gradients, directions)] }];
  }

  multiplyPhases(vectors: FloatArray[], products: FloatArray[]): Phase[] {
    return [{ jobs: [this.product('moment', vectors, products)] }];
  }

  private get sides(): [SingdSide, SingdSide] {
    return this.transposed ? [this.output, this.input] : [this.input, this.output];
  }

  private product(which: 'inverse' | 'moment', input: FloatArray[], out: FloatArray[]): Job {
    const [left, right] = this.sides;
    return kroneckerJob(left.operand(which), right.operand(which), input, out);
  }

  toDense(): Float64Array {
    const [left, right] = this.sides;
    const n = left.size * right.size;
    return Float64Array.from({ length: n * n }, (_, at) => {
      const [row, column] = [Math.floor(at / n), at % n];
      const [i, k] = [row, column].map((index) => Math.floor(index / right.size));
      return left.at(i, k) * right.at(row % right.size, column % right.size);
    });
  }

  state(): Record<string, FloatArray> {
    return { ...this.input.state('A'), ...this.output.state('G') };
  }

  upcoming(): Record<string, FloatArray> {
    return { ...this.input.upcomingState('A'), ...this.output.upcomingState('G') };
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
