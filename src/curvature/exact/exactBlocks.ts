/**
 * Exact Fisher blocks of small groups of parameters, for layers that have no matrix of inputs and outputs: scale and shift (a 2 x 2 block
 * per channel), depthwise convolutions (a block per channel), biases that stand alone (one block).
 *
 *     F_c = 1/N sum_n s_n,c s_n,c'      direction_c = (F_c + lambda I)^-1 gradient_c
 *
 * with s_n,c the score of example n in group c, in no way factorised: the unit-wise Fisher matrix of Y. Ollivier, "Riemannian metrics for
 * neural networks I", 2015, with the channels for units.
 */
import type { FloatArray, Report } from '../../linalg/jobs';
import {
  type AverageStep,
  type BlockShape,
  type BlockSummary,
  type CurvatureBlock,
  type Needs,
  type RefreshOutcome,
  type Statistics,
} from '../block';
import { allocate, type Precision } from '../shared/factor';
import { dotPhase, type Phase } from '../phases';
import { FactorStack } from '../shared/factorStack';
import { product } from '../shared/productJob';
import { scoresOf, type ScoreGroups } from '../shared/scores';
import { summaryOf } from '../shared/summary';

export interface ExactBlocksOptions {
  shape: BlockShape;
  groups: ScoreGroups;
  /** Whether the scores are made of activations too, not of output gradients alone. */
  needsActivations: boolean;
  precision?: Precision;
}

export class ExactBlocks implements CurvatureBlock {
  readonly structure: string;
  readonly shape: BlockShape;
  readonly needs: readonly Needs[];
  ready = false;

  private readonly groups: ScoreGroups;
  private readonly precision: Precision;
  /** Full symmetric matrices. */
  private readonly factors: FactorStack;

  constructor({ shape, groups, needsActivations, precision = 'float32' }: ExactBlocksOptions) {
    this.structure = groups.count === 1 ? 'exact' : 'exact per channel';
    this.shape = shape;
    this.needs = [{ activations: needsActivations, outputGradients: true }];
    this.groups = groups;
    this.precision = precision;
    this.factors = new FactorStack(groups.size, groups.count, precision);
  }

  updatePhases([statistics]: Statistics[], { decay, scale }: AverageStep): Phase[] {
    const { count, size } = this.groups;
    const { phases, data, rows } = scoresOf(this.groups, statistics, this.precision);
    const moment = product([size, rows, size], data, data, this.factors.moments, {
      transposeLeft: true,
      count,
      scale: scale / statistics.examples,
      keep: decay,
    });
    return [...phases.map((jobs) => ({ jobs })), { jobs: [moment] }];
  }

  refreshPhases(lambda: number): Phase[] {
    return this.factors.refreshPhases(lambda);
  }

  /** All groups are replaced together or not at all. */
  install(reports: Report[]): RefreshOutcome {
    const outcome = this.factors.install(reports, this.ready);
    this.ready = true;
    return outcome;
  }

  restart(): void {
    this.factors.moments.fill(0);
  }

  preconditionPhases(gradients: FloatArray[], directions: FloatArray[]): Phase[] {
    return this.productPhases(this.factors.inverses, gradients, directions);
  }

  multiplyPhases(vectors: FloatArray[], products: FloatArray[]): Phase[] {
    return this.productPhases(this.factors.moments, vectors, products);
  }

  /** Group by group the matrix times the vector. */
  private productPhases(matrices: FloatArray, inputs: FloatArray[], outs: FloatArray[]): Phase[] {
    const { count, size, elements } = this.groups;
    const vectors = allocate(this.precision, count * size);
    const results = allocate(this.precision, count * size);
    const gather = () => {
      const all = places(inputs);
      elements.forEach((place, i) => (vectors[i] = all.get(place)));
    };
    const scatter = () => {
      const all = places(outs);
      elements.forEach((place, i) => all.set(place, results[i]));
    };
    const job = product([size, size, 1], matrices, vectors, results, { count });
    return [{ jobs: [], then: gather }, { jobs: [job], then: scatter }, dotPhase(inputs, outs)];
  }

  toDense(): Float64Array {
    const { size, elements } = this.groups;
    const { moments } = this.factors;
    const n = elements.length;
    const dense = new Float64Array(n * n);
    for (let at = 0; at < moments.length; at++) {
      const row = Math.floor(at / size);
      const column = row - (row % size) + (at % size);
      dense[elements[row] * n + elements[column]] = moments[at];
    }
    return dense;
  }

  state(): Record<string, FloatArray> {
    return this.factors.state();
  }

  upcoming(): Record<string, FloatArray> {
    return this.factors.upcoming();
  }

  loaded(ready: boolean): void {
    this.ready = ready;
  }

  summary(): BlockSummary {
    const { dimensions: matrices, bytes } = this.factors;
    return summaryOf(this, { matrices, bytes });
  }
}

/** The elements of several arrays under one numbering, one array after the other. */
function places(arrays: FloatArray[]): {
  get(place: number): number;
  set(place: number, value: number): void;
} {
  const find = (place: number): [FloatArray, number] => {
    let [array, at] = [0, place];
    while (at >= arrays[array].length) at -= arrays[array++].length;
    return [arrays[array], at];
  };
  return {
    get(place) {
      const [array, at] = find(place);
      return array[at];
    },
    set(place, value) {
      const [array, at] = find(place);
      array[at] = value;
    },
  };
}
