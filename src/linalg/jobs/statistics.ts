/** Jobs that turn what a batch says, rows of inputs and of gradients, into second moments and scores. */
import type { DenseRows, FloatArray, PatchRows } from './arrays';

/**
 * `factor = decay * factor + sum over inputs of scale * X'X`, on the lower triangle.
 * With `homogeneous`, every row of X has a 1 appended, so `size` is the number of columns plus one.
 * An input that is not finite leaves the factor untouched and is reported as `notFinite`.
 */
export interface FactorJob {
  op: 'factor';
  inputs: ((DenseRows | PatchRows) & { scale: number })[];
  homogeneous: boolean;
  decay: number;
  factor: FloatArray;
  size: number;
}

/** `factor[j] = decay * factor[j] + sum over inputs of scale * (sum of x[r][j]^2 over rows, or the count of index j)`. */
export interface DiagonalFactorJob {
  op: 'diagonalFactor';
  inputs: ((DenseRows | { indices: Int32Array }) & { scale: number })[];
  decay: number;
  factor: FloatArray;
}

/**
 * The scores of a {@link ScoresJob} with `keep` 0, cut down to `rank`: `left[n]' right[n]` is the matrix of that rank that is closest to the
 * score of example n, its truncated singular value decomposition. `left` is [examples, rank, columns of X (+ 1 if homogeneous)], `right`
 * [examples, rank, columns of G]; which bases of the leading singular vectors their rows are is not said. Computed in float64.
 * An input that is not finite leaves both untouched and is reported as `notFinite`.
 */
export interface LowRankScoresJob {
  op: 'lowRankScores';
  activation: DenseRows | PatchRows;
  outputGradient: DenseRows;
  examples: number;
  homogeneous: boolean;
  scale: number;
  /** At most the rows and the columns of a score. */
  rank: number;
  left: FloatArray;
  right: FloatArray;
}

/**
 * One factor per output unit j: `factors[j] = decay * factors[j] + sum over inputs of scale * sum_r g[r][j]^2 x_r x_r'`, on the lower
 * triangles. `gradients` has `count` columns and as many rows as its input. Otherwise as {@link FactorJob}.
 */
export interface UnitFactorsJob {
  op: 'unitFactors';
  inputs: ((DenseRows | PatchRows) & { scale: number; gradients: FloatArray })[];
  homogeneous: boolean;
  decay: number;
  factors: FloatArray;
  size: number;
  count: number;
}

/**
 * The score of every example by itself: `out[n] = keep * out[n] + scale * sum over the rows r of example n of x_r g_r'`, each a matrix
 * of `columns of X (+ 1 if homogeneous)` by `columns of G`, row-major. The rows of an example follow one another. Inputs are not
 * examined: those of an example that are not finite show in its score, and in no other.
 */
export interface ScoresJob {
  op: 'scores';
  activation: DenseRows | PatchRows;
  outputGradient: DenseRows;
  examples: number;
  homogeneous: boolean;
  scale: number;
  keep: number;
  out: FloatArray;
}
