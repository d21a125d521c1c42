/**
 * From the gradients of a batch to new weights: clip, precondition, KL clip, momentum, decay, average. The parts are those of `step` and
 * of the curvature; here they are put in their order.
 */
import type * as tf from '@tensorflow/tfjs';

import type { Host } from '../host/host';
import type { FloatArray, Job } from '../linalg/jobs';
import { GradientClip } from '../step/gradientClip';
import { IterateAveraging } from '../step/iterateAveraging';
import { klClipScale, requireKlClip } from '../step/klClip';
import { LearningRateMultipliers } from '../step/learningRateMultipliers';
import { mirrorMapOf, type MirrorMap } from '../step/mirrorMap';
import { Momentum } from '../step/momentum';
import { normConstraintScale, requireNormConstraint } from '../step/normConstraint';
import { valueAt, type Schedule } from '../step/schedule';
import { L2, l2Job, WeightDecay } from '../step/weightDecay';
import { withPrefix } from './checkpoint';
import { CHOSEN, type ResolvedConfig } from './config';
import { CurvatureProducts } from './curvatureProducts';
import type { Membership } from './estimation';
import type { RowGradients } from './rowGradients';
import type { Placement } from './placement';
import { StepCoordinates } from './stepCoordinates';

/** A variable with its gradient; `gradient` may be a view that the next tfjs call invalidates. */
export interface VariableGradient {
  variable: tf.Variable;
  gradient: Float32Array;
  /** Id of the tensor that it was read from. */
  tensor: number;
}

export interface StepReport {
  learningRate: number;
  /** What the previous step was multiplied by. */
  momentum: number;
  /** nu of the KL clip or the norm constraint; 1 when it did not act. */
  klClip: number;
  /** Inner product of gradient and direction over all variables: twice the KL divergence of a step of length 1. */
  gradientDotDirection: number;
}

/** A step before its length is decided. */
export interface Proposal {
  /** The step, counted from 0. */
  step: number;
  variables: tf.Variable[];
  /** Of the loss, as they were given. */
  gradients: Float32Array[];
  /** Of the objective: clipped, and with L2. The same arrays where neither applies. */
  prepared: Float32Array[];
  /** Delta = (F + damping)^-1 gradient of every variable; the step goes against it. */
  directions: Float32Array[];
  /** The previous step of every variable; undefined before the first one and where none is kept. */
  previous: (Float32Array | undefined)[];
  /** Inner products of gradients and directions. */
  dots: number[];
}

/** Where a variable's buffers are; positions are handed out in the order of first sight, which a reloaded model repeats. */
interface Slot {
  position: number;
  direction: Float32Array;
  /** Where the variable has a potential whose dual coordinates the step is taken in. */
  mirrorMap?: MirrorMap;
}

export class WeightStep {
  learningRate: Schedule | typeof CHOSEN;
  readonly momentum: Momentum;
  readonly averaging: IterateAveraging | null;

  private readonly multipliers: LearningRateMultipliers;
  private readonly weightDecay: WeightDecay;
  private readonly l2: L2;
  private readonly clip: GradientClip;
  private readonly klClip: number | null;
  private readonly normConstraint: number | null;
  private readonly products: CurvatureProducts;
  private readonly coordinates: StepCoordinates;
  private readonly slots = new Map<number, Slot>();

  /** @throws NatgradError for an option out of range, naming it */
  constructor(
    private readonly config: ResolvedConfig,
    private readonly placement: Placement,
    private readonly membership: (variable: tf.Variable) => Membership | undefined,
    rowGradients: RowGradients,
  ) {
    this.learningRate = config.learningRate;
    this.momentum = new Momentum(config.momentum === CHOSEN ? () => 0 : config.momentum);
    this.multipliers = new LearningRateMultipliers(config.learningRateMultipliers);
    this.weightDecay = new WeightDecay(config.weightDecay);
    this.l2 = new L2(config.l2);
    this.clip = new GradientClip(config);
    this.klClip = requireKlClip(config.klClip);
    this.normConstraint = requireNormConstraint(config.normConstraint);
    this.products = new CurvatureProducts(placement, config.precision, membership, rowGradients);
    this.coordinates = new StepCoordinates(
      placement,
      config.precision,
      config.momentum !== null && config.momentum !== 0,
    );
    this.averaging = config.averaging === null ? null : new IterateAveraging(config.averaging);
  }

