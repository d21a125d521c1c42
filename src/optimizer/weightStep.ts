/**
 * From the gradients of a batch to new weights: clip, precondition, KL clip, momentum, decay, average. The parts are those of `step` and
 * of the curvature; here they are put in their order.
 */
import type * as tf from '@tensorflow/tfjs';

import { variableSizes, type CurvatureBlock } from '../curvature/block';
import { multiplyAll, preconditionAll, type BlockVectors } from '../curvature/curvature';
import { runPhases } from '../curvature/phases';
import { allocate } from '../curvature/factor';
import type { Host } from '../host/host';
import type { FloatArray, Job, Kernels } from '../linalg/jobs';
import { GradientClip } from '../step/gradientClip';
import { IterateAveraging } from '../step/iterateAveraging';
import { klClipScale, requireKlClip } from '../step/klClip';
import { Momentum } from '../step/momentum';
import { requireSchedule, valueAt, type Schedule } from '../step/schedule';
import { L2, l2Job, WeightDecay } from '../step/weightDecay';
import { withPrefix } from './checkpoint';
import type { ResolvedConfig } from './config';
import type { Membership } from './estimation';
import { inPrecision } from './statistics';

/** A variable with its gradient; `gradient` may be a view that the next tfjs call invalidates. */
export interface VariableGradient {
  variable: tf.Variable;
  gradient: Float32Array;
}

export interface StepReport {
  learningRate: number;
  /** nu of the KL clip; 1 when it did not act. */
  klClip: number;
  /** Inner product of gradient and direction over all variables: twice the KL divergence of a step of length 1. */
  gradientDotDirection: number;
}

/** Where a variable's buffers are; positions are handed out in the order of first sight, which a reloaded model repeats. */
interface Slot {
  position: number;
  direction: Float32Array;
}

export class WeightStep {
  learningRate: Schedule;
  readonly momentum: Momentum;
  readonly averaging: IterateAveraging | null;

  private readonly weightDecay: WeightDecay;
  private readonly l2: L2;
  private readonly clip: GradientClip;
  private readonly klClip: number | null;
  private readonly slots = new Map<number, Slot>();

  /** @throws NatgradError for an option out of range, naming it */
  constructor(
    private readonly config: ResolvedConfig,
    private readonly kernels: Kernels,
    private readonly membership: (variable: tf.Variable) => Membership | undefined,
  ) {
    this.learningRate = requireSchedule(config.learningRate, 'learningRate');
    this.momentum = new Momentum(config.momentum);
    this.weightDecay = new WeightDecay(config.weightDecay);
    this.l2 = new L2(config.l2);
    this.clip = new GradientClip(config);
    this.klClip = requireKlClip(config.klClip);
    this.averaging = config.averaging === null ? null : new IterateAveraging(config.averaging);
  }

  /** Takes one step. Every gradient must be finite. */
  take(entries: VariableGradient[], step: number, host: Host): StepReport {
    const slots = entries.map(({ variable }) => this.slot(variable));
    const gradients = this.prepared(entries, step, host);
    const dots = this.precondition(entries, gradients, slots);
    const learningRate = valueAt(this.learningRate, step, 'learningRate');
    const scale = klClipScale(this.klClip, learningRate, dots);

    const variables = entries.map(({ variable }) => variable);
    host.update(variables, (weights) => {
      const updates = Array.from({ length: this.slots.size }, () => null) as Parameters<
        Momentum['updateJobs']
      >[0][number][];
      slots.forEach(({ position, direction }, i) => {
        const shrink = this.weightDecay.shrink(variables[i].name, step, learningRate);
        updates[position] = { weights: weights[i], direction, shrink };
      });
      const phases: Job[][] = [this.momentum.updateJobs(updates, { step, learningRate, scale })];
      if (this.averaging) phases.push(this.averaging.jobs(weights));
      this.kernels.run(phases);
    });
    return { learningRate, klClip: scale, gradientDotDirection: dots.reduce((sum, dot) => sum + dot, 0) };
  }

