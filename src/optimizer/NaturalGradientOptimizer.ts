import * as tf from '@tensorflow/tfjs';

import type { BlockSummary } from '../curvature/block';
import { NatgradError } from '../errors';
import { fisherSettings } from '../fisher/options';
import { requireVariables } from '../host/check';
import { host } from '../host/currentHost';
import { requireSchedule, valueAt, type Schedule } from '../step/schedule';
import { requireTrustRegion } from '../step/trustRegion';
import { record } from '../tape/record';
import { tapeWorks } from '../tape/selfTest';
import { fromTensor, requireState, toTensor, type NamedTensors, type Stateful } from './checkpoint';
import { CHOSEN, resolveConfig, type NaturalGradientConfig, type ResolvedConfig } from './config';
import { Dampings } from './dampings';
import { curvatureView, type CurvatureView } from './curvatureView';
import { CurvatureEstimation } from './estimation';
import { readGradients, type Gradients } from './namedGradients';
import { isInstanceOf } from './instanceOf';
import { ModelledStep, type BatchLoss } from './modelledStep';
import type { OptimizerStats } from './optimizerStats';
import type { Placement } from './placement';
import { restoreConfig, saveConfig } from './savedConfig';
import { StepLog } from './stepLog';
import { trustRegionStep } from './trustRegionStep';
import { Warnings } from './warnings';
import { WeightStep, type StepReport, type VariableGradient } from './weightStep';

/**
 * Natural-gradient descent as a tfjs optimizer: works in `model.compile` and `fit`, `minimize`, and `computeGradients` with
 * `applyGradients`.
 *
 *     w <- w - learningRate (F + damping I)^-1 gradient
 *
 * F is an approximation of the Fisher matrix made of one block per layer (see `summary()`), estimated from what the autodiff tape
 * says about every use of every trainable variable; layers need no wrapping and the model need not be given. Momentum, decay, clipping
 * and schedules are options. Presets such as `kfac` make it with their defaults.
 */
export class NaturalGradientOptimizer extends tf.Optimizer {
  static get className(): string {
    return 'NaturalGradient';
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return isInstanceOf(this, NaturalGradientOptimizer, value);
  }

  private readonly config: ResolvedConfig;
  private readonly placement: Placement;
  private readonly dampings: Dampings;
  private readonly estimation: CurvatureEstimation;
  private readonly weightStep: WeightStep;
  private readonly modelledStep: ModelledStep;
  private readonly warnings = new Warnings();
  private readonly log = new StepLog();
  private disposed = false;

  /**
   * @throws NatgradError ERR_NATGRAD_TYPE or ERR_NATGRAD_ARGUMENT for an unknown option or a bad value, ERR_NATGRAD_ADDON if
   *   `backend: 'cpu'` or `'cuda'` is asked for and the addon does not load, ERR_NATGRAD_NO_CUDA if `'cuda'` cannot be had, with the reason
   */
  constructor(config: NaturalGradientConfig = {}) {
    super();
    this.config = resolveConfig(config);
    this.dampings = new Dampings(this.config);
    const warn = (message: string) => this.warnings.once(message);
    this.estimation = new CurvatureEstimation(this.config, warn);
    this.placement = this.estimation.placement;
    this.weightStep = new WeightStep(
      this.config,
      this.placement,
      (variable) => this.estimation.membership(variable),
      this.estimation.rowGradients,
    );
    this.modelledStep = new ModelledStep({
      config: this.config,
      dampings: this.dampings,
      weightStep: this.weightStep,
      canRecord: () => this.canRecord(),
      refresher: this.estimation.refresher,
      warn,
    });
  }

  /** Step length: a number or a function of the step. Schedules and callbacks may set it at any time. */
  get learningRate(): Schedule | 'quadraticModel' {
    return this.weightStep.learningRate;
  }

  set learningRate(learningRate: Schedule | 'quadraticModel') {
    if (this.config.trustRegion !== null) {
      throw new NatgradError(
        'ERR_NATGRAD_STATE',
        'learningRate has no effect with trustRegion, whose maxKl bounds the steps; do not set it.',
      );
    }
    this.weightStep.learningRate =
      learningRate === CHOSEN ? CHOSEN : requireSchedule(learningRate, 'learningRate');
  }

  /** As tf.train.sgd has it. */
  setLearningRate(learningRate: number): void {
    this.learningRate = learningRate;
  }

  /**
   * Like `tf.variableGrads`, and gathers the statistics of the Fisher matrix on the way. The returned gradients are those of the loss, not
   * preconditioned; `applyGradients` does that.
   */
  override computeGradients(
    f: () => tf.Scalar,
    varList?: tf.Variable[],
  ): { value: tf.Scalar; grads: tf.NamedTensorMap } {
    this.requireUsable();
    return this.log.timed('gradients', () => {
      const isDue = this.config.trustRegion === null && this.estimation.due(this.iterations);
      if (!(isDue || this.estimation.isResuming) || !this.canRecord())
        return super.computeGradients(f, varList);
      if (!isDue) return record(f, varList, this.estimation.resume());
      const recorded = record(
        f,
        varList,
        this.estimation.hooks(this.iterations, this.dampings.preconditioner(this.iterations), host()),
      );
      this.estimation.rowGradients.claim(recorded.grads);
      return recorded;
    });
  }

