/** Rational activations in float64 by their definitions, as an oracle. */
import type { RationalVersion } from '../../src/layers';
import { noise } from './denseNet';

/** y = P(x) / Q(x), term by term (A. Molina et al., "Pade activation units", ICLR 2020; Boulle et al., NeurIPS 2020). */
export function rationalValue(
  version: RationalVersion,
  numerator: ArrayLike<number>,
  denominator: ArrayLike<number>,
  x: number,
): number {
  const first = version === 'C' || version === 'boulle' ? 0 : 1;
  const p = Array.from(numerator).reduce((sum, a, i) => sum + a * x ** i, 0);
  const terms = Array.from(denominator, (b, j) => b * x ** (j + first));
  const sum = terms.reduce((total, term) => total + term, 0);
  switch (version) {
    case 'A':
      return p / (1 + terms.reduce((total, term) => total + Math.abs(term), 0));
    case 'B':
    case 'D':
      return p / (1 + Math.abs(sum));
    case 'C':
      return p / (0.1 + Math.abs(sum));
    case 'N':
      return p / (1 + sum);
    case 'boulle':
      return p / sum;
  }
}

export interface Slopes {
  x: number;
  /** By a_0, a_1, ..., then by the b_j. */
  coefficients: number[];
}

/** dy/dx and the derivatives by the coefficients, by central differences. */
export function rationalSlopes(
  version: RationalVersion,
  numerator: ArrayLike<number>,
  denominator: ArrayLike<number>,
  x: number,
): Slopes {
  const h = 1e-5;
  const moved = (values: ArrayLike<number>, k: number, by: number) =>
    Array.from(values, (value, i) => (i === k ? value + by : value));
  const difference = (f: (by: number) => number) => (f(h) - f(-h)) / (2 * h);
  return {
    x: difference((by) => rationalValue(version, numerator, denominator, x + by)),
    coefficients: [
      ...Array.from(numerator, (_, k) =>
        difference((by) => rationalValue(version, moved(numerator, k, by), denominator, x)),
      ),
      ...Array.from(denominator, (_, k) =>
        difference((by) => rationalValue(version, numerator, moved(denominator, k, by), x)),
      ),
    ],
  };
}

export const versions: readonly RationalVersion[] = ['A', 'B', 'C', 'D', 'N', 'boulle'];

/** Coefficients of type (3, 2) for `groups` functions, far from poles and from kinks of the denominator. */
export function someCoefficients(
  version: RationalVersion,
  groups: number,
  seed = 5,
): { numerator: Float64Array; denominator: Float64Array } {
  const next = noise(seed);
  const base = version === 'C' || version === 'boulle' ? [1.3, 0.4, 2] : [0.4, 2];
  return {
    numerator: Float64Array.from({ length: 4 * groups }, next),
    denominator: Float64Array.from(
      { length: base.length * groups },
      (_, k) => base[k % base.length] + 0.2 * next(),
    ),
  };
}
