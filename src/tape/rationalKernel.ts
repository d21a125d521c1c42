import type { RationalVersion } from '../linalg/jobs';

/** The tfjs kernel of a rational activation, whose node has the inputs x, numerator and denominator and saves all three. */
export const rationalKernel = 'NatgradRational';

/** The attributes of {@link rationalKernel}. */
export interface RationalAttributes {
  version: RationalVersion;
  /** x is [rows, groups, inner]; the coefficients are [groups, size], in any shape. */
  groups: number;
  inner: number;
  /** What the coefficients are multiplied with, [groups, numerator size + denominator size]; all ones if undefined. */
  noise?: number[];
}
