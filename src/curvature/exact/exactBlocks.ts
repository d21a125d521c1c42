/**
 * Exact Fisher blocks of small groups of parameters, for layers that have no matrix of inputs and outputs: scale and shift (a 2 x 2 block
 * per channel), depthwise convolutions (a block per channel), biases that stand alone (one block).
 *
 *     F_c = 1/N sum_n s_n,c s_n,c'      direction_c = (F_c + lambda I)^-1 gradient_c
 *
 * with s_n,c the score of example n in group c, in no way factorised: the unit-wise Fisher matrix of Y. Ollivier, "Riemannian metrics for
 * neural networks I", 2015, with the channels for units.
 */
import type { FloatArray, Job, Report } from '../../linalg/jobs';
import {
  variableSizes,
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
import { scoresOf, type ScoreGroups } from '../shared/scores';

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
  /** Stacks of `count` full symmetric matrices of `size`. */
  private readonly moments: FloatArray;
  private inverses: FloatArray;
  private next: FloatArray;
  private lambda = 0;

  constructor({ shape, groups, needsActivations, precision = 'float32' }: ExactBlocksOptions) {
    this.structure = groups.count === 1 ? 'exact' : 'exact per channel';
    this.shape = shape;
    this.needs = [{ activations: needsActivations, outputGradients: true }];
    this.groups = groups;
    this.precision = precision;
    const length = groups.count * groups.size ** 2;
    this.moments = allocate(precision, length);
    this.inverses = allocate(precision, length);
    this.next = allocate(precision, length);
  }

  updatePhases([statistics]: Statistics[], { decay, scale }: AverageStep): Phase[] {
    const { count, size } = this.groups;
    const { phases, data, rows } = scoresOf(this.groups, statistics, this.precision);
    const moment: Job = {
      op: 'product',
      left: data,
      right: data,
      rows: size,
      inner: rows,
      columns: size,
      transposeLeft: true,
      count,
      scale: scale / statistics.examples,
      keep: decay,
      out: this.moments,
    };
    return [...phases.map((jobs) => ({ jobs })), { jobs: [moment] }];
  }

  refreshPhases(lambda: number): Phase[] {
    this.lambda = lambda;
    const { count, size } = this.groups;
    const jobs: Job[] = [
      { op: 'inverse', matrix: this.moments, size, count, damping: lambda, out: this.next },
    ];
    return [{ jobs }];
  }

  /** All groups are replaced together or not at all. */
  install([report]: Report[]): RefreshOutcome {
    const failed = report.status !== 'ok';
    if (!failed) [this.inverses, this.next] = [this.next, this.inverses];
    else if (!this.ready) this.installIdentity();
    this.ready = true;
    return {
      failures: failed ? 1 : 0,
      retries: report.retries > 0 ? 1 : 0,
      minEigenvalue: report.minEigenvalue,
      overflowed: report.status === 'notFinite',
    };
  }

  private installIdentity(): void {
    const { size } = this.groups;
    this.inverses.fill(0);
    for (let row = 0; row * size < this.inverses.length; row++) {
      this.inverses[row * size + (row % size)] = 1 / this.lambda;
    }
  }

  restart(): void {
    this.moments.fill(0);
  }

  preconditionPhases(gradients: FloatArray[], directions: FloatArray[]): Phase[] {
    return this.productPhases(this.inverses, gradients, directions);
  }

  multiplyPhases(vectors: FloatArray[], products: FloatArray[]): Phase[] {
    return this.productPhases(this.moments, vectors, products);
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
    const job: Job = {
      op: 'product',
      left: matrices,
      right: vectors,
      rows: size,
      inner: size,
      columns: 1,
      count,
      scale: 1,
      keep: 0,
      out: results,
    };
    return [{ jobs: [], then: gather }, { jobs: [job], then: scatter }, dotPhase(inputs, outs)];
  }

  toDense(): Float64Array {
    const { size, elements } = this.groups;
    const n = elements.length;
    const dense = new Float64Array(n * n);
    for (let at = 0; at < this.moments.length; at++) {
      const row = Math.floor(at / size);
      const column = row - (row % size) + (at % size);
      dense[elements[row] * n + elements[column]] = this.moments[at];
    }
    return dense;
  }

  state(): Record<string, FloatArray> {
    return { F: this.moments, inverseF: this.inverses };
  }

  upcoming(): Record<string, FloatArray> {
    return { upcomingF: this.next };
  }

  loaded(ready: boolean): void {
    this.ready = ready;
  }

  summary(): BlockSummary {
    const { count, size } = this.groups;
    return {
      variables: this.shape.names.join(', '),
      structure: this.structure,
      matrices: count === 1 ? `${size} x ${size}` : `${count} of ${size} x ${size}`,
      parameters: variableSizes(this.shape).reduce((sum, length) => sum + length, 0),
      bytes: 3 * this.moments.byteLength,
      reason: '',
    };
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
