import { NatgradError } from '../errors';
import type { RationalVersion } from '../linalg/jobs';
import { rationalForm, rationalVersions } from '../linalg/reference/rational';

/** Degrees [m, n] of numerator and denominator. */
export type RationalType = [numerator: number, denominator: number];

const maxDegree = 16;

/** How many coefficients numerator and denominator have. */
export function sizesOf([m, n]: RationalType, version: RationalVersion): [number, number] {
  return [m + 1, n + 1 - rationalForm(version).firstPower];
}

/** @throws NatgradError ERR_NATGRAD_ARGUMENT unless `version` is the name of a version */
export function requireVersion(version: unknown): asserts version is RationalVersion {
  if (!rationalVersions.includes(version as RationalVersion)) {
    throw new NatgradError(
      'ERR_NATGRAD_ARGUMENT',
      `version is ${String(version)}; use one of ${rationalVersions.join(', ')}.`,
    );
  }
}

/** @throws NatgradError ERR_NATGRAD_ARGUMENT unless `type` is two degrees from 1 to 16 */
export function requireType(type: unknown): asserts type is RationalType {
  const fits =
    Array.isArray(type) &&
    type.length === 2 &&
    type.every((degree) => Number.isInteger(degree) && degree >= 1 && degree <= maxDegree);
  if (!fits) {
    throw new NatgradError(
      'ERR_NATGRAD_ARGUMENT',
      `type is ${JSON.stringify(type)}; give the degrees of numerator and denominator, each from 1 to ${maxDegree}, e.g. [3, 2].`,
    );
  }
}
