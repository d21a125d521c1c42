/**
 * Steps that look at the loss of their batch again: to choose their length by the quadratic model, to compare the model with what came of the
 * step, or to take it back.
 */
import * as tf from '@tensorflow/tfjs';

import { NatgradError } from '../errors';
import { fisherSettings, type FisherSettings } from '../fisher/options';
import type { Host } from '../host/host';
import type { FloatArray } from '../linalg/jobs';
import { LevenbergMarquardt } from '../step/levenbergMarquardt';
import { minimiseModel, modelChange, quadraticModel, type QuadraticModel } from '../step/quadraticModel';
import { withoutSideEffects } from '../tape/withoutSideEffects';
import type { Stateful } from './checkpoint';
import type { ResolvedConfig } from './config';
import type { Dampings } from './dampings';
import { fisherOnPlane } from './fisherOnPlane';
import type { Refresher } from './refresher';
import type { Proposal, StepReport, VariableGradient, WeightStep } from './weightStep';

/** A batch's loss as a function of the weights, and its value before the step. */
export interface BatchLoss {
  f: () => tf.Scalar;
  value: number;
}

/** What the optimizer lets a modelled step do. */
interface Surroundings {
  config: ResolvedConfig;
  dampings: Dampings;
  weightStep: WeightStep;
  /** Whether the tape can be read. */
  canRecord: () => boolean;
  refresher: Refresher;
  /** Tells the user something once. */
  warn: (message: string) => void;
}

export class ModelledStep implements Stateful {
  /** Steps that were taken back. */
  rejected = 0;

  private readonly settings: FisherSettings;

  constructor(private readonly around: Surroundings) {
    this.settings = fisherSettings(around.config.fisher);
  }

  state(): Record<string, FloatArray> {
    return { rejectedSteps: Float64Array.of(this.rejected) };
  }

  load({ rejectedSteps }: Record<string, FloatArray>): void {
    this.rejected = rejectedSteps?.[0] ?? 0;
  }

  /** Whether every step needs the loss as a function. */
  get always(): boolean {
    return this.around.weightStep.isChosen || this.around.config.rejectSteps;
  }

  /** Whether step `step` needs the loss as a function. */
  needed(step: number): boolean {
    return this.always || this.isObserved(step) || this.around.dampings.search(step) !== null;
  }

  /**
   * Takes a step against gradients that outlive tfjs calls.
   *
   * @throws NatgradError ERR_NATGRAD_LIKELIHOOD or ERR_NATGRAD_BACKEND if something is to be chosen by the quadratic model and the exact
   *   Fisher matrix of the loss cannot be multiplied with
   */
  take(entries: VariableGradient[], step: number, loss: BatchLoss, host: Host): StepReport {
    const { weightStep, dampings, config, refresher } = this.around;
    const { f, value: before } = loss;
    this.searchDamping(entries, step, loss, host);
    const proposal = weightStep.propose(entries, step, host);
    const lambda = dampings.lambda(step);
    const given = weightStep.coefficients(proposal);
    const isObserved = this.isObserved(step);

    const fisher = weightStep.isChosen || isObserved ? this.fisher(proposal, f, given.klClip, host) : null;
    const chosen = { klClip: given.klClip, ...this.choose(proposal, fisher, given, lambda) };
    let predicted = fisher && this.predict(proposal, fisher, chosen, lambda);
    const takeBack = config.rejectSteps ? weightStep.remember(proposal.variables, host) : null;
    const report = weightStep.take(proposal, chosen, host);
    if (!isObserved && !takeBack) return report;

    if (isObserved && predicted === null) {
      refresher.drain(); // so that products with the curvature can be computed
      predicted = weightStep.predictedChange(proposal, report, lambda);
    }
    const after = evaluate(f, host);
    const damping = dampings.model;
    if (takeBack && !(after <= before)) {
      takeBack();
      this.rejected++;
      if (damping instanceof LevenbergMarquardt) damping.raise();
    } else if (isObserved && damping instanceof LevenbergMarquardt) {
      damping.observe({ step, actual: after - before, predicted: predicted! });
    }
    return report;
  }

  /** If a search is due, inverts the curvature with each of the candidates and keeps the one whose step the model likes best. */
  private searchDamping(entries: VariableGradient[], step: number, loss: BatchLoss, host: Host): void {
    const { weightStep, dampings, refresher } = this.around;
    const search = dampings.search(step);
    if (search === null) return;
    let [best, least, inUse] = [NaN, Infinity, NaN];
    for (const candidate of search.candidates(dampings.lambda(step))) {
      refresher.refreshNow(step, (inUse = candidate));
      const change = this.changeOf(weightStep.propose(entries, step, host), loss, host);
      if (change <= least) [best, least] = [candidate, change];
    }
    if (Number.isNaN(best)) return; // The model has no value anywhere, so there is nothing to choose by.
    if (best !== inUse) refresher.refreshNow(step, best);
    search.choose(best);
  }

