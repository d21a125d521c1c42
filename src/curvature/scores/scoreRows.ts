/**
 * The scores of a batch for one layer as the rows of a matrix U, one per example and backward pass, scaled so that `F = U'U`: what is
 * needed to invert F in the space of the batch.
 */
import type { FloatArray, Job } from '../../linalg/jobs';
import { variableSizes, type Statistics } from '../block';
import { allocate, type Precision } from '../shared/factor';
import { inputsOf, scoreJobs, scoreScale, scoreSize, type ScoredLayer } from './exampleScores';
import type { Phase } from '../phases';
import type { Scratch } from '../shared/scratch';

/** How many rows there are: row `pass * examples + example`. */
export interface RowCounts {
  examples: number;
  passes: number;
}

/** U, held in one form or another. */
export interface ScoreRows extends RowCounts {
  /** Rows of the layer's input that belong to one example. */
  readonly positions: number;
  /** The arrays that hold the rows, by name. */
  readonly arrays: Record<string, FloatArray>;
  /** Takes in the scores of a batch of these counts; `batch` says how many there were before. */
  fill(statistics: Statistics, batch: number): Phase[];
  /** `out = U other'`, with rows of the same form. */
  gram(other: ScoreRows, out: FloatArray, scratch: Scratch): Phase[];
  /** `out = U v`, with v given as one array per variable. */
  times(vectors: FloatArray[], out: FloatArray, scratch: Scratch): Phase[];
  /** The same, as it is measured where `gram` is measured on some coordinates only. */
  project(vectors: FloatArray[], out: FloatArray, scratch: Scratch): Phase[];
  /** `outs += scale U'coefficients`. */
  addTransposed(coefficients: FloatArray, scale: number, outs: FloatArray[], scratch: Scratch): Phase[];
  /** Some of the rows as rows of their own, of one pass, and the jobs that copy them. */
  select(rows: readonly number[]): { selected: ScoreRows; jobs: Job[] };
  /** U itself, row-major. */
  toDense(): Float64Array;
}

export const rowCount = ({ examples, passes }: RowCounts): number => examples * passes;

export const copyJob = (data: FloatArray, out: FloatArray): Job => ({
  op: 'combine',
  terms: [{ data, scale: 1 }],
  out,
});

/** U as such: right for layers with many positions per example, whose scores are smaller than their rows. */
export class ExplicitRows implements ScoreRows {
  readonly examples: number;
  readonly passes: number;
  readonly positions = 1;
  readonly arrays: { scores: FloatArray };
  private readonly size: number;

  constructor(
    private readonly layer: ScoredLayer,
    counts: RowCounts,
    private readonly precision: Precision,
  ) {
    this.examples = counts.examples;
    this.passes = counts.passes;
    this.size = scoreSize(layer);
    this.arrays = { scores: allocate(precision, rowCount(counts) * this.size) };
  }

  fill(statistics: Statistics): Phase[] {
    const inputs = inputsOf(this.layer, statistics);
    const length = this.examples * this.size;
    const perPass = statistics.passes.map((pass, k) =>
      scoreJobs(this.layer, inputs, pass, {
        examples: this.examples,
        scale: scoreScale(pass, statistics),
        out: this.arrays.scores.subarray(k * length, (k + 1) * length),
      }),
    );
    return inputs.map((_, use) => ({ jobs: perPass.map((jobs) => jobs[use]) }));
  }

  gram(other: ExplicitRows, out: FloatArray): Phase[] {
    const product: Job = {
      op: 'product',
      left: this.arrays.scores,
      right: other.arrays.scores,
      rows: rowCount(this),
      inner: this.size,
      columns: rowCount(other),
      transposeRight: true,
      scale: 1,
      keep: 0,
      out,
    };
    return [{ jobs: [product] }];
  }

  times(vectors: FloatArray[], out: FloatArray, scratch: Scratch): Phase[] {
    const joined = scratch.array('joined', this.size);
    const parts = this.variableParts(joined);
    const product: Job = {
      op: 'product',
      left: this.arrays.scores,
      right: joined,
      rows: rowCount(this),
      inner: this.size,
      columns: 1,
      scale: 1,
      keep: 0,
      out,
    };
    return [{ jobs: vectors.map((vector, i) => copyJob(vector, parts[i])) }, { jobs: [product] }];
  }

  project(vectors: FloatArray[], out: FloatArray, scratch: Scratch): Phase[] {
    return this.times(vectors, out, scratch);
  }

  addTransposed(coefficients: FloatArray, scale: number, outs: FloatArray[], scratch: Scratch): Phase[] {
    const joined = scratch.array('joined', this.size);
    const parts = this.variableParts(joined);
    const product: Job = {
      op: 'product',
      left: coefficients,
      right: this.arrays.scores,
      rows: 1,
      inner: rowCount(this),
      columns: this.size,
      scale,
      keep: 0,
      out: joined,
    };
    const add = outs.map((out, i): Job => {
      const terms = [
        { data: out, scale: 1 },
        { data: parts[i], scale: 1 },
      ];
      return { op: 'combine', terms, out };
    });
    return [{ jobs: [product] }, { jobs: add }];
  }

  select(rows: readonly number[]): { selected: ScoreRows; jobs: Job[] } {
    const selected = new ExplicitRows(this.layer, { examples: rows.length, passes: 1 }, this.precision);
    const row = ({ arrays }: ExplicitRows, at: number) =>
      arrays.scores.subarray(at * this.size, (at + 1) * this.size);
    return { selected, jobs: rows.map((from, to) => copyJob(row(this, from), row(selected, to))) };
  }

  toDense(): Float64Array {
    return Float64Array.from(this.arrays.scores);
  }

  /** The stretches of a score that belong to the variables. */
  private variableParts(joined: FloatArray): FloatArray[] {
    let begin = 0;
    return variableSizes(this.layer.shape).map((size) => joined.subarray(begin, (begin += size)));
  }
}
