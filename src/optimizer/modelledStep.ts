/**
 * Steps that look at the loss of their batch again: to choose their length by the quadratic model, to compare the model with what came of the
 * step, or to take it back.
 */
import * as tf from '@tensorflow/tfjs';

import { NatgradError } from '../errors';
import { fisherSettings, type FisherSettings } from '../fisher/options';
import type { Host } from '../host/host';
import type { Damping } from '../step/damping';
import { LevenbergMarquardt } from '../step/levenbergMarquardt';
import { minimiseModel, modelChange, quadraticModel, type QuadraticModel } from '../step/quadraticModel';
import { withoutSideEffects } from '../tape/withoutSideEffects';
import type { ResolvedConfig } from './config';
import { fisherOnPlane } from './fisherOnPlane';
import type { Proposal, StepReport, WeightStep } from './weightStep';

/** A batch's loss as a function of the weights, and its value before the step. */
export interface BatchLoss {
  f: () => tf.Scalar;
  value: number;
}

/** What the optimizer lets a modelled step do. */
interface Surroundings {
  config: ResolvedConfig;
  damping: Damping;
  weightStep: WeightStep;
  /** Whether the tape can be read. */
  canRecord: () => boolean;
  /** Waits for work on the curvature that is under way, so that products with it can be computed. */
  settleCurvature: () => void;
  /** Tells the user something once. */
  warn: (message: string) => void;
}

export class ModelledStep {
  /** Steps that were taken back. */
  rejected = 0;

  private readonly settings: FisherSettings;

  constructor(private readonly around: Surroundings) {
    this.settings = fisherSettings(around.config.fisher);
  }

  /** Whether every step needs the loss as a function. */
  get always(): boolean {
    return this.around.weightStep.isChosen || this.around.config.rejectSteps;
  }

  /** Whether step `step` needs the loss as a function. */
  needed(step: number): boolean {
    return this.always || this.isObserved(step);
  }

  /**
   * Takes the proposed step. The gradients of the proposal must outlive tfjs calls.
   *
   * @throws NatgradError ERR_NATGRAD_LIKELIHOOD or ERR_NATGRAD_BACKEND if a length is to be chosen and the exact Fisher matrix of the loss
   *   cannot be multiplied with
   */
  take(proposal: Proposal, { f, value: before }: BatchLoss, host: Host): StepReport {
    const { weightStep, damping, config, settleCurvature } = this.around;
    const { step, variables } = proposal;
    const lambda = damping.value(step);
    const given = weightStep.coefficients(proposal);
    const isObserved = this.isObserved(step);

    const fisher = weightStep.isChosen || isObserved ? this.fisher(proposal, f, given.klClip, host) : null;
    const chosen = { klClip: given.klClip, ...this.choose(proposal, fisher, given, lambda) };
    let predicted = fisher && this.predict(proposal, fisher, chosen, lambda);
    const takeBack = config.rejectSteps ? weightStep.remember(variables, host) : null;
    const report = weightStep.take(proposal, chosen, host);
    if (!isObserved && !takeBack) return report;

    if (isObserved && predicted === null) {
      settleCurvature();
      predicted = weightStep.predictedChange(proposal, report, lambda);
    }
    const after = evaluate(f, host);
    if (takeBack && !(after <= before)) {
      takeBack();
      this.rejected++;
      if (damping instanceof LevenbergMarquardt) damping.raise();
    } else if (isObserved && damping instanceof LevenbergMarquardt) {
      damping.observe({ step, actual: after - before, predicted: predicted! });
    }
    return report;
  }

  private isObserved(step: number): boolean {
    const { damping } = this.around;
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
    const { variables } = proposal;
    const plane = planeOf(proposal, klClip);
    const measure = () => fisherOnPlane(f, variables, this.settings, host, plane.proposal, plane.previous);
    if (weightStep.isChosen) {
      const fisher = canRecord() ? measure() : null;
      if (fisher) return fisher;
      throw new NatgradError(
        'ERR_NATGRAD_LIKELIHOOD',
        "No predictive distribution is recognised in the loss, which 'quadraticModel' needs; name the distribution and the output with " +
          '`fisher: {distribution, output}`, or mark the output with `observe` in the loss.',
      );
    }
    if (!canRecord()) return null;
    try {
      return measure();
    } catch (error) {
      if (!(error instanceof NatgradError)) throw error;
      warn(
        `Damping is adapted by the curvature's own approximation instead of the exact Fisher matrix: ${error.message}`,
      );
      return null;
    }
  }

  /** Learning rate and momentum of this step: as the options say, or the minimiser of the model of the objective. */
  private choose(
    proposal: Proposal,
    fisher: QuadraticModel['curvature'] | null,
    { learningRate, momentum, klClip }: ReturnType<WeightStep['coefficients']>,
    lambda: number,
  ): { learningRate: number; momentum: number } {
    if (learningRate !== undefined && momentum !== undefined) return { learningRate, momentum };
    const model = quadraticModel({
      fisher: fisher!,
      gradient: proposal.prepared,
      ...planeOf(proposal, klClip),
      diagonal: this.around.weightStep.l2Of(proposal).map((l2) => lambda + l2),
    });
    return minimiseModel(model, { learningRate, momentum });
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
