/**
 * From a recorded loss to statistics of the curvature: which backward passes are made, and what of them enters the factors.
 */
import type * as tf from '@tensorflow/tfjs';

import type { AverageStep, CurvatureBlock, Statistics } from '../curvature/block';
import { WeightedAverage } from '../curvature/curvature';
import { layerBlock } from '../curvature/layerBlock';
import { NatgradError } from '../errors';
import { backwardVectors, type Estimator } from '../fisher/estimator';
import { likelihoodHeads, type LikelihoodHead } from '../fisher/heads';
import { fisherSettings, type FisherSettings } from '../fisher/options';
import { randomStream } from '../fisher/random';
import type { Host } from '../host/host';
import type { FloatArray, Job, Kernels } from '../linalg/jobs';
import { valueAt } from '../step/schedule';
import type { Recording, RecordHooks } from '../tape/types';
import { fill, withPrefix } from './checkpoint';
import type { ResolvedConfig } from './config';
import { Refresher } from './refresher';
import { arraysOf, gradientTargets, readActivations, readGradients, type LayerBlock } from './statistics';

/** Where a variable stands: in which block, and as which of its variables. */
export interface Membership {
  block: CurvatureBlock;
  index: number;
}

export class CurvatureEstimation {
  readonly blocks: CurvatureBlock[] = [];
  /** Of each block. A batch that does not use a layer leaves its average as it is. */
  readonly averages: WeightedAverage[] = [];
  /** Computes what this class describes. */
  readonly refresher: Refresher;
  /** Batches whose statistics were left out because something in them was not finite. */
  skippedBatches = 0;
  /** The estimator in use: the configured one, or 'empirical' where the loss has no recognisable distribution. */
  estimator: Estimator;

  private readonly settings: FisherSettings;
  private readonly members = new Map<number, Membership>();
  /** State that was loaded before the model was seen. */
  private saved: Record<string, FloatArray> = {};

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
    const restart = (block: CurvatureBlock) => {
      block.restart();
      this.averages[this.blocks.indexOf(block)].weight = 0;
    };
    this.refresher = new Refresher(config, kernels, this.blocks, restart, warn);
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
    this.refresher.compute(step, lambda, phases);
  }

  /** What a checkpoint must hold. Drain the refresher first. */
  state(): Record<string, FloatArray> {
    const state = this.refresher.state();
    this.blocks.forEach((block, i) => {
      const arrays = { ...block.state(), ...(this.refresher.underWay ? block.upcoming() : {}) };
      state[`block${i}/progress`] = Float64Array.of(this.averages[i].weight, block.ready ? 1 : 0);
      for (const [name, values] of Object.entries(arrays)) state[`block${i}/${name}`] = values;
    });
    return state;
  }

  /** Takes back what `state` gave; blocks take theirs when a recording first shows them. */
  load(state: Record<string, FloatArray>): void {
    this.saved = state;
    this.refresher.load(state);
  }

  /** Fills the latest block from the loaded state. */
  private fillBlock(): void {
    const index = this.blocks.length - 1;
    const block = this.blocks[index];
    const saved = withPrefix(`block${index}/`, this.saved);
    if (!saved.progress) return;
    const what = block.shape.names.join(', ');
    fill(block.state(), saved, what);
    if (this.refresher.underWay) fill(block.upcoming(), saved, what);
    this.averages[index].weight = saved.progress[0];
    block.loaded(saved.progress[1] === 1);
  }

  private skip(step: number, why: string): void {
    this.skippedBatches++;
    this.warn(`The statistics of the batch of step ${step} are left out because ${why}.`);
  }
}
