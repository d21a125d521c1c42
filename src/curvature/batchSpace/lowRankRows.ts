/**
 * Scores of which only the leading singular vectors are kept: for every example, over all its positions,
 *
 *     S_n = sum_r x~_{n,r} d_{n,r}' ~ sum_{k <= rank} u_{n,k} v_{n,k}',
 *
 * the truncated singular value decomposition, which is exact where the rank reaches the smallest of the positions, the inputs and the
 * outputs (Soori et al., "TENGraD", 2021, on convolutions; Yang et al., "Sketchy Empirical Natural Gradient Methods for Deep Learning",
 * 2020, who truncate the output gradients instead). The u and v are rows like any others, `rank` of them per example, with the homogeneous
 * coordinate among those of u; of several passes, each has its own.
 */
import type { FloatArray, Job } from '../../linalg/jobs';
import { variableSizes, type Statistics } from '../block';
import { inputsOf, scoreJobs, scoreScale, type ScoredLayer } from '../scores/exampleScores';
import type { Phase } from '../phases';
import { copyJob, type RowCounts, type ScoreRows } from '../scores/scoreRows';
import type { Scratch } from '../shared/scratch';
import type { FactoredRows } from './factoredRows';

/** The rows and the columns of a layer's scores. */
export function scoreSides({ inputSize, outputSize, bias, transposed }: ScoredLayer): [number, number] {
  return transposed ? [outputSize, inputSize] : [inputSize + Number(bias), outputSize];
}

/** The layer that u and v are the inputs and output gradients of: one whose bias is a row of its kernel. */
export function mergedLayer(layer: ScoredLayer): ScoredLayer {
  const [inputSize, outputSize] = scoreSides(layer);
  return { shape: layer.shape, inputSize, outputSize, bias: false, transposed: false };
}

export class LowRankRows implements ScoreRows {
  /**
   * @param layer with one use
   * @param rows the u and v: rows of `mergedLayer(layer)`, with `rank` positions for each of the examples in each of the passes
   */
  constructor(
    private readonly layer: ScoredLayer,
    private readonly counts: RowCounts,
    private readonly rows: FactoredRows,
  ) {}

  get examples(): number {
    return this.counts.examples;
  }

  get passes(): number {
    return this.counts.passes;
  }

  get positions(): number {
    return this.rows.positions;
  }

  get arrays(): Record<string, FloatArray> {
    return this.rows.arrays;
  }

  fill(statistics: Statistics, batch: number): Phase[] {
    const inputs = inputsOf(this.layer, statistics);
    const { inputs: left, gradients: right } = this.rows.arrays;
    const part = (array: FloatArray, pass: number) => {
      const length = array.length / this.passes;
      return array.subarray(pass * length, (pass + 1) * length);
    };
    const jobs = statistics.passes.map((pass, k): Job => {
      const scale = scoreScale(pass, statistics);
      const [{ activation, outputGradient, examples, homogeneous }] = scoreJobs(this.layer, inputs, pass, {
        examples: this.examples,
        scale,
        out: right,
      });
      const sides = { rank: this.positions, left: part(left, k), right: part(right, k) };
      return { op: 'lowRankScores', activation, outputGradient, examples, homogeneous, scale, ...sides };
    });
    return [{ jobs }, ...this.rows.measurePhases(batch)];
  }

  gram(other: LowRankRows, out: FloatArray, scratch: Scratch): Phase[] {
    return this.rows.gram(other.rows, out, scratch);
  }

  times(vectors: FloatArray[], out: FloatArray, scratch: Scratch): Phase[] {
    const { joined, phases } = this.merged(vectors, scratch);
    return [...phases, ...this.rows.times([joined], out, scratch)];
  }

  project(vectors: FloatArray[], out: FloatArray, scratch: Scratch): Phase[] {
    const { joined, phases } = this.merged(vectors, scratch);
    return [...phases, ...this.rows.project([joined], out, scratch)];
  }

  addTransposed(coefficients: FloatArray, scale: number, outs: FloatArray[], scratch: Scratch): Phase[] {
    const { joined, parts, phases } = this.merged(outs, scratch);
    const add = this.rows.addTransposed(coefficients, scale, [joined], scratch);
    const back = parts.map((part, i) => copyJob(part, outs[i]));
    return [...phases, ...add, ...(back.length > 0 ? [{ jobs: back }] : [])];
  }

  /** One array per variable as one matrix, copied where there are several: it, its parts, and the phases that make it. */
  private merged(
    arrays: FloatArray[],
    scratch: Scratch,
  ): { joined: FloatArray; parts: FloatArray[]; phases: Phase[] } {
    if (arrays.length === 1) return { joined: arrays[0], parts: [], phases: [] };
    const sizes = variableSizes(this.layer.shape);
    const joined = scratch.array(
      'merged',
      sizes.reduce((sum, size) => sum + size, 0),
    );
    let begin = 0;
    const parts = sizes.map((size) => joined.subarray(begin, (begin += size)));
    return { joined, parts, phases: [{ jobs: arrays.map((array, i) => copyJob(array, parts[i])) }] };
  }

  select(rows: readonly number[]): { selected: LowRankRows; jobs: Job[] } {
    const { selected, jobs } = this.rows.select(rows);
    return {
      selected: new LowRankRows(this.layer, { examples: rows.length, passes: 1 }, selected),
      jobs,
    };
  }

  toDense(): Float64Array {
    return this.rows.toDense();
  }
}
