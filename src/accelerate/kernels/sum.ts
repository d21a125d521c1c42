import * as tf from '@tensorflow/tfjs';
import { allFloat32, type Kernel } from './kernel';

/** Sums over the first dimensions, as the gradient of a bias is; tfjs would transpose its operand for them. */
export const sum: Kernel<tf.SumInputs, tf.SumAttrs> = ({ inputs: { x }, attrs, memory, native }) => {
  if (!allFloat32(x)) return null;
  const axes = tf.util.parseAxisParam(attrs.axis, x.shape).sort((a, b) => a - b);
  if (axes.length === 0 || axes.length === x.shape.length || axes.some((axis, i) => axis !== i)) return null;
  const rows = tf.util.sizeFromShape(x.shape.slice(0, axes.length));
  const kept = x.shape.slice(axes.length);
  return memory.create([...(attrs.keepDims ? axes.map(() => 1) : []), ...kept], (out) => {
    if (out.length > 0) native.columnSum(rows, out.length, memory.floats(x), out);
  });
};
