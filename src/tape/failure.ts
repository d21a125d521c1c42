import * as tf from '@tensorflow/tfjs';

import { NatgradError } from '../errors';
import type { TapeNode } from './types';

/** What is thrown when the gradient of a node cannot be computed: mostly a kernel that the backend lacks. */
export function gradientFailure(node: TapeNode, cause: unknown): NatgradError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new NatgradError(
    'ERR_NATGRAD_BACKEND',
    `The gradient of ${node.kernelName} could not be computed on the tfjs backend '${tf.getBackend()}': ${reason}. ` +
      'Choose another backend, or take the operation out of the loss.',
    { cause },
  );
}

/** What is thrown when a direction cannot be carried through a node: mostly a kernel that has no rule. */
export function tangentFailure(node: TapeNode, cause: unknown): NatgradError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new NatgradError(
    'ERR_NATGRAD_BACKEND',
    `The directional derivative of ${node.kernelName} could not be computed on the tfjs backend '${tf.getBackend()}': ${reason}. ` +
      'Choose options that need no Jacobian-vector products, or take the operation out of the model.',
    { cause },
  );
}
