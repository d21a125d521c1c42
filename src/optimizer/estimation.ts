/**
 * From a recorded loss to an up-to-date curvature: which backward passes are made, what of them enters the factors, and when
 * inverses are computed and come into use.
 *
 * With 'overlapped' refresh the arithmetic runs on the linear algebra's own thread while tfjs goes on. It stays deterministic because
 * inverses that are asked for in step t are installed when step t + refreshLag is applied, or before that when the next refresh is asked
 * for, waiting for them if need be: never by when they happen to be ready.
 */
import type * as tf from '@tensorflow/tfjs';

import type { AverageStep, CurvatureBlock, RefreshOutcome, Statistics } from '../curvature/block';
import { planRefresh, WeightedAverage, type Refresh } from '../curvature/curvature';
import { layerBlock } from '../curvature/layerBlock';
import { NatgradError } from '../errors';
import { backwardVectors, type Estimator } from '../fisher/estimator';
import { likelihoodHeads, type LikelihoodHead } from '../fisher/heads';
import { fisherSettings, type FisherSettings } from '../fisher/options';
import { randomStream } from '../fisher/random';
import type { Host } from '../host/host';
import type { FloatArray, Job, Kernels, Pending, Report } from '../linalg/jobs';
import { valueAt } from '../step/schedule';
import type { Recording, RecordHooks } from '../tape/types';
import { fill, packReports, unpackReports, withPrefix } from './checkpoint';
import type { ResolvedConfig } from './config';
import { arraysOf, gradientTargets, readActivations, readGradients, type LayerBlock } from './statistics';

/** Where a variable stands: in which block, and as which of its variables. */
export interface Membership {
  block: CurvatureBlock;
  index: number;
}

/** A refresh on its way. */
interface PendingRefresh {
  refresh: Refresh;
  /** Those of its jobs, waiting for them if need be. */
  reports: () => Report[];
  /** The step it was asked for in, with which damping, and for how many blocks. */
  step: number;
  lambda: number;
  blocks: number;
}

export interface EstimationCounts {
  /** Batches whose statistics were left out because something in them was not finite. */
  skippedBatches: number;
  /** Matrices whose inverse could not be computed, summed over all refreshes. */
  refreshFailures: number;
  /** Matrices that needed float64, more damping or clipped eigenvalues, summed over all refreshes. */
  refreshRetries: number;
}

export class CurvatureEstimation {
  readonly blocks: CurvatureBlock[] = [];
  /** Of each block. A batch that does not use a layer leaves its average as it is. */
  readonly averages: WeightedAverage[] = [];
  readonly counts: EstimationCounts = { skippedBatches: 0, refreshFailures: 0, refreshRetries: 0 };
  /** The estimator in use: the configured one, or 'empirical' where the loss has no recognisable distribution. */
  estimator: Estimator;
  /** Step in which the inverses in use were asked for; -1 before the first. */
  refreshedAt = -1;
  minEigenvalue = NaN;

  private readonly settings: FisherSettings;
  private readonly members = new Map<number, Membership>();
  private pendingRefresh: PendingRefresh | null = null;
  /** State that was loaded before the model was seen. */
  private saved: Record<string, FloatArray> = {};
  /** Everything submitted before this is finished once it is. */
  private lastSubmitted: Pending | null = null;

  /**
   * @param warn called with a message that the user should see once
   */
  constructor(
    private readonly config: ResolvedConfig,
    private readonly kernels: Kernels,
    private readonly warn: (message: string) => void,
  ) {
    this.settings = fisherSettings(config.fisher);
    this.estimator = this.settings.estimator;
  }

  /** The block of a variable, once a recorded loss has used it. */
  membership(variable: tf.Variable): Membership | undefined {
    return this.members.get(variable.id);
  }

  /** Whether step `step` is one in which statistics are gathered. */
  due(step: number): boolean {
    return step % this.config.factorUpdatePeriod === 0;
  }

  /** The hooks that make a recording of step `step` update the curvature. */
  hooks(step: number, lambda: number, host: Host): RecordHooks {
    let layers: LayerBlock[] = [];
    let empirical = false;
    return {
      onForward: (recording) => {
        layers = this.blocksOf(recording);
        if (!Number.isFinite(host.read(recording.loss)[0])) {
          this.skip(step, 'the loss is not finite');
          return [];
        }
        const heads = this.heads(recording);
        empirical = heads === null;
        if (heads !== null) {
          this.estimate(step, lambda, recording, layers, heads, host);
          return [];
        }
        return layers.flatMap(gradientTargets);
      },
      onBackward: (recording, gradients) => {
        if (empirical && gradients.length > 0) {
          this.take(step, lambda, recording.examples, layers, gradients, host);
        }
      },
    };
  }