  /** Whether the length of steps, or what is kept of the previous one, is left to the quadratic model. */
  get isChosen(): boolean {
    return this.learningRate === CHOSEN || this.config.momentum === CHOSEN;
  }

  /** Clips, adds L2 and preconditions. Every gradient must be finite; the arrays of the result are good until the next proposal. */
  propose(entries: VariableGradient[], step: number, host: Host): Proposal {
    const slots = entries.map(({ variable }) => this.slot(variable));
    const prepared = this.prepared(entries, step, host);
    return {
      step,
      variables: entries.map(({ variable }) => variable),
      gradients: entries.map(({ gradient }) => gradient),
      prepared,
      dots: this.products.precondition(
        entries.map(({ variable, gradient, tensor }, i) => ({
          variable,
          gradient: prepared[i],
          // A gradient that was clipped or has L2 added is that of no tensor.
          tensor: prepared[i] === gradient ? tensor : undefined,
          direction: slots[i].direction,
          plain: slots[i].mirrorMap !== undefined,
        })),
      ),
      directions: slots.map(({ direction }) => direction),
      previous: slots.map(({ position }) => this.momentum.velocity(position)),
    };
  }

  /** What the options say about the length of a step: -(learningRate klClip) directions + momentum previous. Undefined is left open. */
  coefficients({ step, dots }: Proposal): Pick<StepReport, 'klClip'> & Partial<StepReport> {
    const momentum = this.config.momentum === CHOSEN ? undefined : this.momentum.value(step);
    if (this.learningRate === CHOSEN) return { klClip: 1, momentum };
    const learningRate = valueAt(this.learningRate, step, 'learningRate');
    const klClip = klClipScale(this.klClip, learningRate, dots);
    return {
      learningRate,
      momentum,
      klClip: klClip * normConstraintScale(this.normConstraint, klClip * learningRate, sum(dots)),
    };
  }

  /** l2 of every variable. */
  l2Of({ variables, step }: Proposal): number[] {
    return variables.map(({ name }) => this.l2.coefficient(name, step));
  }

  /** Takes a step of the given length. */
  take(
    { step, variables, prepared, directions, dots }: Proposal,
    { learningRate, momentum, klClip }: Pick<StepReport, 'learningRate' | 'momentum' | 'klClip'>,
    host: Host,
  ): StepReport {
    host.update(variables, (weights) => {
      const updates = Array.from({ length: this.slots.size }, () => null) as Parameters<
        Momentum['updateJobs']
      >[0][number][];
      const frames = this.coordinates.enter(
        variables.map((variable, i) => {
          const { position, mirrorMap } = this.slot(variable);
          return {
            position,
            weights: weights[i],
            gradient: prepared[i],
            direction: directions[i],
            shape: variable.shape,
            mirrorMap,
            member: this.membership(variable),
          };
        }),
      );
      variables.forEach((variable, i) => {
        const { coordinates, direction } = frames[i];
        const factor = this.multipliers.factor(variable.name);
        const shrink = this.weightDecay.shrink(variable.name, step, factor * Math.max(learningRate, 0));
        updates[this.slot(variable).position] = { weights: coordinates, direction, shrink, factor };
      });
      const size = { step, learningRate, scale: klClip, momentum };
      this.placement.host.run([this.momentum.updateJobs(updates, size)]);
      this.coordinates.leave();
      if (this.averaging) this.placement.host.run([this.averaging.jobs(weights)]);
    });
    return { learningRate, momentum, klClip, gradientDotDirection: sum(dots) };
  }

