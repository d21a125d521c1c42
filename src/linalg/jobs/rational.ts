import type { FloatArray } from './arrays';

/**
 * What the denominator Q of a rational function y = P(x) / Q(x) is, with P = sum a_i x^i (A. Molina, P. Schramowski and K. Kersting,
 * "Pade activation units", ICLR 2020, and the versions of their published package; N. Boulle, Y. Nakatsukasa and A. Townsend, "Rational
 * neural networks", NeurIPS 2020):
 *
 *     A: 1 + sum |b_j x^j|   B: 1 + |sum b_j x^j|   D: as B, its coefficients with noise   N: 1 + sum b_j x^j     j from 1
 *     C: 0.1 + |sum b_j x^j|                                                              boulle: sum b_j x^j    j from 0
 */
export type RationalVersion = 'A' | 'B' | 'C' | 'D' | 'N' | 'boulle';

/** How the elements of a tensor share coefficients: it is [rows, groups, inner], and every group has coefficients of its own. */
export interface RationalLayout {
  version: RationalVersion;
  groups: number;
  inner: number;
  /** How many coefficients a numerator has, 1 to 17: its degree plus one. */
  numeratorSize: number;
  denominatorSize: number;
}

/**
 * One factor per group of a rational activation, from the score s_n of every example with respect to its coefficients:
 *
 *     factors[group] = decay * factors[group] + scale * sum_n s_n s_n',   s_n = sum over inputs, rows and inner of g [dy/da; dy/db]
 *
 * on the lower triangles, of size numeratorSize + denominatorSize. The rows of an example follow one another. `noise` [groups, size] is
 * what the coefficients are multiplied with before they are used. Inputs that are not finite leave the factors untouched.
 */
export interface RationalFactorJob extends RationalLayout {
  op: 'rationalFactor';
  inputs: {
    /** x and the gradient g at y, [rows, groups, inner]. */
    activation: FloatArray;
    gradient: FloatArray;
    /** [groups, numeratorSize] and [groups, denominatorSize], lowest power first. */
    numerator: FloatArray;
    denominator: FloatArray;
    noise?: FloatArray;
  }[];
  examples: number;
  decay: number;
  scale: number;
  factors: FloatArray;
}
