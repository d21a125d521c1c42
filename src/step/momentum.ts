import { NatgradError } from '../errors';
import type { FloatArray, UpdateJob } from '../linalg/jobs';
import { requireSchedule, type Schedule } from './schedule';

/** What one step does to one variable. */
export interface VariableUpdate {
  /** The variable's values w, which the job overwrites. */
  weights: FloatArray;
  /** The direction Delta = (F + damping)^-1 gradient; the step goes against it. */
  direction: FloatArray;
  /** 1 - learningRate * weightDecay; 1 without decay. */
  shrink: number;
  /** What the learning rate is multiplied with for this variable. Default 1. */
  factor?: number;
}

/** What one step does to all variables. */
export interface StepSize {
  /** The step, counted from 0. */
  step: number;
  learningRate: number;
  /** nu of the KL clip; 1 without. */
  scale: number;
  /** mu of this step, where it was chosen for it; default: what the option says. */
  momentum?: number;
}

/**
 * Heavy-ball momentum on the natural gradient, as jobs (B. Polyak, "Some methods of speeding up the convergence of iteration
 * methods", 1964; J. Martens and R. Grosse 2015, section 7):
 *
 *     v <- mu v - learningRate nu Delta;   w <- (1 - learningRate weightDecay) w + v
 *
 * Velocities belong to a position in the list of variables, not to a name, because tfjs renames the variables of a reloaded model.
 */
export class Momentum {
  private readonly momentum: Schedule;
  private readonly keeps: boolean;
  private readonly velocities: (Float32Array | undefined)[] = [];

  /**
   * @param momentum mu: a number in [0, 1), a function of the step (whose values may be any finite number, as those of a quadratic model
   *   are), or null. With null or 0 no velocity is kept.
   * @throws NatgradError ERR_NATGRAD_TYPE or ERR_NATGRAD_ARGUMENT for anything else
   */
  constructor(momentum: Schedule | null) {
    this.momentum = requireSchedule(momentum ?? 0, 'momentum');
    if (typeof momentum === 'number' && momentum >= 1) {
      throw new NatgradError(
        'ERR_NATGRAD_ARGUMENT',
        `momentum is ${momentum}; give a number from 0 up to, but not, 1.`,
      );
    }
    this.keeps = this.momentum !== 0;
  }

  /** mu during step `step`. @throws NatgradError ERR_NATGRAD_NOT_FINITE if its function gives no finite number */
  value(step: number): number {
    if (typeof this.momentum === 'number') return this.momentum;
    const value = this.momentum(step);
    if (!Number.isFinite(value)) {
      throw new NatgradError(
        'ERR_NATGRAD_NOT_FINITE',
        `momentum gave ${value} at step ${step}; its function must return a finite number.`,
      );
    }
    return value;
  }

  /** The previous update of the variable at `position`; undefined before its first one and where none is kept. */
  velocity(position: number): Float32Array | undefined {
    return this.velocities[position];
  }

  /**
   * The jobs of one step, one per variable. Variables that this step leaves alone are null; their velocity stays as it is.
   *
   * @throws NatgradError ERR_NATGRAD_SHAPE if a variable's size is not that of its velocity
   */
  updateJobs(
    updates: readonly (VariableUpdate | null)[],
    { step, learningRate, scale, momentum = this.value(step) }: StepSize,
  ): UpdateJob[] {
    return updates.flatMap((update, position) => {
      if (update === null) return [];
      const { weights, direction, shrink, factor = 1 } = update;
      const velocity = this.keeps ? this.velocityOf(position, weights.length) : undefined;
      return [
        {
          op: 'update' as const,
          weights,
          direction,
          velocity,
          momentum,
          step: -learningRate * factor * scale,
          shrink,
        },
      ];
    });
  }

  private velocityOf(position: number, size: number): Float32Array {
    const velocity = (this.velocities[position] ??= new Float32Array(size));
    if (velocity.length !== size) {
      throw new NatgradError(
        'ERR_NATGRAD_SHAPE',
        `Variable ${position} has ${size} elements but its velocity has ${velocity.length}; use one optimizer per list of variables.`,
      );
    }
    return velocity;
  }

  /** What a checkpoint must hold: the velocities, keyed by position. The arrays are the live ones. */
  state(): Record<string, Float32Array> {
    return Object.fromEntries(
      [...this.velocities.entries()].flatMap(([position, velocity]) =>
        velocity ? [[String(position), velocity]] : [],
      ),
    );
  }

  /**
   * Takes back what `state` gave, as a copy; velocities that are not in it start from zero again.
   *
   * @throws NatgradError ERR_NATGRAD_STATE if a key is no position
   */
  load(state: Record<string, ArrayLike<number>>): void {
    this.velocities.length = 0;
    for (const [key, values] of Object.entries(state)) {
      const position = Number(key);
      if (!Number.isSafeInteger(position) || position < 0) {
        throw new NatgradError(
          'ERR_NATGRAD_STATE',
          `The saved velocities have the key '${key}'; load a state of the same optimizer.`,
        );
      }
      this.velocities[position] = Float32Array.from(values);
    }
  }
}
