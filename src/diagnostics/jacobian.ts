import * as tf from '@tensorflow/tfjs';

import { NatgradError } from '../errors';
import { host } from '../host/currentHost';
import type { NamedVectors } from '../optimizer/curvatureView';
import { withTape } from '../tape/record';

/** A model, or a function from inputs to outputs; the leading dimension of both is the examples. */
export type Network = tf.LayersModel | ((inputs: tf.Tensor) => tf.Tensor);

/** The derivatives of all outputs by all weights. */
export interface Jacobian {
  /** N. */
  examples: number;
  /** C, how many outputs an example has. */
  outputs: number;
  /** Of shape [N, C]: the outputs themselves. */
  values: Float32Array;
  /** N C rows, in the order of `values`: the gradient of that output, by variable name. */
  rows: NamedVectors[];
}

/**
 * The Jacobian of a network's outputs in its weights, by one reverse walk over the tape per output of every example. It takes N C p floats
 * for p weights. A model is applied as in prediction (dropout does nothing).
 *
 * @param variables default: all trainable variables that the outputs depend on
 * @throws NatgradError ERR_NATGRAD_ARGUMENT if the outputs depend on no variable, ERR_NATGRAD_BACKEND if a gradient cannot be computed
 */
export function jacobian(network: Network, inputs: tf.Tensor, variables?: tf.Variable[]): Jacobian {
  return withOutputs(network, inputs, variables, (outputs, backward, among) => {
    const examples = outputs.shape[0] ?? 1;
    const values = host().read(outputs).slice();
    const rows = Array.from(values, (_, at) => {
      const cotangent = new Float32Array(values.length);
      cotangent[at] = 1;
      return backward(cotangent, among);
    });
    return { examples, outputs: values.length / examples, values, rows };
  });
}

/** Sends one cotangent of the outputs back to the variables: J'u, with zeros where nothing arrives. */
export type BackwardWalk = (cotangent: ArrayLike<number>, variables: readonly tf.Variable[]) => NamedVectors;

/** Runs the network once and hands its outputs and walks over its tape to `use`. */
export function withOutputs<T>(
  network: Network,
  inputs: tf.Tensor,
  variables: tf.Variable[] | undefined,
  use: (outputs: tf.Tensor, backward: BackwardWalk, variables: tf.Variable[]) => T,
): T {
  let outputs: tf.Tensor | undefined;
  const sum = (): tf.Scalar => {
    outputs = apply(network, inputs);
    return tf.sum(outputs);
  };
  return withTape(sum, variables ?? variablesOf(network), ({ layers, backward }) => {
    const walk: BackwardWalk = (cotangent, targets) => {
      const found: NamedVectors = {};
      // A tidy looks for tensors in whatever it returns, element by element, so nothing is returned.
      tf.tidy(() => {
        const seed = host().create(outputs!.shape, (values) => values.set(cotangent));
        const gradients = backward(new Map([[outputs!.id, seed]]), targets);
        for (const { id, name, size } of targets) {
          const gradient = gradients.get(id);
          found[name] = gradient ? host().read(gradient).slice() : new Float32Array(size);
        }
      });
      return found;
    };
    return use(
      outputs!,
      walk,
      layers.flatMap((layer) => layer.variables),
    );
  });
}

function variablesOf(network: Network): tf.Variable[] | undefined {
  if (typeof network === 'function') return undefined;
  return network.trainableWeights.map((weight) => (weight as unknown as { val: tf.Variable }).val);
}

function apply(network: Network, inputs: tf.Tensor): tf.Tensor {
  const outputs = typeof network === 'function' ? network(inputs) : network.apply(inputs);
  if (outputs instanceof tf.Tensor) return outputs;
  throw new NatgradError(
    'ERR_NATGRAD_TYPE',
    `The network gave ${Array.isArray(outputs) ? `${outputs.length} outputs` : typeof outputs}; give one with a single output tensor.`,
  );
}