  /** Remembers the weights of these variables and all that a step changes; returns what brings it back. */
  remember(variables: tf.Variable[], host: Host): () => void {
    const weights = variables.map((variable) => host.read(variable).slice());
    const state = Object.fromEntries(
      Object.entries(this.state()).map(([name, values]) => [name, values.slice()]),
    );
    return () => {
      host.update(variables, (values) => values.forEach((value, i) => value.set(weights[i])));
      this.load(state);
    };
  }

  private slot(variable: tf.Variable): Slot {
    let slot = this.slots.get(variable.id);
    if (!slot) {
      const mirrorMap = mirrorMapOf(this.config.potentials, variable.name);
      slot = { position: this.slots.size, direction: new Float32Array(variable.size), mirrorMap };
      this.slots.set(variable.id, slot);
    }
    return slot;
  }

  /** Gradients of the objective: clipped, with L2; the given arrays themselves where neither applies. */
  private prepared(entries: VariableGradient[], step: number, host: Host): Float32Array[] {
    let gradients = entries.map(({ gradient }) => gradient);
    if (this.clip.active) {
      const clipped = gradients.map((gradient) => new Float32Array(gradient.length));
      this.clip.apply(gradients, clipped);
      gradients = clipped;
    }
    const jobs: Job[] = [];
    gradients = gradients.map((gradient, i) => {
      const { variable } = entries[i];
      const coefficient = this.l2.coefficient(variable.name, step);
      if (coefficient === 0) return gradient;
      const out = new Float32Array(gradient.length);
      jobs.push(l2Job(gradient, host.read(variable), coefficient, out));
      return out;
    });
    if (jobs.length > 0) this.placement.host.run([jobs]);
    return gradients;
  }

  /**
   * What the quadratic model says the last step changes the loss by, with delta the step that was taken (decay apart):
   *
   *     M(delta) - M(0) = 1/2 delta' (F + lambda I) delta + gradient' delta
   *
   * (Martens & Grosse 2015, section 6.4, with F the curvature's own approximation.) Only after the step was taken.
   */
  predictedChange(
    { variables, gradients }: Proposal,
    { learningRate, klClip }: StepReport,
    lambda: number,
  ): number {
    let linear = 0;
    let square = 0;
    const deltas = variables.map((variable, at) => {
      const gradient = gradients[at];
      const { position, direction } = this.slot(variable);
      const rate = learningRate * this.multipliers.factor(variable.name) * klClip;
      const delta = this.momentum.velocity(position) ?? direction.map((value) => -rate * value);
      for (let i = 0; i < delta.length; i++) {
        linear += gradient[i] * delta[i];
        square += delta[i] * delta[i];
      }
      return { variable, delta };
    });
    return (this.products.square(deltas) + lambda * square) / 2 + linear;
  }

  /** Exchanges the weights of these variables with their running averages. */
  exchangeAverages(variables: tf.Variable[], host: Host): void {
    host.update(variables, (weights) => this.averaging?.exchange(weights));
  }

  /** Arrays that a checkpoint must hold, live, by name. */
  state(): Record<string, FloatArray> {
    const state: Record<string, FloatArray> = {};
    for (const [position, velocity] of Object.entries(this.momentum.state()))
      state[`velocity/${position}`] = velocity;
    for (const [name, values] of Object.entries(this.averaging?.state() ?? {}))
      state[`average/${name}`] = values;
    for (const [name, values] of Object.entries(this.coordinates.state())) state[`own/${name}`] = values;
    return state;
  }

  /** Takes back what `state` gave. */
  load(state: Record<string, FloatArray>): void {
    this.momentum.load(withPrefix('velocity/', state));
    this.averaging?.load(withPrefix('average/', state));
    this.coordinates.load(withPrefix('own/', state));
  }
}

const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);
