import * as tf from '@tensorflow/tfjs';

import { NatgradError } from '../errors';
import type { RationalVersion } from '../linalg/jobs';
import { runRational } from './rationalKernels';
import { requireVersion } from './rationalType';

/**
 * A rational function y = P(x) / Q(x) of every element of a tensor, with gradients by x and by the coefficients (coefficients without
 * noise: version 'D' is 'B' here). On the cpu and wasm backends one native pass computes all gradients; where the addon does not load,
 * plain TypeScript does; every other backend is given tfjs's own operations.
 *
 * Where Q is 0, which can happen in versions N and boulle only, y is infinite or NaN as IEEE 754 has it, and so are gradients.
 *
 * @param x float32, of any shape
 * @param numerator a_0 ... a_m: [m + 1] for one function, or [..., m + 1] for one per unit, where the leading dimensions are those of the
 *   last axes of x, or 1 along axes that share a function; at most 17 coefficients
 * @param denominator b_1 ... b_n, or b_0 ... b_n in versions C and boulle, in the same form
 * @param version what Q is made of, see {@link RationalVersion}. Default 'B'
 * @returns a tensor of the shape of x
 * @throws NatgradError ERR_NATGRAD_TYPE for another dtype, ERR_NATGRAD_SHAPE for shapes that do not fit together, ERR_NATGRAD_ARGUMENT for
 *   an unknown version
 *
 * @example
 * rational(x, tf.tensor1d([0.0218, 0.5, 1.5957, 1.1915]), tf.tensor1d([0, 2.383])); // nearly relu(x) on [-1, 1]
 */
export function rational(
  x: tf.Tensor,
  numerator: tf.Tensor,
  denominator: tf.Tensor,
  version: RationalVersion = 'B',
): tf.Tensor {
  return rationalWithNoise(x, numerator, denominator, version);
}

/** The same with coefficients that are multiplied by `noise`, [units, numerator and denominator coefficients]. */
export function rationalWithNoise(
  x: tf.Tensor,
  numerator: tf.Tensor,
  denominator: tf.Tensor,
  version: RationalVersion,
  noise?: number[],
): tf.Tensor {
  requireVersion(version);
  for (const [name, tensor] of Object.entries({ x, numerator, denominator })) {
    if (!(tensor instanceof tf.Tensor) || tensor.dtype !== 'float32') {
      throw new NatgradError('ERR_NATGRAD_TYPE', `rational: ${name} must be a float32 tensor.`);
    }
  }
  requireFits(x, numerator, denominator);
  const { order, groups, inner } = arrangement(x.shape, numerator.shape.slice(0, -1));
  const attributes = { version, groups, inner, ...(noise ? { noise } : {}) };
  const inputs = { numerator, denominator };
  if (order === null) return runRational({ x, ...inputs }, attributes);
  return tf.tidy(() => {
    const back = order.map((_, axis) => order.indexOf(axis));
    return tf.transpose(runRational({ x: tf.transpose(x, order), ...inputs }, attributes), back);
  });
}

function requireFits(x: tf.Tensor, numerator: tf.Tensor, denominator: tf.Tensor): void {
  const units = numerator.shape.slice(0, -1);
  const offset = x.shape.length - units.length;
  const fits =
    numerator.shape.length > 0 &&
    offset >= 0 &&
    units.every((size, i) => size === 1 || size === x.shape[offset + i]) &&
    tf.util.arraysEqual(units, denominator.shape.slice(0, -1)) &&
    denominator.shape.length === numerator.shape.length &&
    [numerator, denominator].every(
      ({ shape }) => shape[shape.length - 1] >= 1 && shape[shape.length - 1] <= 17,
    );
  if (!fits) {
    throw new NatgradError(
      'ERR_NATGRAD_SHAPE',
      `rational: numerator [${numerator.shape.join(', ')}] and denominator [${denominator.shape.join(', ')}] do not fit x ` +
        `[${x.shape.join(', ')}]; give both as [coefficients], or as [..., coefficients] with the sizes of x's last axes, or 1, in front.`,
    );
  }
}

/**
 * x as [rows, groups, inner]: the axes along which coefficients differ are next to one another, or are brought there by a transposition
 * to `order`.
 */
function arrangement(
  shape: number[],
  units: number[],
): { order: number[] | null; groups: number; inner: number } {
  const offset = shape.length - units.length;
  const own = units.flatMap((size, i) => (size === 1 ? [] : [offset + i]));
  const groups = own.reduce((product, axis) => product * shape[axis], 1);
  if (own.length === 0) return { order: null, groups: 1, inner: 1 };
  const [first, last] = [own[0], own[own.length - 1]];
  const between = shape
    .slice(first, last + 1)
    .filter((size, i) => size !== 1 && units[first - offset + i] === 1);
  if (between.length === 0) {
    const inner = shape.slice(last + 1).reduce((product, size) => product * size, 1);
    return { order: null, groups, inner };
  }
  const others = shape.map((_, axis) => axis).filter((axis) => !own.includes(axis));
  return { order: [...others, ...own], groups, inner: 1 };
}
