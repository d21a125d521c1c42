import { NatgradError } from '../errors';
import { requirePositive } from './schedule';

export interface LevenbergMarquardtOptions {
  adapt: 'levenbergMarquardt';
  /** Damping to start from, positive. Martens and Grosse start their full-size autoencoders from 150. */
  initial: number;
  /** Damping never goes below this. Default 1e-8. */
  min?: number;
  /** Damping never goes above this. Default 1e8. */
  max?: number;
  /** The rule is applied after every `period`-th step. Default 5. */
  period?: number;
  /** Factor per step, in (0, 1); one application of the rule changes the damping by `decay^period`. Default 19/20. */
  decay?: number;
}

/** How a step turned out, in values of the loss on the batch that the step was computed from. */
export interface StepOutcome {
  /** The step, counted from 0. */
  step: number;
  /** h(theta + delta) - h(theta), the change of the loss. */
  actual: number;
  /** M(delta) - M(0), the change the quadratic model predicted. */
  predicted: number;
}

const KEYS: readonly string[] = [
  'adapt',
  'initial',
  'min',
  'max',
  'period',
  'decay',
] satisfies (keyof LevenbergMarquardtOptions)[];

/**
 * Damping that follows how well the quadratic model predicts the loss: the Levenberg-Marquardt style rule of J. Martens and
 * R. Grosse, "Optimizing neural networks with Kronecker-factored approximate curvature" (2015), section 6.5. Every `period` steps
 *
 *     rho = (h(theta + delta) - h(theta)) / (M(delta) - M(0)),  omega = decay^period
 *     rho > 3/4: lambda <- omega lambda;   rho < 1/4: lambda <- lambda / omega;   then clipped to [min, max]
 *
 * A rho that is not a number or not finite (the loss overflowed, or the model predicted no change) counts as a failure of the model
 * and raises the damping. Meant for large or full batches: on small ones rho is mostly noise.
 */
export class LevenbergMarquardt {
  private readonly min: number;
  private readonly max: number;
  private readonly period: number;
  private readonly omega: number;
  private lambda: number;

  /** @throws NatgradError ERR_NATGRAD_ARGUMENT for an unknown key or a value out of range */
  constructor(options: LevenbergMarquardtOptions) {
    const unknown = Object.keys(options).find((key) => !KEYS.includes(key));
    if (unknown !== undefined) refuse(`damping.${unknown} is not an option`, `use ${KEYS.join(', ')}`);
    const { adapt, initial, min = 1e-8, max = 1e8, period = 5, decay = 19 / 20 } = options;
    if (adapt !== 'levenbergMarquardt')
      refuse(`damping.adapt is '${String(adapt)}'`, `use 'levenbergMarquardt'`);
    if (!Number.isSafeInteger(period) || period < 1)
      refuse(`damping.period is ${period}`, 'give a positive integer');
    if (!(decay > 0 && decay < 1)) refuse(`damping.decay is ${decay}`, 'give a number between 0 and 1');
    this.min = requirePositive(min, 'damping.min');
    this.max = requirePositive(max, 'damping.max');
    if (!(requirePositive(initial, 'damping.initial') >= min && initial <= max)) {
      refuse(
        `damping.initial is ${initial}`,
        `give a value from damping.min (${min}) to damping.max (${max})`,
      );
    }
    this.period = period;
    this.omega = decay ** period;
    this.lambda = Math.fround(initial);
  }

  /** The damping lambda now; the same for every step until the next `observe`. */
  value(): number {
    return this.lambda;
  }

  /** Whether the rule is to be applied after step `step` (counted from 0), so that its outcome is needed. */
  due(step: number): boolean {
    return (step + 1) % this.period === 0;
  }

  /** Applies the rule if it is due after `outcome.step`. Returns rho. */
  observe({ step, actual, predicted }: StepOutcome): number {
    const rho = actual / predicted;
    if (this.due(step)) {
      if (!Number.isFinite(rho) || rho < 1 / 4) this.change(this.lambda / this.omega);
      else if (rho > 3 / 4) this.change(this.lambda * this.omega);
    }
    return rho;
  }

  /** Raises the damping by one application of the rule, after a step that was taken back. */
  raise(): void {
    this.change(this.lambda / this.omega);
  }

  private change(lambda: number): void {
    // Rounded to float32, so that a checkpoint, which has no float64, holds it exactly.
    this.lambda = Math.fround(Math.min(this.max, Math.max(this.min, lambda)));
  }

  /** What a checkpoint must hold. */
  state(): Record<string, Float32Array> {
    return { damping: Float32Array.of(this.lambda) };
  }

  /** @throws NatgradError ERR_NATGRAD_STATE if `state` is not one that `state()` gave */
  load(state: Record<string, ArrayLike<number>>): void {
    const lambda = state.damping?.[0];
    if (lambda === undefined || !(lambda > 0)) {
      throw new NatgradError(
        'ERR_NATGRAD_STATE',
        `The saved damping is ${lambda}; load a state of the same optimizer.`,
      );
    }
    this.lambda = lambda;
  }
}

function refuse(what: string, remedy: string): never {
  throw new NatgradError('ERR_NATGRAD_ARGUMENT', `${what}; ${remedy}.`);
}