  /**
   * Takes one step from gradients of the loss, by variable name or as a list in a fixed order.
   *
   * @throws NatgradError ERR_NATGRAD_STATE where options need the loss as a function: 'quadraticModel' (also as what `preconditionerDamping`
   *   adapts to), `rejectSteps` and `trustRegion`
   */
  applyGradients(variableGradients: Gradients): void {
    if (this.modelledStep.always || this.dampings.isSearched || this.config.trustRegion !== null) {
      throw new NatgradError(
        'ERR_NATGRAD_STATE',
        "'quadraticModel', rejectSteps and trustRegion evaluate the loss again; train with model.fit or optimizer.minimize(f), not with applyGradients.",
      );
    }
    this.advance(variableGradients, null);
  }

  override minimize(f: () => tf.Scalar, returnCost = false, varList?: tf.Variable[]): tf.Scalar | null {
    const value =
      this.config.trustRegion === null ? this.descend(f, varList) : this.descendInRegion(f, varList);
    if (returnCost) return value;
    value.dispose();
    return null;
  }

  private descend(f: () => tf.Scalar, varList?: tf.Variable[]): tf.Scalar {
    const { value, grads } = this.computeGradients(f, varList);
    try {
      const loss = this.modelledStep.needed(this.iterations) ? { f, value: host().read(value)[0] } : null;
      this.advance(varList ? varList.map(({ name }) => ({ name, tensor: grads[name] })) : grads, loss);
      return value;
    } catch (error) {
      value.dispose();
      throw error;
    } finally {
      tf.dispose(grads);
    }
  }

  /** @param loss of the batch, where the step has to look at it again */
  private advance(variableGradients: Gradients, loss: BatchLoss | null): void {
    this.requireUsable();
    this.log.timed('update', () => {
      this.estimation.refresher.settle(this.iterations);
      host().lend(() => this.descendAlong(readGradients(variableGradients, host()), loss));
      this.estimation.refresher.stepped();
      this.incrementIterations();
    });
  }

  private descendAlong(entries: VariableGradient[], loss: BatchLoss | null): void {
    if (this.placement.host.firstNonFinite(entries.map(({ gradient }) => gradient)) >= 0) {
      this.skip();
      return;
    }
    if (entries.length > 0 && this.estimation.blocks.length === 0 && this.canRecord()) {
      this.warnings.once(
        'No statistics of the Fisher matrix have been gathered, so the plain gradient is applied; ' +
          'compute gradients with `optimizer.computeGradients(f)` instead of `tf.variableGrads(f)`.',
      );
    }
    this.log.last = loss ? this.lookAgain(entries, loss) : this.step(entries);
  }

  private step(entries: VariableGradient[]): StepReport {
    const proposal = this.weightStep.propose(entries, this.iterations, host());
    const { klClip, learningRate, momentum } = this.weightStep.coefficients(proposal);
    // Both are there: a step that leaves one to the model has the loss to look at again.
    return this.weightStep.take(
      proposal,
      { klClip, learningRate: learningRate!, momentum: momentum! },
      host(),
    );
  }

  private lookAgain(entries: VariableGradient[], loss: BatchLoss): StepReport {
    const kept = entries.map((entry) => ({ ...entry, gradient: entry.gradient.slice() }));
    return this.modelledStep.take(kept, this.iterations, loss, host());
  }

  private descendInRegion(f: () => tf.Scalar, varList?: tf.Variable[]): tf.Scalar {
    this.requireUsable();
    if (!this.canRecord()) {
      throw new NatgradError(
        'ERR_NATGRAD_STATE',
        'trustRegion cannot do without the autodiff tape; use @tensorflow/tfjs 4.22.',
      );
    }
    const { fisher, trustRegion } = this.config;
    const options = requireTrustRegion(trustRegion)!;
    const { loss, finite, ...report } = this.log.timed('update', () =>
      trustRegionStep(f, varList, fisherSettings(fisher), options, host()),
    );
    this.log.region = report;
    if (!finite) this.skip();
    this.incrementIterations();
    return tf.scalar(loss);
  }

  private skip(): void {
    this.log.skipped++;
    this.warnings.once(`A gradient of step ${this.iterations} is not finite; the weights stay as they are.`);
  }

  /** What every variable of the model got: structure, sizes, memory, and why where it is a fallback. Empty before the first step. */
  summary(): BlockSummary[] {
    return this.estimation.blocks.map((block) => block.summary());
  }

