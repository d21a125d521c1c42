import {
  createDamping,
  createPreconditionerDamping,
  type Damping,
  type PreconditionerDamping,
} from '../step/damping';
import { LevenbergMarquardt } from '../step/levenbergMarquardt';
import { SearchedDamping } from '../step/searchedDamping';
import type { FloatArray } from '../linalg/jobs';
import { withPrefix } from './checkpoint';
import type { ResolvedConfig } from './config';

/** The two dampings of an optimizer: lambda of the quadratic model, and what the curvature is inverted with, which is lambda unless told otherwise. */
export class Dampings {
  readonly model: Damping;
  private readonly own: PreconditionerDamping;

  /** @throws NatgradError ERR_NATGRAD_TYPE or ERR_NATGRAD_ARGUMENT for a bad option */
  constructor({ damping, preconditionerDamping, trustRegion }: ResolvedConfig) {
    this.model = createDamping(trustRegion?.damping ?? damping);
    this.own = createPreconditionerDamping(preconditionerDamping);
  }

  /** Lambda in step `step`. */
  lambda(step: number): number {
    return this.model.value(step);
  }

  /** What the curvature is inverted with in step `step`. */
  preconditioner(step: number): number {
    const lambda = this.lambda(step);
    if (this.own === null) return lambda;
    return this.own instanceof SearchedDamping ? this.own.value(lambda) : this.own.value(step);
  }

  /** Whether the preconditioner's damping is searched for, now and then. */
  get isSearched(): boolean {
    return this.own instanceof SearchedDamping;
  }

  /** The search that is due in step `step`, if there is one. */
  search(step: number): SearchedDamping | null {
    return this.own instanceof SearchedDamping && this.own.due(step) ? this.own : null;
  }

  /** What a checkpoint must hold. */
  state(): Record<string, FloatArray> {
    return { ...named('damping/', this.model), ...named('preconditionerDamping/', this.own) };
  }

  /** Takes back what `state` gave. */
  load(state: Record<string, FloatArray>): void {
    if (this.model instanceof LevenbergMarquardt) this.model.load(withPrefix('damping/', state));
    if (this.own instanceof SearchedDamping) this.own.load(withPrefix('preconditionerDamping/', state));
  }
}

/** The state of a damping that has one. */
function named(prefix: string, damping: Damping | PreconditionerDamping): Record<string, FloatArray> {
  const hasState = damping instanceof LevenbergMarquardt || damping instanceof SearchedDamping;
  const entries = hasState ? Object.entries(damping.state()) : [];
  return Object.fromEntries(entries.map(([name, values]) => [prefix + name, values]));
}
