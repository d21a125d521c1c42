/**
 * The exact Fisher matrix as a matrix, for the variables of one layer or of several: the second moment of the scores,
 *
 *     F = sum over passes of weight / N sum_n s_n s_n',
 *
 * in a moving average over batches, with the inverse of F + lambda I. With the exact estimator it is the generalised Gauss-Newton matrix
 * `1/N sum_n J_n' H_n J_n` of the batch (Amari, "Natural Gradient Works Efficiently in Learning", 1998; Martens, "New Insights and
 * Perspectives on the Natural Gradient Method", JMLR 2020, section 9).
 */
import type { FloatArray, Job, Report } from '../../linalg/jobs';
import {
  variableSizes,
  type AverageStep,
  type BackwardPass,
  type BlockShape,
  type BlockSummary,
  type CurvatureBlock,
  type RefreshOutcome,
  type RowsOrPatches,
  type Statistics,
} from '../block';
import {
  countExamples,
  inputsOf,
  scoreJobs,
  scoreScale,
  scoreSize,
  type ScoredLayer,
} from '../scores/exampleScores';
import { allocate, Factor, type Precision } from '../shared/factor';
import { dotPhase, type Phase } from '../phases';
import { copyJob } from '../scores/scoreRows';
import { kroneckerJob, type Operand } from '../shared/kroneckerJob';
import { outcomeOf } from '../shared/outcome';
import { Scratch } from '../shared/scratch';
import { summaryOf } from '../shared/summary';

export interface FisherMatrixOptions {
  /** What the summary calls it. */
  structure: string;
  layers: ScoredLayer[];
  precision: Precision;
}

/** What a block over `size` parameters keeps: F, and its inverse twice. */
export const fisherMatrixBytes = (layers: readonly ScoredLayer[], precision: Precision): number =>
  3 * scoreSizes(layers).total ** 2 * (precision === 'float32' ? 4 : 8);

function scoreSizes(layers: readonly ScoredLayer[]): { sizes: number[]; total: number } {
  const sizes = layers.map(scoreSize);
  return { sizes, total: sizes.reduce((sum, size) => sum + size, 0) };
}

export class FisherMatrixBlock implements CurvatureBlock {
  readonly structure: string;
  readonly shape: BlockShape;
  readonly needs: { activations: boolean; outputGradients: boolean }[];
  ready = false;

  private readonly sizes: number[];
  private readonly factor: Factor;
  private readonly one: Operand;
  private readonly updateScratch: Scratch;
  private readonly applyScratch: Scratch;
  private lambda = 1;

  constructor(private readonly options: FisherMatrixOptions) {
    const { layers, structure, precision } = options;
    const { sizes, total } = scoreSizes(layers);
    this.structure = structure;
    this.shape = {
      names: layers.flatMap(({ shape }) => shape.names),
      shapes: layers.flatMap(({ shape }) => shape.shapes),
    };
    this.needs = layers.map(() => ({ activations: true, outputGradients: true }));
    this.sizes = sizes;
    this.factor = new Factor(total, 'lower', precision);
    this.one = { matrix: allocate(precision, 1).fill(1), size: 1, form: 'full' };
    this.updateScratch = new Scratch(precision);
    this.applyScratch = new Scratch(precision);
  }

  updatePhases(statistics: Statistics[], { decay, scale }: AverageStep): Phase[] {
    const examples = countExamples(statistics);
    const inputs = statistics.map((layer, i) => inputsOf(this.options.layers[i], layer));
    return statistics[0].passes.flatMap((first, k) => {
      const passes = statistics.map(({ passes }) => passes[k]);
      const { data, phases } = this.scores(inputs, passes, examples);
      const share = scale * scoreScale(first, statistics[0]) ** 2;
      const rows = [{ data, rows: examples, columns: this.factor.size }];
      const jobs = this.factor.updateJobs(rows, false, { decay: k === 0 ? decay : 1, scale: share });
      return [...phases, { jobs }];
    });
  }

  /** The scores of one pass, over all layers, one row per example. */
  private scores(
    inputs: RowsOrPatches[][],
    passes: BackwardPass[],
    examples: number,
  ): { data: FloatArray; phases: Phase[] } {
    const { layers } = this.options;
    const total = this.factor.size;
    const parts = layers.map((_, i) => this.updateScratch.array(`layer ${i}`, examples * this.sizes[i]));
    const plans = layers.map((layer, i) =>
      scoreJobs(layer, inputs[i], passes[i], { examples, scale: 1, out: parts[i] }),
    );
    const uses = Math.max(...plans.map((plan) => plan.length));
    const phases = Array.from({ length: uses }, (_, use): Phase => {
      return { jobs: plans.flatMap((plan) => (use < plan.length ? [plan[use]] : [])) };
    });
    if (layers.length === 1) return { data: parts[0], phases };
    const data = this.updateScratch.array('rows', examples * total);
    const jobs: Job[] = [];
    for (let n = 0; n < examples; n++) {
      let begin = n * total;
      this.sizes.forEach((size, i) => {
        const score = parts[i].subarray(n * size, (n + 1) * size);
        jobs.push(copyJob(score, data.subarray(begin, (begin += size))));
      });
    }
    return { data, phases: [...phases, { jobs }] };
  }

  refreshPhases(lambda: number): Phase[] {
    this.lambda = lambda;
    const { moment, size, upcoming } = this.factor;
    return [{ jobs: [{ op: 'inverse', matrix: moment, size, damping: lambda, out: upcoming }] }];
  }

  install([report]: Report[]): RefreshOutcome {
    const installed = this.factor.install(report);
    if (!installed && !this.ready) this.factor.installIdentity(this.lambda);
    this.ready = true;
    return outcomeOf([report]);
  }

  restart(): void {
    this.factor.moment.fill(0);
  }

  preconditionPhases(gradients: FloatArray[], directions: FloatArray[]): Phase[] {
    return this.products(this.factor.inverseOperand, gradients, directions);
  }

  multiplyPhases(vectors: FloatArray[], products: FloatArray[]): Phase[] {
    return this.products(this.factor.operand, vectors, products);
  }

  private products(matrix: Operand, inputs: FloatArray[], outs: FloatArray[]): Phase[] {
    const { size } = this.factor;
    const input = this.applyScratch.array('input', size);
    const out = this.applyScratch.array('out', size);
    const parts = (joined: FloatArray) => {
      let begin = 0;
      return variableSizes(this.shape).map((length) => joined.subarray(begin, (begin += length)));
    };
    const [inputParts, outParts] = [parts(input), parts(out)];
    return [
      { jobs: inputs.map((data, i) => copyJob(data, inputParts[i])) },
      { jobs: [kroneckerJob(matrix, this.one, [input], [out])] },
      { jobs: outs.map((data, i) => copyJob(outParts[i], data)) },
      dotPhase(inputs, outs),
    ];
  }

  toDense(): Float64Array {
    const { size } = this.factor;
    return Float64Array.from({ length: size * size }, (_, at) =>
      this.factor.at(Math.floor(at / size), at % size),
    );
  }

  state(): Record<string, FloatArray> {
    return { F: this.factor.moment, inverseF: this.factor.inverse };
  }

  upcoming(): Record<string, FloatArray> {
    return { upcomingF: this.factor.upcoming };
  }

  loaded(ready: boolean): void {
    this.ready = ready;
  }

  summary(): BlockSummary {
    return summaryOf(this, { matrices: this.factor.dimensions, bytes: this.factor.bytes });
  }
}