  /** The layers of a recording with their blocks, which are made at their first sight. */
  private blocksOf(recording: Recording): LayerBlock[] {
    return recording.layers.map((layer) => {
      const known = this.members.get(layer.variables[0].id);
      if (known)
        return { layer, block: known.block, average: this.averages[this.blocks.indexOf(known.block)] };
      const { blocks: rules, precision, maxFactorSize, strict } = this.config;
      const block = layerBlock(layer, { rules, precision, maxFactorSize, strict });
      layer.variables.forEach((variable, index) => this.members.set(variable.id, { block, index }));
      const average = new WeightedAverage();
      this.blocks.push(block);
      this.averages.push(average);
      this.fillBlock();
      return { layer, block, average };
    });
  }

  /** The predictive distributions to send vectors back from; null for the empirical Fisher matrix. */
  private heads(recording: Recording): LikelihoodHead[] | null {
    if (this.estimator === 'empirical') return null;
    const heads = likelihoodHeads(recording, this.settings);
    if (heads.length > 0) return heads;
    const remedy =
      'name the distribution and the output with `fisher: {distribution, output}`, or mark the output with `observe` in the loss';
    if (this.config.strict) {
      throw new NatgradError(
        'ERR_NATGRAD_LIKELIHOOD',
        `No predictive distribution is recognised in the loss; ${remedy}, or set \`strict: false\` to use the empirical Fisher matrix.`,
      );
    }
    this.warn(
      `No predictive distribution is recognised in the loss, so the empirical Fisher matrix is used; ${remedy}.`,
    );
    this.estimator = 'empirical';
    return null;
  }

  /** Sampled or exact estimate: one reverse walk over the tape per set of vectors. */
  private estimate(
    step: number,
    lambda: number,
    recording: Recording,
    layers: LayerBlock[],
    heads: LikelihoodHead[],
    host: Host,
  ): void {
    // Copies: creating the first seed may move the storage that is read here.
    const copyOf = (tensor: tf.Tensor | undefined) => tensor && host.read(tensor).slice();
    const values = heads.map(({ parameters, probabilities, ...head }) => ({
      ...head,
      parameters: copyOf(recording.readable(parameters)),
      probabilities: copyOf(probabilities),
    }));
    const targets = layers.map(gradientTargets);
    const passes = backwardVectors(
      this.estimator as Exclude<Estimator, 'empirical'>,
      values,
      randomStream(this.config.seed, step),
      this.settings.draws,
    );
    const gathered: { weight: number; gradients: Map<number, tf.Tensor> }[] = [];
    for (const { vectors, weight } of passes) {
      const seeds = new Map<number, tf.Tensor>();
      vectors.forEach((vector, i) => {
        const { id, shape } = heads[i].parameters;
        if (vector)
          seeds.set(
            id,
            host.create(shape, (seed) => seed.set(vector)),
          );
      });
      gathered.push({ weight, gradients: recording.backward(seeds, targets.flat()) });
    }

    // No tfjs call from here on, so that the views stay valid until the jobs made of them are submitted.
    const { precision } = this.config;
    const entries = gathered.map(({ weight, gradients }) => ({
      weight,
      statistics: layers.map((layer, i) =>
        readGradients(
          layer,
          targets[i].map((target) => gradients.get(target.id)),
          recording.examples,
          host,
          precision,
        ),
      ),
    }));
    this.update(step, lambda, layers, this.activations(layers, recording.examples, host), entries);
  }

  /** Empirical estimate, from the gradients that the training step has computed anyway. */
  private take(
    step: number,
    lambda: number,
    examples: number,
    layers: LayerBlock[],
    gradients: (tf.Tensor | null)[],
    host: Host,
  ): void {
    let begin = 0;
    const statistics = layers.map((layer): Statistics => {
      const own = gradients.slice(begin, (begin += gradientTargets(layer).length));
      return { ...readGradients(layer, own, examples, host, this.config.precision), gradientScale: examples };
    });
    this.update(step, lambda, layers, this.activations(layers, examples, host), [{ weight: 1, statistics }]);
  }

  private activations(layers: LayerBlock[], examples: number, host: Host): Statistics[] {
    return layers.map((layer) => ({
      examples,
      activations: readActivations(layer, host, this.config.precision),
    }));
  }

  /**
   * Lets the statistics of a batch into the factors, and has the inverses computed if it is time for that.
   *
   * @param activations per layer; they count once, however many backward passes there are
   * @param passes per backward pass and layer the gradients, with weights that add up to 1
   */
  private update(
    step: number,
    lambda: number,
    layers: LayerBlock[],
    activations: Statistics[],
    passes: { weight: number; statistics: Statistics[] }[],
  ): void {
    const everything = [activations, ...passes.map(({ statistics }) => statistics)].flat();
    if (this.kernels.firstNonFinite(everything.flatMap(arraysOf)) >= 0) {
      this.skip(step, 'its activations or their gradients are not finite');
      return;
    }
    const factorDecay = valueAt(this.config.factorDecay, step, 'factorDecay');
    const averages = layers.map(({ average }) => average.advance(factorDecay));
    const jobs = (statistics: Statistics[], share: (average: AverageStep) => AverageStep): Job[] =>
      layers.flatMap(({ block }, i) => block.updateJobs(statistics[i], share(averages[i])));
    const phases = passes.map(({ weight, statistics }, pass) =>
      jobs(statistics, ({ decay, scale }) => ({ decay: pass === 0 ? decay : 1, scale: scale * weight })),
    );
    phases[0].push(...jobs(activations, (average) => average));
    this.compute(step, lambda, phases);
  }

