/**
 * From a recorded loss to statistics of the curvature: which backward passes are made, and what of them enters the factors.
 */
import type * as tf from '@tensorflow/tfjs';

import type { CurvatureBlock } from '../curvature/block';
import { WeightedAverage } from '../curvature/curvature';
import { coverLayers } from '../curvature/coverLayers';
import { merge } from '../curvature/phases';
import { NatgradError } from '../errors';
import { backwardVectors, type Estimator } from '../fisher/estimator';
import { headValues, likelihoodHeads, type LikelihoodHead } from '../fisher/heads';
import { fisherSettings, type FisherSettings } from '../fisher/options';
import { randomStream } from '../fisher/random';
import { areAllMasked, empiricalScale, type OutputWeights } from '../fisher/rowWeights';
import type { Host } from '../host/host';
import type { FloatArray } from '../linalg/jobs';
import { valueAt } from '../step/schedule';
import type { Layer, Recording, RecordHooks } from '../tape/types';
import { fill, withPrefix } from './checkpoint';
import type { ResolvedConfig } from './config';
import { Placement } from './placement';
import { Refresher } from './refresher';
import { RowGradients } from './rowGradients';
import { arraysOf, gradientTargets, readForward, readPass, type LayerBlock } from './statistics';

/** Where a variable stands: in which block, as which of its variables, and in which of the layers that the block covers. */
export interface Membership {
  block: CurvatureBlock;
  index: number;
  part: number;
}

/** What one backward pass gave: gradients by tensor, and how they count. */
interface Gathered {
  weight: number;
  gradientScale: number;
  gradientOf: (target: tf.Tensor) => tf.Tensor | null | undefined;
}

/** What the statistics of a batch are means over. */
interface Terms {
  /** How many the loss averages over. */
  examples: number;
  outputs: OutputWeights;
}

