import * as tf from '@tensorflow/tfjs';

import { NatgradError, requireKeys } from '../errors';
import { requirePositive, requireSchedule, valueAt, type Schedule } from '../step/schedule';
import { restoreSchedule, saveSchedule } from '../step/scheduleConfig';
import { restoreDecay, WeightDecay, type DecayOption } from '../step/weightDecay';
import type { NamedTensors } from './checkpoint';
import { isInstanceOf } from './instanceOf';

export interface RadamConfig {
  /** Step length: a number or a function of the step, counted from 0. Default 0.001. */
  learningRate?: Schedule;
  /** Decay of the first moment, in [0, 1). Default 0.9. */
  beta1?: number;
  /** Decay of the second moment, in (2/3, 1), so that some step can be rectified. Default 0.999. */
  beta2?: number;
  /** Added to the root of the second moment, positive. Default 1e-8. */
  epsilon?: number;
  /** Decoupled weight decay: variables shrink by learningRate * weightDecay of themselves in every step. Default 0. */
  weightDecay?: DecayOption;
  /** Whether the first steps, where the second moment is not yet known well enough, follow the first moment. Default false: skip them. */
  degenerateToSgd?: boolean;
}

const KEYS: readonly string[] = [
  'learningRate',
  'beta1',
  'beta2',
  'epsilon',
  'weightDecay',
  'degenerateToSgd',
] satisfies (keyof RadamConfig)[];

interface Slot {
  originalName: string;
  variable: tf.Variable;
}

/**
 * What the moments of step t (counted from 1) are worth.
 *
 *     rho_inf = 2 / (1 - beta2) - 1,   rho_t = rho_inf - 2 t beta2^t / (1 - beta2^t)
 *     r_t = sqrt((rho_t - 4) (rho_t - 2) rho_inf / ((rho_inf - 4) (rho_inf - 2) rho_t))
 *
 * rho_t is the length of the simple moving average that resembles the exponential one. The paper rectifies from rho_t > 4 on; its authors'
 * published code, and this one, from rho_t >= 5 on. `rectifier` is r_t, or null before that.
 */
export function rectification(beta2: number, t: number): { rho: number; rectifier: number | null } {
  const rhoInfinity = 2 / (1 - beta2) - 1;
  const power = beta2 ** t;
  const rho = rhoInfinity - (2 * t * power) / (1 - power);
  if (rho < 5) return { rho, rectifier: null };
  const ratio = ((rho - 4) * (rho - 2) * rhoInfinity) / ((rhoInfinity - 4) * (rhoInfinity - 2) * rho);
  return { rho, rectifier: Math.sqrt(ratio) };
}

/**
 * Rectified Adam (L. Liu et al., "On the variance of the adaptive learning rate and beyond", ICLR 2020). With g the gradient and t = 1, 2, ...
 *
 *     m <- beta1 m + (1 - beta1) g;   v <- beta2 v + (1 - beta2) g^2
 *     rho_t >= 5:  w <- w - learningRate r_t (m / (1 - beta1^t)) sqrt(1 - beta2^t) / (sqrt(v) + epsilon)
 *     otherwise:   w <- w - learningRate m / (1 - beta1^t) with `degenerateToSgd`, else w stays
 *
 * Before that, w shrinks to (1 - learningRate weightDecay) w. Works with every tfjs backend. The moments belong to positions in the list of
 * gradients, as in tfjs's own optimizers.
 */
export class RadamOptimizer extends tf.Optimizer {
  static readonly className = 'NatgradRadam';

  static override [Symbol.hasInstance](value: unknown): boolean {
    return isInstanceOf(this, RadamOptimizer, value);
  }

  private schedule: Schedule;
  private readonly beta1: number;
  private readonly beta2: number;
  private readonly epsilon: number;
  private readonly weightDecay: WeightDecay;
  private readonly degenerateToSgd: boolean;
  private firstMoments: Slot[] = [];
  private secondMoments: Slot[] = [];

  /** @throws NatgradError ERR_NATGRAD_ARGUMENT or ERR_NATGRAD_TYPE for an unknown option or a value out of range */
  constructor(config: RadamConfig = {}) {
    super();
    requireKeys(config, KEYS, 'radam');
    const { learningRate = 0.001, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 } = config;
    const { weightDecay = 0, degenerateToSgd = false } = config;
    if (!(beta1 >= 0 && beta1 < 1))
      refuse(`beta1 is ${String(beta1)}`, 'give a number from 0 up to, but not, 1');
    if (!(beta2 > 2 / 3 && beta2 < 1)) {
      refuse(
        `beta2 is ${String(beta2)}`,
        'give a number between 2/3 and 1; below that no step would ever be rectified',
      );
    }
    if (typeof degenerateToSgd !== 'boolean')
      refuse(`degenerateToSgd is ${String(degenerateToSgd)}`, 'give true or false');
    this.schedule = requireSchedule(learningRate, 'learningRate');
    this.beta1 = beta1;
    this.beta2 = beta2;
    this.epsilon = requirePositive(epsilon, 'epsilon');
    this.weightDecay = new WeightDecay(weightDecay);
    this.degenerateToSgd = degenerateToSgd;
  }

  /** The learning rate of the next step. */
  get learningRate(): number {
    return valueAt(this.schedule, this.iterations, 'learningRate');
  }

  /** Takes a number or a function of the step from now on. @throws NatgradError as the constructor does */
  set learningRate(learningRate: Schedule) {
    this.schedule = requireSchedule(learningRate, 'learningRate');
  }

  /** The same as assigning to `learningRate`. */
  setLearningRate(learningRate: Schedule): void {
    this.learningRate = learningRate;
  }