  /** Runs the phases that update the factors, and after them those of a refresh if one is due. */
  private compute(step: number, lambda: number, phases: Job[][]): void {
    if (this.config.refresh === 'immediate' || this.blocks.some((block) => !block.ready)) {
      this.settle(Infinity);
      this.drain();
      this.kernels.run(phases);
      if (this.refreshDue(step)) {
        const refresh = planRefresh(this.blocks, lambda);
        this.installed(step, refresh.install(this.kernels.run(refresh.phases)));
      }
    } else if (this.refreshDue(step)) {
      // The buffers of the previous refresh are free again only once it is installed.
      this.settle(Infinity);
      const refresh = planRefresh(this.blocks, lambda);
      const pending = this.kernels.submit([...phases, ...refresh.phases]);
      this.lastSubmitted = pending;
      const reports = () => pending.wait()[phases.length];
      this.pendingRefresh = { refresh, reports, step, lambda, blocks: this.blocks.length };
    } else {
      this.lastSubmitted = this.kernels.submit(phases);
    }
  }

  /**
   * Every `refreshPeriod` steps, and in steps 0, 1, 2, 4, 8 … before the first of those, while the factors still change a lot. A block that
   * has no inverse yet asks for one at once.
   */
  private refreshDue(step: number): boolean {
    const period = this.config.refreshPeriod;
    if (this.blocks.some((block) => !block.ready)) return true;
    return step % period === 0 || (step < period && (step & (step - 1)) === 0);
  }

  /** Installs the inverses that are to come into use by step `step`, waiting for them. */
  settle(step: number): void {
    if (this.pendingRefresh === null || this.pendingRefresh.step + this.config.refreshLag > step) return;
    const { refresh, reports, step: asked } = this.pendingRefresh;
    this.pendingRefresh = null;
    this.installed(asked, refresh.install([reports()]));
  }

  /** Waits for all submitted work, so that its buffers may be read. */
  drain(): void {
    this.lastSubmitted?.wait();
    this.lastSubmitted = null;
  }

  /** What a checkpoint must hold beside the blocks' own arrays. Drain first. */
  state(): Record<string, FloatArray> {
    const state: Record<string, FloatArray> = { refreshedAt: Float64Array.of(this.refreshedAt) };
    this.blocks.forEach((block, i) => {
      state[`block${i}/progress`] = Float64Array.of(this.averages[i].weight, block.ready ? 1 : 0);
      for (const [name, values] of Object.entries(block.state())) state[`block${i}/${name}`] = values;
      if (!this.pendingRefresh) return;
      for (const [name, values] of Object.entries(block.upcoming())) state[`block${i}/${name}`] = values;
    });
    if (this.pendingRefresh) {
      const { step, lambda, blocks, reports } = this.pendingRefresh;
      state.pendingRefresh = Float64Array.of(step, lambda, blocks);
      state.pendingReports = packReports(reports());
    }
    return state;
  }

  /** Takes back what `state` gave; blocks take theirs when a recording first shows them. */
  load(state: Record<string, FloatArray>): void {
    this.saved = state;
    [this.refreshedAt] = state.refreshedAt ?? [-1];
  }

  /** Fills the latest block from the loaded state, and takes up the refresh that was under way once all its blocks are there. */
  private fillBlock(): void {
    const index = this.blocks.length - 1;
    const block = this.blocks[index];
    const saved = withPrefix(`block${index}/`, this.saved);
    if (!saved.progress) return;
    const what = block.shape.names.join(', ');
    fill(block.state(), saved, what);
    this.averages[index].weight = saved.progress[0];
    block.loaded(saved.progress[1] === 1);
    if (!this.saved.pendingRefresh) return;
    const [step, lambda, blocks] = this.saved.pendingRefresh;
    fill(block.upcoming(), saved, what);
    if (blocks !== this.blocks.length) return;
    const reports = unpackReports(this.saved.pendingReports);
    const refresh = planRefresh(this.blocks, lambda);
    this.pendingRefresh = { refresh, reports: () => reports, step, lambda, blocks };
  }

  private installed(step: number, { failures, retries, minEigenvalue }: RefreshOutcome): void {
    this.counts.refreshFailures += failures;
    this.counts.refreshRetries += retries;
    this.minEigenvalue = minEigenvalue;
    this.refreshedAt = step;
    if (failures > 0) {
      this.warn(
        `${failures} factor(s) could not be inverted; their previous inverses stay in use. Raise the damping if this goes on.`,
      );
    }
  }

  private skip(step: number, why: string): void {
    this.counts.skippedBatches++;
    this.warn(`The statistics of the batch of step ${step} are left out because ${why}.`);
  }
}
