import * as tf from '@tensorflow/tfjs';

import { engine } from './engine';

/**
 * Calls a loss function again, for a step that has to look at a batch more than once, so that the caller of the optimizer sees one call
 * only:
 *
 * - The loss function of tfjs-layers keeps every metric and appends it to a list that becomes the result of `trainOnBatch`. A kept tensor
 *   that is appended to a list is taken out again and released.
 * - Variables that are not trained, such as the moving averages of a batch normalisation, keep the values they have now.
 */
export function withoutSideEffects<T>(call: () => T): T {
  const restore = rememberVariables();
  try {
    return withoutMetrics(call);
  } finally {
    restore();
  }
}

/** Returns what gives all variables that are not trainable their present values back. */
function rememberVariables(): () => void {
  const variables = Object.values(engine().state.registeredVariables).filter(({ trainable }) => !trainable);
  const values = variables.map((variable) => tf.keep(variable.clone()));
  return () => {
    variables.forEach((variable, i) => {
      if (!variable.isDisposed && variable.dataId !== values[i].dataId) variable.assign(values[i]);
      values[i].dispose();
    });
  };
}

/**
 * The list that the loss function of tfjs-layers appends to is a local variable of tfjs-layers, which nothing else can reach: it keeps a
 * tensor and appends it in its next statement. So the first append after a tensor was kept is looked at, and left out if it is of that tensor.
 */
function withoutMetrics<T>(call: () => T): T {
  const target = engine();
  const own = Object.getOwnPropertyDescriptor(target, 'keep');
  const { keep } = target;
  const append = Object.getOwnPropertyDescriptor(Array.prototype, 'push')!;
  const disarm = () => void Object.defineProperty(Array.prototype, 'push', append);
  const leftOut: tf.Tensor[] = [];

  target.keep = (tensor) => {
    const isNew = !tensor.kept;
    const result = keep.call(target, tensor);
    // Inside of kernels tfjs keeps what the backward pass needs.
    if (target.state.kernelDepth > 0) return result;
    Object.defineProperty(Array.prototype, 'push', {
      ...append,
      value(this: unknown[], ...items: unknown[]): number {
        disarm();
        if (items.length !== 1 || items[0] !== tensor) return this.push(...items);
        if (isNew) leftOut.push(tensor);
        return this.length;
      },
    });
    return result;
  };
  try {
    return call();
  } finally {
    disarm();
    if (own) Object.defineProperty(target, 'keep', own);
    else delete (target as Partial<typeof target>).keep;
    tf.dispose(leftOut);
  }
}