  private slot(variable: tf.Variable): Slot {
    let slot = this.slots.get(variable.id);
    if (!slot) {
      slot = { position: this.slots.size, direction: new Float32Array(variable.size) };
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
    if (jobs.length > 0) this.kernels.run([jobs]);
    return gradients;
  }

  /**
   * Fills the directions of the slots; a variable without a ready block keeps its gradient as direction. Returns the inner products of
   * gradients and directions.
   */
  private precondition(entries: VariableGradient[], gradients: Float32Array[], slots: Slot[]): number[] {
    const single = this.config.precision === 'float32';
    const blocks = new Map<CurvatureBlock, BlockVectors>();
    const dots: number[] = [];
    entries.forEach(({ variable }, i) => {
      const member = this.membership(variable);
      const { direction } = slots[i];
      if (!member?.block.ready) {
        direction.set(gradients[i]);
        dots.push(gradients[i].reduce((sum, value) => sum + value * value, 0));
        return;
      }
      const vectors = vectorsOf(blocks, member.block);
      vectors.input[member.index] = inPrecision(gradients[i], this.config.precision);
      vectors.output[member.index] = single ? direction : new Float64Array(direction.length);
    });
    const products = preconditionAll(this.completed(blocks));
    dots.push(...products.dots(runPhases(this.kernels, products.phases)));
    if (!single) {
      entries.forEach(({ variable }, i) => {
        const member = this.membership(variable);
        const vectors = member && blocks.get(member.block);
        if (vectors) slots[i].direction.set(vectors.output[member.index]);
      });
    }
    return dots;
  }

  /** The vectors of the blocks, with zeros for variables of theirs that take no part in this step. */
  private completed(blocks: Map<CurvatureBlock, BlockVectors>): BlockVectors[] {
    for (const { block, input, output } of blocks.values()) {
      variableSizes(block.shape).forEach((size, i) => {
        input[i] ??= allocate(this.config.precision, size);
        output[i] ??= allocate(this.config.precision, size);
      });
    }
    return [...blocks.values()];
  }

  /**
   * What the quadratic model says the last step changes the loss by, with delta the step that was taken (decay apart):
   *
   *     M(delta) - M(0) = 1/2 delta' (F + lambda I) delta + gradient' delta
   *
   * (Martens & Grosse 2015, section 6.4, with F the curvature's own approximation.) `gradients` are those the step was taken from.
   */
  predictedChange(entries: VariableGradient[], { learningRate, klClip }: StepReport, lambda: number): number {
    const blocks = new Map<CurvatureBlock, BlockVectors>();
    let linear = 0;
    let square = 0;
    for (const { variable, gradient } of entries) {
      const { position, direction } = this.slot(variable);
      const delta =
        this.momentum.velocity(position) ?? direction.map((value) => -learningRate * klClip * value);
      for (let i = 0; i < delta.length; i++) {
        linear += gradient[i] * delta[i];
        square += delta[i] * delta[i];
      }
      const member = this.membership(variable);
      if (!member?.block.ready) continue;
      vectorsOf(blocks, member.block).input[member.index] = inPrecision(delta, this.config.precision);
    }
    const products = multiplyAll(this.completed(blocks));
    const dots = products.dots(runPhases(this.kernels, products.phases));
    const curvature = dots.reduce((sum, dot) => sum + dot, 0);
    return (curvature + lambda * square) / 2 + linear;
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
    return state;
  }

  /** Takes back what `state` gave. */
  load(state: Record<string, FloatArray>): void {
    this.momentum.load(withPrefix('velocity/', state));
    this.averaging?.load(withPrefix('average/', state));
  }
}

/** The entry of a block, made at its first use. */
function vectorsOf(blocks: Map<CurvatureBlock, BlockVectors>, block: CurvatureBlock): BlockVectors {
  let vectors = blocks.get(block);
  if (!vectors) blocks.set(block, (vectors = { block, input: [], output: [] }));
  return vectors;
}
