/** Rational activations made of tfjs's own operations, for backends whose memory is not ours to read. */
import * as tf from '@tensorflow/tfjs';

import type { RationalLayout } from '../linalg/jobs';
import { rationalForm } from '../linalg/reference/rational';

/** x of any shape that is [rows, groups, inner]; coefficients of any shape that is [groups, size]. */
export interface RationalTensors {
  layout: RationalLayout;
  x: tf.Tensor;
  numerator: tf.Tensor;
  denominator: tf.Tensor;
}

/** y = P(x) / Q(x), in the shape of x. */
export function rationalValues(tensors: RationalTensors): tf.Tensor {
  return tf.tidy(() => {
    const { p, q } = polynomials(tensors);
    return tf.div(p, q).reshape(tensors.x.shape);
  });
}

/** dy times dy/dx, and its sums with the derivatives by the coefficients, in the shapes of x and of the coefficients. */
export function rationalDerivatives(
  tensors: RationalTensors,
  dy: tf.Tensor,
): [tf.Tensor, tf.Tensor, tf.Tensor] {
  return tf.tidy(() => {
    const { layout, x, numerator, denominator } = tensors;
    const { points, u, p, slopeOfP, q, slopeOfQ, sign, b } = polynomials(tensors);
    const t = tf.div(dy.reshape(points.shape), q);
    const y = tf.div(p, q);
    const dx = tf.mul(t, tf.sub(slopeOfP, tf.mul(y, slopeOfQ)));
    const sums = (first: tf.Tensor, base: tf.Tensor, count: number) => {
      const columns: tf.Tensor[] = [];
      let term = first;
      for (let k = 0; k < count; k++) {
        columns.push(term.sum([0, 2]));
        if (k + 1 < count) term = tf.mul(term, base);
      }
      return tf.stack(columns, 1);
    };
    const { firstPower, sum } = rationalForm(layout.version);
    const lowest = tf.neg(tf.mul(sign, tf.mul(t, y)));
    const dNumerator = sums(t, points, layout.numeratorSize);
    const dSums = sums(firstPower === 1 ? tf.mul(lowest, u) : lowest, u, layout.denominatorSize);
    const dDenominator = sum === 'termwise' ? tf.mul(dSums, tf.sign(b)) : dSums;
    return [
      dx.reshape(x.shape),
      dNumerator.reshape(numerator.shape),
      dDenominator.reshape(denominator.shape),
    ];
  });
}

/**
 * The direction of y = P / Q for directions of x and of the coefficients, any of which may be missing:
 *
 *     (P'(x) dx + sum da_i x^i - y (Q'(x) dx + dQ)) / Q,   dQ = s sum db_j x^j with s the sign of the sum,
 *
 * or dQ = sum sign(b_j) db_j |x|^j where the sum is one of absolute values.
 */
export function rationalTangent(
  tensors: RationalTensors,
  directions: Partial<Record<'x' | 'numerator' | 'denominator', tf.Tensor>>,
): tf.Tensor {
  return tf.tidy(() => {
    const { layout, x } = tensors;
    const { points, u, p, slopeOfP, q, slopeOfQ, sign, b } = polynomials(tensors);
    const { firstPower, sum } = rationalForm(layout.version);
    const terms: tf.Tensor[] = [];
    const y = tf.div(p, q);
    if (directions.x) {
      const slope = tf.sub(slopeOfP, tf.mul(y, slopeOfQ));
      terms.push(tf.mul(slope, directions.x.reshape(points.shape)));
    }
    if (directions.numerator) {
      const da = directions.numerator.reshape([layout.groups, layout.numeratorSize]);
      terms.push(horner(da, points).value);
    }
    if (directions.denominator) {
      const db = directions.denominator.reshape(b.shape);
      const { value } = horner(sum === 'termwise' ? tf.mul(db, tf.sign(b)) : db, u);
      const dSum = firstPower === 1 ? tf.mul(value, u) : value;
      terms.push(tf.neg(tf.mul(y, tf.mul(sign, dSum))));
    }
    return tf.div(tf.addN(terms), q).reshape(x.shape);
  });
}

/** The polynomials and their slopes at every point, as [rows, groups, inner]; names as in `RationalFunction`. */
function polynomials({ layout, x, numerator, denominator }: RationalTensors) {
  const { version, groups, inner, numeratorSize, denominatorSize } = layout;
  const { constant, firstPower, sum } = rationalForm(version);
  const points = x.reshape([-1, groups, inner]);
  const u = sum === 'termwise' ? tf.abs(points) : points;
  const a = numerator.reshape([groups, numeratorSize]);
  const b = denominator.reshape([groups, denominatorSize]);
  const { value: p, slope: slopeOfP } = horner(a, points);
  let { value, slope } = horner(sum === 'termwise' ? tf.abs(b) : b, u);
  if (firstPower === 1) [value, slope] = [tf.mul(value, u), tf.add(tf.mul(slope, u), value)];
  const sign = sum === 'absolute' ? tf.sign(value) : tf.onesLike(value);
  const q = tf.add(tf.mul(sign, value), constant);
  const slopeOfQ = tf.mul(sum === 'termwise' ? tf.sign(points) : sign, slope);
  return { points, u, b, p, slopeOfP, q, slopeOfQ, sign };
}

/** A polynomial and its derivative; `coefficients` is [groups, size], lowest power first. */
function horner(coefficients: tf.Tensor, x: tf.Tensor): { value: tf.Tensor; slope: tf.Tensor } {
  const [groups, size] = coefficients.shape;
  const columns = tf.split(coefficients, size, 1).map((column) => column.reshape([1, groups, 1]));
  let value: tf.Tensor = tf.zerosLike(x);
  let slope: tf.Tensor = tf.zerosLike(x);
  for (let k = size - 1; k >= 0; k--) {
    slope = tf.add(tf.mul(slope, x), value);
    value = tf.add(tf.mul(value, x), columns[k]);
  }
  return { value, slope };
}
