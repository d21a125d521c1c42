import { NatgradError } from '../errors';
import type { FloatArray } from '../linalg/jobs';
import type { NamedVectors } from '../optimizer/curvatureView';

/** Inner product of two arrays of one length, in float64. */
export function dot(left: FloatArray, right: FloatArray): number {
  let sum = 0;
  for (let at = 0; at < left.length; at++) sum += left[at] * right[at];
  return sum;
}

/**
 * Inner product of two vectors over the variables of `left`, in float64.
 *
 * @throws NatgradError ERR_NATGRAD_SHAPE if `right` lacks one of them or has it in another length
 */
export function innerProduct(left: NamedVectors, right: NamedVectors): number {
  return Object.keys(left).reduce((sum, name) => {
    if (right[name]?.length !== left[name].length) {
      throw new NatgradError(
        'ERR_NATGRAD_SHAPE',
        `The vectors have ${left[name].length} and ${right[name]?.length ?? 'no'} elements for '${name}'; give both the same variables.`,
      );
    }
    return sum + dot(left[name], right[name]);
  }, 0);
}

/** The cosine of the angle between two vectors over the same variables; 1 where they have one direction. */
export function cosine(left: NamedVectors, right: NamedVectors): number {
  const lengths = Math.sqrt(innerProduct(left, left) * innerProduct(right, right));
  return innerProduct(left, right) / lengths;
}