  /** M(delta) - M(0) of the objective at the step that would be taken. */
  private changeOf(proposal: Proposal, { f }: BatchLoss, host: Host): number {
    const { weightStep, dampings } = this.around;
    const given = weightStep.coefficients(proposal);
    const fisher = this.requireFisher(proposal, f, given.klClip, host);
    const model = this.model(proposal, fisher, given.klClip, dampings.lambda(proposal.step));
    return modelChange(model, minimiseModel(model, given));
  }

  private isObserved(step: number): boolean {
    const damping = this.around.dampings.model;
    return damping instanceof LevenbergMarquardt && damping.due(step);
  }

  /** The exact Fisher matrix on the plane of -klClip directions and the previous step; null if only the curvature's own is to be had. */
  private fisher(
    proposal: Proposal,
    f: () => tf.Scalar,
    klClip: number,
    host: Host,
  ): QuadraticModel['curvature'] | null {
    const { weightStep, canRecord, warn } = this.around;
    if (weightStep.isChosen) return this.requireFisher(proposal, f, klClip, host);
    if (!canRecord()) return null;
    try {
      return this.measure(proposal, f, klClip, host);
    } catch (error) {
      if (!(error instanceof NatgradError)) throw error;
      warn(
        `Damping is adapted by the curvature's own approximation instead of the exact Fisher matrix: ${error.message}`,
      );
      return null;
    }
  }

  private requireFisher(
    proposal: Proposal,
    f: () => tf.Scalar,
    klClip: number,
    host: Host,
  ): QuadraticModel['curvature'] {
    const fisher = this.around.canRecord() ? this.measure(proposal, f, klClip, host) : null;
    if (fisher) return fisher;
    throw new NatgradError(
      'ERR_NATGRAD_LIKELIHOOD',
      "No predictive distribution is recognised in the loss, which 'quadraticModel' needs; name the distribution and the output with " +
        '`fisher: {distribution, output}`, or mark the output with `observe` in the loss.',
    );
  }

  private measure(
    proposal: Proposal,
    f: () => tf.Scalar,
    klClip: number,
    host: Host,
  ): QuadraticModel['curvature'] | null {
    const plane = planeOf(proposal, klClip);
    return fisherOnPlane(f, proposal.variables, this.settings, host, plane.proposal, plane.previous);
  }

  /** Learning rate and momentum of this step: as the options say, or the minimiser of the model of the objective. */
  private choose(
    proposal: Proposal,
    fisher: QuadraticModel['curvature'] | null,
    { learningRate, momentum, klClip }: ReturnType<WeightStep['coefficients']>,
    lambda: number,
  ): { learningRate: number; momentum: number } {
    if (learningRate !== undefined && momentum !== undefined) return { learningRate, momentum };
    return minimiseModel(this.model(proposal, fisher!, klClip, lambda), { learningRate, momentum });
  }

  /** The model of the objective. */
  private model(
    proposal: Proposal,
    fisher: QuadraticModel['curvature'],
    klClip: number,
    lambda: number,
  ): QuadraticModel {
    return quadraticModel({
      fisher,
      gradient: proposal.prepared,
      ...planeOf(proposal, klClip),
      diagonal: this.around.weightStep.l2Of(proposal).map((l2) => lambda + l2),
    });
  }

  /** M(delta) - M(0) of the loss, for the step that is taken. */
  private predict(
    proposal: Proposal,
    fisher: QuadraticModel['curvature'],
    { learningRate, momentum, klClip }: Pick<StepReport, 'learningRate' | 'momentum' | 'klClip'>,
    lambda: number,
  ): number {
    const { gradients: gradient, variables } = proposal;
    const diagonal = variables.map(() => lambda);
    const model = quadraticModel({ fisher, gradient, ...planeOf(proposal, klClip), diagonal });
    return modelChange(model, { learningRate, momentum });
  }
}

/** The directions in which a step can go: against what is proposed, and on along the previous step. */
function planeOf(
  { directions, previous }: Proposal,
  klClip: number,
): { proposal: Float32Array[]; previous: Float32Array[] } {
  return {
    proposal: directions.map((direction) => direction.map((value) => -klClip * value)),
    previous: previous.map((values, i) => values ?? new Float32Array(directions[i].length)),
  };
}

/** The loss at the weights as they are. */
function evaluate(f: () => tf.Scalar, host: Host): number {
  let value = NaN;
  withoutSideEffects(() => tf.tidy(() => void (value = host.read(f())[0])));
  return value;
}
