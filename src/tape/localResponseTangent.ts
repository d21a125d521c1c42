import * as tf from '@tensorflow/tfjs';

import type { KernelAttributes } from './attributes';

/**
 * The direction of a local response normalisation over channels (A. Krizhevsky, I. Sutskever and G. Hinton, "ImageNet classification with
 * deep convolutional neural networks", 2012, section 3.3), with W x the sum over the channels up to r away:
 *
 *     y = x s^-beta,   s = bias + alpha W x^2,   dy = s^-beta (dx - 2 alpha beta x (W x dx) / s)
 *
 * @param x NHWC, or one image without the batch
 */
export function localResponseTangent(
  x: tf.Tensor,
  dx: tf.Tensor,
  { depthRadius, bias, alpha, beta }: KernelAttributes,
): tf.Tensor {
  const [radius, offset, share, exponent] = [depthRadius, bias, alpha, beta] as number[];
  const channels = x.shape[x.shape.length - 1];
  const reach = Math.min(radius, channels);
  const window = tf.linalg.bandPart(tf.ones([channels, channels]), reach, reach);
  const summed = (values: tf.Tensor) =>
    tf.reshape(tf.matMul(tf.reshape(values, [-1, channels]), window), values.shape);
  const s = tf.add(tf.mul(summed(tf.square(x)), share), offset);
  const change = tf.div(tf.mul(x, summed(tf.mul(x, dx))), s);
  return tf.mul(tf.pow(s, -exponent), tf.sub(dx, tf.mul(change, 2 * share * exponent)));
}