  /**
   * The approximate Fisher matrix as the optimizer has it now, to multiply with, also by its damped inverse; see `natgrad/diagnostics`. It
   * holds until the next statistics are gathered.
   */
  curvature(): CurvatureView {
    this.requireUsable();
    this.placement.recall();
    return curvatureView([...this.estimation.blocks], this.placement, this.config.precision);
  }

  /** How the last step went. */
  stats(): OptimizerStats {
    const { estimator, refresher, skippedBatches } = this.estimation;
    const { refreshedAt, minEigenvalue, failures, retries } = refresher;
    return {
      step: this.iterations,
      ...this.log.last,
      learningRate: this.nextLearningRate(),
      damping: this.dampings.lambda(this.iterations),
      preconditionerDamping: this.dampings.preconditioner(this.iterations),
      backend: this.placement.name,
      fisher: estimator,
      refreshAge: refreshedAt < 0 ? -1 : this.iterations - refreshedAt,
      minEigenvalue,
      skippedSteps: this.log.skipped,
      rejectedSteps: this.modelledStep.rejected,
      trustRegion: this.log.region,
      skippedBatches,
      refreshFailures: failures,
      refreshRetries: retries,
      milliseconds: { ...this.log.milliseconds },
    };
  }

  /**
   * Exchanges the weights of a model with their running averages (option `averaging`), for evaluation or saving; a second call exchanges
   * them back, which must happen before training goes on.
   *
   * @throws NatgradError ERR_NATGRAD_STATE without the option or before the first step; ERR_NATGRAD_TYPE for what is no array of variables
   */
  swapAveragedWeights(variables: tf.Variable[]): void {
    this.requireUsable();
    if (this.weightStep.averaging === null) {
      throw new NatgradError(
        'ERR_NATGRAD_STATE',
        'There are no averaged weights; make the optimizer with `averaging: {decay: 0.99}`.',
      );
    }
    requireVariables(variables, 'variables');
    this.weightStep.exchangeAverages(variables, host());
  }

  /** Everything that resuming needs, so that a resumed run takes the same steps as an uninterrupted one. */
  override async getWeights(): Promise<NamedTensors> {
    this.requireUsable();
    this.placement.recall();
    const state = this.saved.flatMap((part) => Object.entries(part.state()));
    const tensors = state.map(([name, values]) => ({ name, tensor: toTensor(values) }));
    return [await this.saveIterations(), ...tensors];
  }

  /**
   * Takes back what `getWeights` gave. Blocks take theirs when the model is first seen.
   *
   * @throws NatgradError ERR_NATGRAD_STATE if the optimizer has already trained, or for what is no state of such an optimizer
   */
  override async setWeights(weightValues: NamedTensors): Promise<void> {
    this.requireUsable();
    if (this.estimation.blocks.length > 0) {
      throw new NatgradError(
        'ERR_NATGRAD_STATE',
        'This optimizer has already trained; load saved weights into a new one.',
      );
    }
    requireState(weightValues);
    const values = await this.extractIterations(weightValues);
    const state = Object.fromEntries(values.map(({ name, tensor }) => [name, fromTensor(tensor)]));
    for (const part of this.saved) part.load(state);
  }

  /** The parts with a state that a checkpoint holds. */
  private get saved(): Stateful[] {
    return [this.weightStep, this.estimation, this.dampings, this.log, this.modelledStep];
  }

  getConfig(): tf.serialization.ConfigDict {
    return saveConfig(
      { ...this.config, learningRate: this.learningRate },
      this.iterations,
    ) as tf.serialization.ConfigDict;
  }

  static override fromConfig<T extends tf.serialization.Serializable>(
    cls: tf.serialization.SerializableConstructor<T>,
    config: tf.serialization.ConfigDict,
  ): T {
    // tfjs adds a key of its own to the configuration it saved.
    const saved = { ...config };
    delete saved.customObjects;
    return new cls(restoreConfig(saved));
  }

  /** Releases what the optimizer holds. It cannot be used afterwards. */
  override dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    this.placement.dispose();
  }

  private nextLearningRate(): number {
    const { learningRate } = this;
    if (this.config.trustRegion !== null) return NaN;
    return learningRate === CHOSEN
      ? this.log.last.learningRate
      : valueAt(learningRate, this.iterations, 'learningRate');
  }

  /** Whether curvature can be read from the tape of this tfjs; if not, says once that training is first-order. */
  private canRecord(): boolean {
    if (tapeWorks()) return true;
    this.warnings.once(
      `The autodiff tape of this version of tfjs (${tf.version.tfjs}) is not what natgrad knows, so training is first-order: ` +
        'the plain gradient is applied. Use @tensorflow/tfjs 4.22.',
    );
    return false;
  }

  private requireUsable(): void {
    if (this.disposed) {
      throw new NatgradError('ERR_NATGRAD_STATE', 'This optimizer was disposed; make a new one.');
    }
  }
}

tf.serialization.registerClass(NaturalGradientOptimizer);
