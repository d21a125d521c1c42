import { NatgradError, requireKeys, shown } from '../errors';
import type { CombineJob, FloatArray } from '../linalg/jobs';

/** What the option `averaging` takes. */
export interface IterateAveragingOptions {
  /**
   * Largest share xi of the old average in the new one, in (0, 1]. Default 0.99. With 1 the average is the plain mean of all iterates.
   */
  decay?: number;
}

/**
 * A running average of the weights, which is often a better model than the last iterate.
 *
 *     average <- xi average + (1 - xi) w,   xi = min(1 - 1/k, decay),   k = 1, 2, ... the number of the iterate
 *
 * The first iterates are averaged evenly (B. Polyak and A. Juditsky, "Acceleration of stochastic approximation by averaging", 1992), later
 * ones with exponentially falling weights as in J. Martens and R. Grosse 2015, so that the start has no bias towards zero.
 */
export class IterateAveraging {
  private readonly decay: number;
  private averages: Float32Array[] = [];
  private count = 0;
  private exchanged = false;

  /** @throws NatgradError ERR_NATGRAD_ARGUMENT unless `decay` is in (0, 1] */
  constructor(options: IterateAveragingOptions = {}) {
    requireKeys(options, ['decay'], 'averaging');
    const { decay = 0.99 } = options;
    if (!(decay > 0 && decay <= 1)) {
      throw new NatgradError(
        'ERR_NATGRAD_ARGUMENT',
        `averaging.decay is ${shown(decay)}; give a number above 0 and at most 1.`,
      );
    }
    this.decay = decay;
  }

  /** The averages, one per variable; empty before the first iterate. Not to be written to. */
  get values(): readonly Float32Array[] {
    return this.averages;
  }

  /**
   * The jobs that take one iterate into the average: `weights` are the values of all variables after the step, always in the same order.
   *
   * @throws NatgradError ERR_NATGRAD_STATE while the averages are exchanged with the weights, ERR_NATGRAD_SHAPE if the variables are
   *   others than before
   */
  jobs(weights: readonly FloatArray[]): CombineJob[] {
    if (this.exchanged) {
      throw new NatgradError(
        'ERR_NATGRAD_STATE',
        'The averaged weights are swapped in; swap them out before training goes on.',
      );
    }
    if (this.count === 0) this.averages = weights.map((values) => new Float32Array(values.length));
    this.requireFit(weights);
    this.count++;
    const kept = Math.min(1 - 1 / this.count, this.decay);
    return this.averages.map((average, at) => ({
      op: 'combine',
      terms: [
        { data: average, scale: kept },
        { data: weights[at], scale: 1 - kept },
      ],
      out: average,
    }));
  }

  /**
   * Exchanges the values of `weights` and of the averages; doing it twice changes nothing.
   *
   * @throws NatgradError ERR_NATGRAD_STATE before the first iterate, ERR_NATGRAD_SHAPE if the variables are others than before
   */
  exchange(weights: readonly FloatArray[]): void {
    if (this.count === 0) {
      throw new NatgradError(
        'ERR_NATGRAD_STATE',
        'There are no averaged weights yet; train for at least one step first.',
      );
    }
    this.requireFit(weights);
    this.averages.forEach((average, at) => {
      const copy = average.slice();
      average.set(weights[at]);
      weights[at].set(copy);
    });
    this.exchanged = !this.exchanged;
  }

  private requireFit(weights: readonly FloatArray[]): void {
    const fits =
      weights.length === this.averages.length &&
      this.averages.every((average, at) => average.length === weights[at].length);
    if (!fits) {
      throw new NatgradError(
        'ERR_NATGRAD_SHAPE',
        `The ${weights.length} variables have other sizes than the ${this.averages.length} averages; use one optimizer per list of variables.`,
      );
    }
  }

  /** What a checkpoint must hold: the number of iterates, and the averages keyed by position. The arrays are the live ones. */
  state(): Record<string, Float32Array> {
    return { count: Float32Array.of(this.count), ...Object.fromEntries(this.averages.entries()) };
  }

  /**
   * Takes back what `state` gave, as a copy. The weights of the checkpoint are the trained ones, not the averages.
   *
   * @throws NatgradError ERR_NATGRAD_STATE if it is not such a state
   */
  load(state: Record<string, ArrayLike<number>>): void {
    const { count, ...averages } = state;
    const positions = Object.keys(averages).length;
    const complete = Array.from({ length: positions }, (_, at) => averages[at]);
    if (
      count?.length !== 1 ||
      !(count[0] >= 0) ||
      complete.includes(undefined as never) ||
      count[0] > 0 !== positions > 0
    ) {
      throw new NatgradError(
        'ERR_NATGRAD_STATE',
        'The saved averages are incomplete; load a state of the same optimizer.',
      );
    }
    this.count = count[0];
    this.averages = complete.map((values) => Float32Array.from(values));
    this.exchanged = false;
  }
}
