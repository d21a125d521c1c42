import * as tf from '@tensorflow/tfjs';

import type { KernelAttributes } from './attributes';
import { engine } from './engine';
import type { TapeNode } from './types';

/**
 * A sum of products of its inputs is linear in each,
 *
 *     d f(a, b, ...) = f(da, b, ...) + f(a, db, ...) + ...
 *
 * The other inputs are those that tfjs has saved, if a gradient was registered that saves them all. tfjs has none of its own and then saves
 * none; they serve as long as their data are there.
 */
export function einsumTangent(
  { inputs: given }: TapeNode,
  saved: tf.Tensor[],
  directionOf: (input: string) => tf.Tensor | undefined,
  attributes: KernelAttributes,
): tf.Tensor {
  const names = Object.keys(given);
  const values = names.map((name, i) => (saved.length === names.length ? saved[i] : given[name]));
  const directions = names.map(directionOf);
  const terms = directions.flatMap((direction, i) => {
    if (!direction) return [];
    const inputs = values.map((value, j) => (i === j ? direction : held(value)));
    return [engine().runKernel('Einsum', inputs as unknown as tf.NamedTensorMap, attributes) as tf.Tensor];
  });
  return terms.reduce((sum, term) => tf.add(sum, term));
}

/** The tensor, if its data are there: a released one may still share them with one that tfjs has saved for another kernel. */
function held(tensor: tf.Tensor): tf.Tensor {
  if (tf.engine().state.tensorInfo.has(tensor.dataId)) return tensor;
  throw new Error('tfjs has released an input of it; register a gradient with saveAllInputs for it');
}
