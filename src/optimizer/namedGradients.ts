import * as tf from '@tensorflow/tfjs';

import { NatgradError, shown } from '../errors';
import type { Host } from '../host/host';
import type { VariableGradient } from './weightStep';

/** Gradients of the loss, by the names of variables or as a list: what `applyGradients` takes. */
export type Gradients = Parameters<tf.Optimizer['applyGradients']>[0];

/**
 * Variables with their gradients, as views of the host; those without a gradient are left out.
 *
 * @throws NatgradError ERR_NATGRAD_TYPE for what are no named gradients, ERR_NATGRAD_ARGUMENT for a name that no variable has,
 *   ERR_NATGRAD_SHAPE if gradient and variable have different shapes, ERR_NATGRAD_STATE if a gradient is disposed
 */
export function readGradients(gradients: Gradients, host: Host): VariableGradient[] {
  if (typeof gradients !== 'object' || gradients === null) {
    throw new NatgradError(
      'ERR_NATGRAD_TYPE',
      `variableGradients is ${shown(gradients)}; give gradients by variable name, or an array of {name, tensor}.`,
    );
  }
  const named = Array.isArray(gradients)
    ? gradients
    : Object.entries(gradients).map(([name, tensor]) => ({ name, tensor }));
  const { registeredVariables } = tf.engine();
  return named.flatMap(({ name, tensor }) => {
    if (tensor === null || (tensor === undefined && name in registeredVariables)) return [];
    const variable = registeredVariables[name];
    if (!variable) {
      throw new NatgradError(
        'ERR_NATGRAD_ARGUMENT',
        `variableGradients names ${shown(name)}, which is no variable; give gradients by the names of tf.Variables.`,
      );
    }
    requireGradient(tensor, variable);
    return [{ variable, gradient: host.read(tensor), tensor: tensor.id }];
  });
}

function requireGradient(tensor: tf.Tensor, { name, shape }: tf.Variable): void {
  if (!(tensor instanceof tf.Tensor)) {
    throw new NatgradError(
      'ERR_NATGRAD_TYPE',
      `the gradient of '${name}' is ${shown(tensor)}; give a tensor.`,
    );
  }
  if (tensor.isDisposed) {
    throw new NatgradError(
      'ERR_NATGRAD_STATE',
      `the gradient of '${name}' is disposed; apply gradients before they are disposed.`,
    );
  }
  if (!tf.util.arraysEqual(tensor.shape, shape)) {
    throw new NatgradError(
      'ERR_NATGRAD_SHAPE',
      `the gradient of '${name}' has the shape [${tensor.shape.join(', ')}], the variable [${shape.join(', ')}]; give each variable its own gradient.`,
    );
  }
}
