import type { RationalVersion } from '../jobs';

/** What the denominator is made of, with S the sum of b_j x^j. */
interface Form {
  constant: number;
  /** The power of the first b. */
  firstPower: 0 | 1;
  /** S itself, |S|, or the sum of |b_j x^j|. */
  sum: 'plain' | 'absolute' | 'termwise';
}

const forms: Record<RationalVersion, Form> = {
  A: { constant: 1, firstPower: 1, sum: 'termwise' },
  B: { constant: 1, firstPower: 1, sum: 'absolute' },
  C: { constant: 0.1, firstPower: 0, sum: 'absolute' },
  D: { constant: 1, firstPower: 1, sum: 'absolute' },
  N: { constant: 1, firstPower: 1, sum: 'plain' },
  boulle: { constant: 0, firstPower: 0, sum: 'plain' },
};

/** The versions in the order in which the addon numbers them. */
export const rationalVersions = Object.keys(forms) as RationalVersion[];

/** The form of a version's denominator. */
export const rationalForm = (version: RationalVersion): Form => forms[version];

/** One rational function y = P(x) / Q(x), in float64. */
export class RationalFunction {
  private readonly form: Form;

  /** @param numerator a_0, a_1, ... @param denominator b_1, b_2, ... (b_0, b_1, ... in versions C and boulle) */
  constructor(
    version: RationalVersion,
    private readonly numerator: ArrayLike<number>,
    private readonly denominator: ArrayLike<number>,
  ) {
    this.form = forms[version];
  }

  at(x: number): number {
    const { q } = this.denominatorAt(x);
    return horner(this.numerator, x).value / q;
  }

  /**
   * Writes dy/da_i and dy/db_j to `coefficients` and returns dy/dx:
   *
   *     dy/dx = (P' - y Q') / Q,   dy/da_i = x^i / Q,   dy/db_j = -s_j x^j y / Q,
   *
   * s_j = sign(b_j x^j) in version A, sign(S) in B, C and D, 1 in N and boulle; a sign is 0 at 0.
   */
  differentiate(x: number, coefficients: Float64Array): number {
    const { q, slope, sign, u } = this.denominatorAt(x);
    const { value: p, derivative } = horner(this.numerator, x);
    const y = p / q;
    let at = 0;
    for (let i = 0, power = 1 / q; i < this.numerator.length; i++, power *= x) coefficients[at++] = power;
    let power = (-sign * y) / q;
    if (this.form.firstPower === 1) power *= u;
    for (let j = 0; j < this.denominator.length; j++, power *= u) {
      coefficients[at++] = this.form.sum === 'termwise' ? Math.sign(this.denominator[j]) * power : power;
    }
    return (derivative - y * slope) / q;
  }

  /** Q and Q'; the sign of S where its magnitude is taken; and the point u whose powers the b_j are multiplied with. */
  private denominatorAt(x: number): { q: number; slope: number; sign: number; u: number } {
    const { constant, firstPower, sum } = this.form;
    const termwise = sum === 'termwise';
    const u = termwise ? Math.abs(x) : x;
    let { value, derivative } = horner(this.denominator, u, termwise);
    if (firstPower === 1) [value, derivative] = [value * u, derivative * u + value];
    const sign = sum === 'absolute' ? Math.sign(value) : 1;
    const slope = termwise ? Math.sign(x) * derivative : sign * derivative;
    return { q: constant + sign * value, slope, sign, u };
  }
}

/** A polynomial and its derivative, lowest power first. */
function horner(
  coefficients: ArrayLike<number>,
  x: number,
  absolute = false,
): { value: number; derivative: number } {
  let value = 0;
  let derivative = 0;
  for (let k = coefficients.length - 1; k >= 0; k--) {
    derivative = derivative * x + value;
    value = value * x + (absolute ? Math.abs(coefficients[k]) : coefficients[k]);
  }
  return { value, derivative };
}
