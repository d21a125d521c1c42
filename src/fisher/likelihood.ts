import type { FloatArray } from '../linalg/jobs';
import type { RandomStream } from './random';

/** What a network says about a batch: the parameters of one predictive distribution per row. */
export interface Outputs {
  /**
   * [rows, columns], row-major: logits of categorical and bernoulli, means of gaussian, means and variances of gaussianWithVariance. Missing where the network has released them; a
   * likelihood says in `needs` whether it can do without.
   */
  parameters?: Float32Array;
  /** Of shape [rows, columns]: softmax or sigmoid of the parameters where the network computed it; taken instead of computing it again. */
  probabilities?: Float32Array;
  rows: number;
  columns: number;
}

/**
 * A predictive distribution p(y|f) with f the network's outputs, as far as the Fisher matrix needs it.
 *
 * Per row, with H = E[s s'], s = d(-log p(y|f))/df and y ~ p(.|f), the Fisher matrix in f is H = B B'. For the distributions of
 * this package it is also the Hessian of -log p in f for every y, so the Fisher and the generalised Gauss-Newton matrix of the
 * network agree (J. Martens, "New insights and perspectives on the natural gradient method", JMLR 2020, section 9).
 *
 * Nothing here is averaged over rows. Implement it to use a distribution of your own: `sample` is needed by the estimator
 * 'sampled'; `factorColumns` and `factorColumn` by 'exact', 'gaussNewton', 'curvaturePropagation' and products with the exact Fisher
 * matrix, where `outputFisher` can stand for the two.
 */
export interface Likelihood {
  readonly distribution: string;

  /**
   * What it reads of the outputs: their parameters (default), either the parameters or the probabilities, or only their shape.
   */
  readonly needs?: 'parameters' | 'parametersOrProbabilities' | 'shape';

  /** Number of columns of B for an output of `columns` elements. */
  factorColumns(columns: number): number;

  /** Draws y ~ p(.|f) for every row and writes s = d(-log p(y|f))/df to `out` [rows, columns]. */
  sample(outputs: Outputs, random: RandomStream, out: Float32Array): void;

  /** Writes column `column` of every row's B to `out` [rows, columns]. */
  factorColumn(outputs: Outputs, column: number, out: Float32Array): void;

  /** H of row `row`, [columns, columns] row-major. */
  outputFisher(outputs: Outputs, row: number): Float64Array;

  /**
   * Writes B'u of every row's vector u, `vectors` [rows, columns], to `out` [rows, factorColumns], so that |B'u|^2 = u'H u. Where it is
   * missing it is made of `factorColumn`.
   */
  multiplyFactorTransposed?(outputs: Outputs, vectors: FloatArray, out: FloatArray): void;

  /** Writes H u of every row's vector u, `vectors` [rows, columns], to `out` [rows, columns]. Where it is missing it is made of `factorColumn`. */
  multiplyFisher?(outputs: Outputs, vectors: FloatArray, out: FloatArray): void;

  /**
   * KL(p(.|from) || p(.|to)) of every row, [rows]. Where it is missing it is taken to be 1/2 u'H u with u the difference of the parameters,
   * which it is to second order.
   */
  divergence?(from: Outputs, to: Outputs): Float64Array;
}
