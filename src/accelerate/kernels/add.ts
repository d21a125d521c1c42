import type * as tf from '@tensorflow/tfjs';
import { allFloat32, repeats, type Kernel } from './kernel';

/** Sums of equal shapes, and of a tensor and one that repeats over it: a bias. */
export const add: Kernel<tf.AddInputs, object> = ({ inputs: { a, b }, memory, native }) => {
  if (!allFloat32(a, b)) return null;
  const [whole, part] = repeats(b.shape, a.shape) ? [a, b] : [b, a];
  if (!repeats(part.shape, whole.shape)) return null;
  return memory.create(whole.shape, (out) => {
    if (out.length > 0) native.add(memory.floats(whole), memory.floats(part), out);
  });
};