export class CurvatureEstimation {
  readonly blocks: CurvatureBlock[] = [];
  /** Of each block. A batch that does not use a layer leaves its average as it is. */
  readonly averages: WeightedAverage[] = [];
  /** Where it is computed. */
  readonly placement: Placement;
  /** Computes what this class describes. */
  readonly refresher: Refresher;
  readonly rowGradients: RowGradients;
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
    private readonly warn: (message: string) => void,
  ) {
    this.settings = fisherSettings(config.fisher);
    this.estimator = this.settings.estimator;
    const restart = (block: CurvatureBlock) => {
      block.restart();
      this.averages[this.blocks.indexOf(block)].weight = 0;
    };
    this.placement = new Placement(config, this.blocks, warn);
    this.refresher = new Refresher(config, this.placement, this.blocks, restart, warn);
    this.rowGradients = new RowGradients(config, this.placement);
  }

  /** The block of a variable, once a recorded loss has used it. */
  membership(variable: tf.Variable): Membership | undefined {
    return this.members.get(variable.id);
  }

  /** Whether step `step` is one in which statistics are gathered. */
  due(step: number): boolean {
    return step % this.config.factorUpdatePeriod === 0;
  }

  /** Whether there is a loaded state whose blocks no recording has shown yet. */
  get isResuming(): boolean {
    return this.blocks.length === 0 && Object.keys(this.saved).length > 0;
  }

  /** The hooks that make a recording show the blocks of a loaded state, and change nothing. */
  resume(): RecordHooks {
    return {
      onForward: (recording) => {
        this.blocksOf(recording);
        return [];
      },
      onBackward: () => {},
    };
  }

  /** The hooks that make a recording of step `step` update the curvature. */
  hooks(step: number, lambda: number, host: Host): RecordHooks {
    let blocks: LayerBlock[] = [];
    let wanted: tf.Tensor[] = [];
    let empirical = false;
    let terms: Terms = { examples: 0, outputs: [] };
    return {
      onForward: (recording) => {
        if (recording.examples === 0) {
          throw new NatgradError(
            'ERR_NATGRAD_SHAPE',
            'The batch has no examples, so its loss is not a number; leave empty batches out.',
          );
        }
        blocks = this.blocksOf(recording);
        if (!Number.isFinite(host.read(recording.loss)[0])) {
          this.skip(step, 'the loss is not finite');
          return [];
        }
        terms = { examples: recording.examples, outputs: this.outputWeights(recording, host) };
        if (areAllMasked(terms.outputs)) {
          this.skip(step, 'every row of its outputs has the weight 0');
          return [];
        }
        const targets = blocks.flatMap(gradientTargets);
        const ofRows = this.beginRows(step, blocks, host);
        if (targets.length === 0) {
          // What the blocks want to know is known from the forward pass: no backward pass, and no distribution to start one from.
          this.take(step, lambda, terms, blocks, () => undefined, host);
          return (wanted = ofRows);
        }
        const heads = this.heads(recording);
        empirical = heads === null;
        if (heads !== null) this.estimate(step, lambda, recording, terms, blocks, heads, host);
        return (wanted = empirical ? [...new Set([...targets, ...ofRows])] : ofRows);
      },
      onBackward: (_, gradients) => {
        if (wanted.length === 0) return;
        const byTensor = new Map(wanted.map(({ id }, i) => [id, gradients[i]]));
        const gradientOf = ({ id }: tf.Tensor) => byTensor.get(id);
        if (empirical) this.take(step, lambda, terms, blocks, gradientOf, host);
        host.lend(() => this.rowGradients.keep(blocks, gradientOf, host));
      },
    };
  }

  /** Begins what the inputs of wide layers determine of the step; returns the tensors whose gradients are to be kept for the rest of it. */
  private beginRows(step: number, blocks: LayerBlock[], host: Host): tf.Tensor[] {
    const { refresher, rowGradients } = this;
    if (!rowGradients.concern(blocks)) return [];
    const early = refresher.settleEarly(step);
    return host.lend(() => rowGradients.begin(blocks, host, early));
  }

  /**
   * The blocks whose layers a recording shows, which are made at the first sight of a layer. A block over several layers is left out of
   * a batch that does not use them all.
   */
  private blocksOf(recording: Recording): LayerBlock[] {
    const unknown = recording.layers.filter(({ variables: [first] }) => !this.members.has(first.id));
    if (unknown.length > 0) {
      if (this.blocks.length > 0 && unknown.length === recording.layers.length) this.refuse(unknown);
      this.cover(unknown);
    }
    const layersOf = new Map<CurvatureBlock, Layer[]>();
    for (const layer of recording.layers) {
      const { block, part } = this.members.get(layer.variables[0].id)!;
      let layers = layersOf.get(block);
      if (!layers) layersOf.set(block, (layers = []));
      layers[part] = layer;
    }
    return [...layersOf].flatMap(([block, layers]) => {
      const complete = block.needs.every((_, part) => layers[part] !== undefined);
      const average = this.averages[this.blocks.indexOf(block)];
      if (!complete) return [];
      const nonlinearities = layers.map(({ uses }, part) =>
        block.needs[part].responses ? uses.map((use) => recording.nonlinearities(use)) : [],
      );
      return [{ layers, block, average, nonlinearities }];
    });
  }

  /** Damping, schedules and the times of refreshes are those of one training; parts of a model may come and go. */
  private refuse(layers: Layer[]): never {
    const names = (found: Layer[]) =>
      found.flatMap(({ variables }) => variables.map(({ name }) => name)).join(', ');
    const known = this.blocks.flatMap(({ shape }) => shape.names).join(', ');
    throw new NatgradError(
      'ERR_NATGRAD_STATE',
      `This optimizer trains ${known}, but the loss depends on none of them, only on ${names(layers)}; make an optimizer for each model.`,
    );
  }

  private cover(layers: Layer[]): void {
    const { curvature, blocks, potentials, precision, maxFactorSize, memoryLimit, strict, seed } =
      this.config;
    const mirrored = potentials.filter(({ potential }) => potential !== 'quadratic');
    const rules = [...mirrored.map(({ match }) => ({ match, curvature: 'identity' as const })), ...blocks];
    const averaged = this.config.factorDecay !== 0;
    const options = { curvature, rules, precision, maxFactorSize, memoryLimit, strict, seed, averaged };
    for (const covered of coverLayers(layers, options)) {
      let index = 0;
      covered.layers.forEach(({ variables }, part) => {
        for (const { id } of variables) this.members.set(id, { block: covered.block, index: index++, part });
      });
      this.blocks.push(covered.block);
      this.averages.push(new WeightedAverage());
      this.fillBlock();
    }
    this.placement.choose();
  }

  /** What the rows of each output count, where an `observe` of the loss has said it of any. */
  private outputWeights({ heads }: Recording, host: Host): OutputWeights {
    if (this.settings.isOutput || heads.every(({ weights }) => weights === undefined)) return [];
    // Copies, for they are wanted after the backward pass, too.
    return heads.map(({ weights }) => weights && host.read(weights).slice());
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
    terms: Terms,
    blocks: LayerBlock[],
    heads: LikelihoodHead[],
    host: Host,
  ): void {
    // Copies, because creating the first seed may move the storage that is read.
    const values = headValues(recording, heads, host);
    const targets = blocks.flatMap(gradientTargets);
    const passes = backwardVectors(
      this.estimator as Exclude<Estimator, 'empirical'>,
      values,
      randomStream(this.config.seed, step),
      this.settings.draws,
    );
    const gathered: Gathered[] = [];
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
      const gradients = recording.backward(seeds, targets);
      gathered.push({ weight, gradientScale: 1, gradientOf: (target) => gradients.get(target.id) });
    }
    this.update(step, lambda, terms, blocks, gathered, host);
  }

  /** Empirical estimate, from the gradients that the training step has computed anyway. */
  private take(
    step: number,
    lambda: number,
    terms: Terms,
    blocks: LayerBlock[],
    gradientOf: Gathered['gradientOf'],
    host: Host,
  ): void {
    const gradientScale = terms.examples * empiricalScale(terms.outputs);
    this.update(step, lambda, terms, blocks, [{ weight: 1, gradientScale, gradientOf }], host);
  }

  /** Lets a batch into the factors, and has the inverses computed if it is time for that. */
  private update(
    step: number,
    lambda: number,
    terms: Terms,
    blocks: LayerBlock[],
    gathered: Gathered[],
    host: Host,
  ): void {
    host.lend(() => {
      // No tfjs call from here on, so that the views stay valid until the jobs made of them have run or are submitted.
      const { precision } = this.config;
      const statistics = blocks.map((block) => {
        const parts = readForward(block, terms, host, precision);
        const targets = gradientTargets(block);
        for (const { gradientOf, ...how } of gathered) {
          const gradients = targets.map(gradientOf);
          readPass(block, gradients, how, host, precision).forEach((pass, part) =>
            parts[part].passes.push(pass),
          );
        }
        return parts;
      });
      if (this.placement.host.firstNonFinite(statistics.flat().flatMap(arraysOf)) >= 0) {
        this.skip(step, 'its activations or their gradients are not finite');
        return;
      }
      const factorDecay = this.factorDecay(step);
      const averages = blocks.map(({ average }) => average.advance(factorDecay));
      this.refresher.compute(step, lambda, () => {
        return merge(blocks.map(({ block }, i) => block.updatePhases(statistics[i], averages[i]))).phases;
      });
    });
  }

  private factorDecay(step: number): number {
    const value = valueAt(this.config.factorDecay, step, 'factorDecay');
    if (value < 1) return value;
    throw new NatgradError(
      'ERR_NATGRAD_ARGUMENT',
      `factorDecay gave ${value} at step ${step}; its function must return a number from 0 up to, but not, 1.`,
    );
  }

  /** What a checkpoint must hold. It must have been recalled from where it is computed. */
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
    block.prepare?.(saved);
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
