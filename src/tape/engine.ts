import * as tf from '@tensorflow/tfjs';

import type { TapeNode } from './types';

/** What this package uses of tfjs's engine beyond its documented functions. */
export interface Engine {
  state: {
    /** Null outside of a gradient computation. */
    activeTape: TapeNode[] | null;
    gradientDepth: number;
    /** While it is above 0, operations are not recorded: they run inside a kernel. */
    kernelDepth: number;
    registeredVariables: Record<string, tf.Variable>;
  };
  runKernel: (name: string, inputs: tf.NamedTensorMap, attributes?: object) => tf.Tensor | tf.Tensor[];
  /** Lets a tensor outlive the tidies around it. */
  keep: (tensor: tf.Tensor) => tf.Tensor;
  /** Reads `xs` only after `f` has run, so `f` may append to it. */
  gradients(
    f: () => tf.Tensor,
    xs: tf.Tensor[],
    dy: tf.Tensor | null,
    allowNoGradients: boolean,
  ): { value: tf.Tensor; grads: (tf.Tensor | null | undefined)[] };
}

export function engine(): Engine {
  return tf.engine() as unknown as Engine;
}

/** Another tensor on the same data. Unlike a clone it runs no kernel, which copies the data on some backends and is seen by the tape. */
export function share(tensor: tf.Tensor): tf.Tensor {
  const { dataId, shape, dtype } = tensor;
  tf.backend().incRef(dataId);
  return tf.engine().makeTensorFromTensorInfo({ dataId, shape, dtype });
}

/** Runs `work` without recording what it does on the tape in progress. */
export function untaped<T>(work: () => T): T {
  const { state } = engine();
  state.kernelDepth++;
  try {
    return work();
  } finally {
    state.kernelDepth--;
  }
}

/** Runs `work` as if no gradient were being computed around it. */
export function apart<T>(work: () => T): T {
  const { state } = engine();
  const { activeTape, gradientDepth, kernelDepth } = state;
  Object.assign(state, { activeTape: null, gradientDepth: 0, kernelDepth: 0 });
  try {
    return work();
  } finally {
    Object.assign(state, { activeTape, gradientDepth, kernelDepth });
  }
}