  /**
   * Updates variables with their gradients; variables without one are left alone.
   *
   * @param variableGradients gradients by variable name, or in a list whose order is always the same
   * @throws NatgradError ERR_NATGRAD_STATE if there is no variable of a name
   */
  applyGradients(variableGradients: tf.NamedTensorMap | NamedTensors): void {
    const gradients: { name: string; tensor?: tf.Tensor | null }[] = Array.isArray(variableGradients)
      ? variableGradients
      : Object.entries(variableGradients).map(([name, tensor]) => ({ name, tensor }));
    const step = this.iterations;
    const learningRate = this.learningRate;
    tf.tidy(() => {
      gradients.forEach(({ name, tensor }, position) => {
        const variable = registeredVariable(name);
        // A variable without a gradient gets its moments too, so that positions in a checkpoint have no gaps.
        const first = slot(this.firstMoments, position, variable, 'm');
        const second = slot(this.secondMoments, position, variable, 'v');
        if (!tensor) return;
        first.assign(tf.add(tf.mul(first, this.beta1), tf.mul(tensor, 1 - this.beta1)));
        second.assign(tf.add(tf.mul(second, this.beta2), tf.mul(tf.square(tensor), 1 - this.beta2)));
        const shrink = this.weightDecay.shrink(name, step, learningRate);
        const shrunk = shrink === 1 ? variable : tf.mul(variable, shrink);
        const update = this.update(first, second, step, learningRate);
        if (update !== null) variable.assign(tf.sub(shrunk, update));
        else if (shrunk !== variable) variable.assign(shrunk);
      });
    });
    this.incrementIterations();
  }

  /** What is subtracted from the variable with these moments; null: nothing. */
  private update(first: tf.Tensor, second: tf.Tensor, step: number, learningRate: number): tf.Tensor | null {
    const t = step + 1;
    const { rectifier } = rectification(this.beta2, t);
    const unbiased = learningRate / (1 - this.beta1 ** t);
    if (rectifier === null) return this.degenerateToSgd ? tf.mul(first, unbiased) : null;
    const length = unbiased * rectifier * Math.sqrt(1 - this.beta2 ** t);
    return tf.mul(tf.div(first, tf.add(tf.sqrt(second), this.epsilon)), length);
  }

  /** The step count and the moments. The tensors are the live ones, as with tfjs's own optimizers; dispose only that of the step count. */
  override async getWeights(): Promise<NamedTensors> {
    const slots = [...this.firstMoments, ...this.secondMoments];
    return [
      await this.saveIterations(),
      ...slots.map(({ originalName, variable }) => ({ name: originalName, tensor: variable })),
    ];
  }

  /** Takes back, as copies, what `getWeights` gave. @throws NatgradError ERR_NATGRAD_STATE if it is incomplete */
  override async setWeights(weightValues: NamedTensors): Promise<void> {
    if (weightValues.length % 2 !== 1) {
      throw new NatgradError(
        'ERR_NATGRAD_STATE',
        `weightValues has ${weightValues.length} entries; radam saves a step count and two moments per variable.`,
      );
    }
    const moments = await this.extractIterations(weightValues);
    this.disposeMoments();
    const slots = moments.map(({ name, tensor }) => ({
      originalName: name,
      variable: tf.tidy(() => tensor.clone().variable(false)),
    }));
    this.firstMoments = slots.slice(0, slots.length / 2);
    this.secondMoments = slots.slice(slots.length / 2);
  }

  override dispose(): void {
    this.disposeMoments();
  }

  private disposeMoments(): void {
    tf.dispose([...this.firstMoments, ...this.secondMoments].map(({ variable }) => variable));
    this.firstMoments = [];
    this.secondMoments = [];
  }

  getConfig(): tf.serialization.ConfigDict {
    const step = this.iterations;
    return {
      learningRate: saveSchedule(this.schedule, step, 'learningRate'),
      beta1: this.beta1,
      beta2: this.beta2,
      epsilon: this.epsilon,
      weightDecay: this.weightDecay.config(step),
      degenerateToSgd: this.degenerateToSgd,
    } as unknown as tf.serialization.ConfigDict;
  }

  static override fromConfig<T extends tf.serialization.Serializable>(
    cls: tf.serialization.SerializableConstructor<T>,
    config: tf.serialization.ConfigDict,
  ): T {
    // tfjs adds `customObjects` to what was saved when it loads a model.
    const saved = Object.fromEntries(Object.entries(config).filter(([key]) => key !== 'customObjects'));
    return new cls({
      ...saved,
      learningRate: restoreSchedule(saved.learningRate, 'learningRate'),
      weightDecay: restoreDecay(saved.weightDecay, 'weightDecay'),
    });
  }
}
tf.serialization.registerClass(RadamOptimizer);

/** Rectified Adam, see {@link RadamOptimizer}. */
export function radam(config: RadamConfig = {}): RadamOptimizer {
  return new RadamOptimizer(config);
}

function slot(slots: Slot[], position: number, variable: tf.Variable, suffix: string): tf.Variable {
  slots[position] ??= {
    originalName: `${variable.name}/${suffix}`,
    variable: tf.tidy(() => tf.zerosLike(variable).variable(false)),
  };
  return slots[position].variable;
}

function registeredVariable(name: string): tf.Variable {
  const variable = tf.engine().registeredVariables[name];
  if (variable === undefined) {
    throw new NatgradError(
      'ERR_NATGRAD_STATE',
      `There is no variable called '${name}'; name gradients after the variables they belong to.`,
    );
  }
  return variable;
}

function refuse(what: string, remedy: string): never {
  throw new NatgradError('ERR_NATGRAD_ARGUMENT', `${what}; ${remedy}.`);
}
