import { NatgradError } from '../errors';
import { requirePositive } from './schedule';

export interface SearchedDampingOptions {
  adapt: 'quadraticModel';
  /** Value to start from, positive. Default the `damping` of the step that is first looked at. */
  initial?: number;
  /** It never goes below this. Default 1e-8. */
  min?: number;
  /** It never goes above this. Default 1e8. */
  max?: number;
  /** Neighbours are tried in every `period`-th step. Default 20. */
  period?: number;
  /** Factor per step, in (0, 1); one neighbour is `decay^period` times as large, the other as many times smaller. Default 19/20. */
  decay?: number;
}

const KEYS: readonly string[] = [
  'adapt',
  'initial',
  'min',
  'max',
  'period',
  'decay',
] satisfies (keyof SearchedDampingOptions)[];

/**
 * The damping gamma^2 that the curvature is inverted with, apart from the lambda of the quadratic model: the greedy search of J. Martens and
 * R. Grosse, "Optimizing neural networks with Kronecker-factored approximate curvature" (2015), section 6.6. Every `period` steps the
 * proposals of three values,
 *
 *     gamma^2,  omega gamma^2,  gamma^2 / omega,   omega = decay^period,
 *
 * are compared by the value that the quadratic model has at its own minimum for each, and the best is kept. (Their omega_2 is that of gamma,
 * the root of this one.)
 */
export class SearchedDamping {
  private readonly min: number;
  private readonly max: number;
  private readonly period: number;
  private readonly omega: number;
  /** NaN until there is one. */
  private current: number;

  /** @throws NatgradError ERR_NATGRAD_ARGUMENT for an unknown key or a value out of range */
  constructor(options: SearchedDampingOptions) {
    const unknown = Object.keys(options).find((key) => !KEYS.includes(key));
    if (unknown !== undefined) refuse(`${unknown} is not an option`, `use ${KEYS.join(', ')}`);
    const { adapt, initial, min = 1e-8, max = 1e8, period = 20, decay = 19 / 20 } = options;
    if (adapt !== 'quadraticModel') refuse(`adapt is '${String(adapt)}'`, `use 'quadraticModel'`);
    if (!Number.isSafeInteger(period) || period < 1) refuse(`period is ${period}`, 'give a positive integer');
    if (!(decay > 0 && decay < 1)) refuse(`decay is ${decay}`, 'give a number between 0 and 1');
    this.min = requirePositive(min, 'preconditionerDamping.min');
    this.max = requirePositive(max, 'preconditionerDamping.max');
    if (initial !== undefined) {
      requirePositive(initial, 'preconditionerDamping.initial');
      if (!(initial >= min && initial <= max))
        refuse(`initial is ${initial}`, `give a value from min (${min}) to max (${max})`);
    }
    this.period = period;
    this.omega = decay ** period;
    this.current = initial === undefined ? NaN : Math.fround(initial);
  }

  /** The value in use; `damping`, the lambda of this step, where none has been chosen yet. */
  value(damping: number): number {
    return Number.isNaN(this.current) ? damping : this.current;
  }

  /** Whether neighbours are to be tried in step `step`, counted from 0. Not in the first, whose inverses are as new as can be. */
  due(step: number): boolean {
    return step > 0 && step % this.period === 0;
  }

  /** The values to try: the one in use last, so that nothing need be computed again if it stays. */
  candidates(damping: number): number[] {
    const value = this.value(damping);
    const within = (candidate: number) => Math.fround(Math.min(this.max, Math.max(this.min, candidate)));
    return [...new Set([this.omega * value, value / this.omega, value].map(within))];
  }

  /** Takes one of the candidates into use. */
  choose(candidate: number): void {
    this.current = candidate;
  }

  /** What a checkpoint must hold. */
  state(): Record<string, Float32Array> {
    return { value: Float32Array.of(this.current) };
  }

  load(state: Record<string, ArrayLike<number>>): void {
    this.current = state.value?.[0] ?? this.current;
  }
}

function refuse(what: string, remedy: string): never {
  throw new NatgradError('ERR_NATGRAD_ARGUMENT', `preconditionerDamping: ${what}; ${remedy}.`);
}
