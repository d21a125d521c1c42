import type * as tf from '@tensorflow/tfjs';
import type { Memory } from '../memory';
import type { EpilogueArguments } from '../native';
import { repeats } from './kernel';

/** The order of `enum class Activation` in the addon. */
const activations = ['linear', 'relu', 'relu6', 'elu', 'sigmoid', 'leakyrelu', 'prelu'];

export const noEpilogue: EpilogueArguments = [null, 0, null, 0];

/**
 * The epilogue of a fused kernel, ready to take its views once the result exists; or `null` where bias or slopes broadcast in a way
 * that the addon does not know, or the activation has no name there.
 */
export function epilogue(
  inputs: { bias?: tf.TensorInfo; preluActivationWeights?: tf.TensorInfo },
  attrs: { activation?: string; leakyreluAlpha?: number },
  outShape: number[],
): ((memory: Memory) => EpilogueArguments) | null {
  const activation = activations.indexOf(attrs.activation ?? 'linear');
  const bias = inputs.bias ?? null;
  const isPrelu = attrs.activation === 'prelu';
  const alpha = isPrelu ? (inputs.preluActivationWeights ?? null) : null;
  const known = (operand: tf.TensorInfo | null) =>
    operand === null || (operand.dtype === 'float32' && repeats(operand.shape, outShape));
  if (activation < 0 || (isPrelu && alpha === null) || !known(bias) || !known(alpha)) return null;
  const values = (memory: Memory, tensor: tf.TensorInfo | null) => tensor && memory.floats(tensor);
  return (memory) => [values(memory, bias), activation, values(memory, alpha), attrs.leakyreluAlpha ?? 0];
}
