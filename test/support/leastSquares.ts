/** A linear net with half squared error: f = x w, the loss 1/(2N) |x w - y|^2, whose Fisher matrix x'x / N is also its Hessian. */
import * as tf from '@tensorflow/tfjs';

import { noise, randomInputs } from './denseNet';

export const ROWS = 12;
export const SIZE = 5;
export const inputs = randomInputs(ROWS, SIZE, 3);
export const targets = randomInputs(ROWS, 1, 4);
export const start = Float64Array.from({ length: SIZE }, noise(5));

const times = (w: Float64Array) =>
  Float64Array.from({ length: ROWS }, (_, r) =>
    w.reduce((sum, value, i) => sum + value * inputs[r * SIZE + i], 0),
  );

const transposed = (u: Float64Array) =>
  Float64Array.from(
    { length: SIZE },
    (_, i) => u.reduce((sum, value, r) => sum + value * inputs[r * SIZE + i], 0) / ROWS,
  );

export const gradientAt = (w: Float64Array) => transposed(times(w).map((value, r) => value - targets[r]));
export const hessian = (p: Float64Array) => transposed(times(p));
export const dot = (a: Float64Array, b: Float64Array) => a.reduce((sum, value, i) => sum + value * b[i], 0);
export const lossAt = (w: Float64Array) =>
  times(w).reduce((sum, value, r) => sum + (value - targets[r]) ** 2, 0) / (2 * ROWS);

/** The net's weights as a variable, at `start`, and its loss. */
export function linear(): { w: tf.Variable<tf.Rank.R2>; loss: () => tf.Scalar } {
  const w = tf.variable<tf.Rank.R2>(tf.tensor2d(Float32Array.from(start), [SIZE, 1]));
  const x = tf.tensor2d(Float32Array.from(inputs), [ROWS, SIZE]);
  const y = tf.tensor2d(Float32Array.from(targets), [ROWS, 1]);
  const loss = () => tf.tidy(() => tf.squaredDifference(x.matMul(w), y).mean().div(2).asScalar());
  return { w, loss };
}
