import * as tf from '@tensorflow/tfjs';

import { NatgradError } from '../errors';
import type { Attributes } from './attributes';
import { untaped } from './engine';
import { gradientFailure } from './failure';
import type { TapeNode } from './types';

/** Computes the gradient of one input of a node from the gradient of its outputs. */
type Rule = (input: string) => tf.Tensor;

/**
 * Reverse-mode differentiation over a recorded tape, from any number of seeded tensors to any targets:
 *
 *     gradient(x) = seed(x) + sum over uses of x: J'(gradient of the use's outputs)
 *
 * tfjs itself differentiates one result at a time, and for its fused products it computes the gradient of every input even
 * where one is wanted.
 *
 * @param seeds cotangents by tensor id, in the shapes of the tensors; they stay the caller's
 * @param targets tensors of the tape, which may be seeded themselves
 * @returns gradients by tensor id, without the targets that no seed depends on; the caller disposes them
 * @throws NatgradError ERR_NATGRAD_BACKEND if the gradient of a kernel cannot be computed
 */
export function backward(
  tape: readonly TapeNode[],
  attributes: Attributes,
  seeds: ReadonlyMap<number, tf.Tensor>,
  targets: Iterable<tf.Tensor>,
): Map<number, tf.Tensor> {
  const ids = [...new Set([...targets].map(({ id }) => id))];
  const { path, below } = between(tape, ids, seeds);
  const found: number[] = [];
  const results = untaped(() =>
    tf.tidy(() => {
      const gradients = new Map(seeds);
      for (const node of path) propagate(node, attributes, below, gradients);
      const given = new Set(seeds.values());
      return ids.flatMap((id) => {
        const gradient = gradients.get(id);
        if (!gradient) return [];
        found.push(id);
        // Rules may hand on the tensor they were given; every result must be a tensor of its own.
        if (given.has(gradient)) return [gradient.clone()];
        given.add(gradient);
        return [gradient];
      });
    }),
  );
  return new Map(found.map((id, i) => [id, results[i]]));
}

/** The nodes on any path from a target to a seed, last first, and the tensors that depend on a target. */
function between(
  tape: readonly TapeNode[],
  targets: number[],
  seeds: ReadonlyMap<number, tf.Tensor>,
): { path: TapeNode[]; below: Set<number> } {
  const below = new Set(targets);
  const candidates = tape.filter((node) => {
    for (const input in node.inputs) {
      if (below.has(node.inputs[input].id)) {
        for (const { id } of node.outputs) below.add(id);
        return true;
      }
    }
    return false;
  });
  const leading = new Set(seeds.keys());
  const path: TapeNode[] = [];
  for (let i = candidates.length - 1; i >= 0; i--) {
    const node = candidates[i];
    if (!node.outputs.some(({ id }) => leading.has(id))) continue;
    path.push(node);
    for (const input in node.inputs) leading.add(node.inputs[input].id);
  }
  return { path, below };
}

function propagate(
  node: TapeNode,
  attributes: Attributes,
  below: ReadonlySet<number>,
  gradients: Map<number, tf.Tensor>,
): void {
  const outputGradients = node.outputs.map(({ id }) => gradients.get(id) ?? null);
  if (outputGradients.every((gradient) => gradient === null)) return;
  try {
    const rule = ruleOf(node, attributes, outputGradients);
    for (const input in node.inputs) {
      const { id } = node.inputs[input];
      if (!below.has(id)) continue;
      const contribution = rule(input);
      const sum = gradients.get(id);
      gradients.set(id, sum ? tf.add(sum, contribution) : contribution);
    }
  } catch (error) {
    throw error instanceof NatgradError ? error : gradientFailure(node, error);
  }
}

/** tfjs's own gradient, but for nodes where less work gives the same. */
function ruleOf(node: TapeNode, attributes: Attributes, dys: (tf.Tensor | null)[]): Rule {
  const own = ownRule(node, attributes, dys[0]);
  if (own) return own;
  if (!node.gradient) throw new Error(`tfjs has no gradient for ${node.kernelName}`);
  const rules = node.gradient(dys as tf.Tensor[]);
  return (input) => rules[input]();
}

function ownRule(node: TapeNode, attributes: Attributes, dy: tf.Tensor | null): Rule | undefined {
  if (!dy) return undefined;
  switch (node.kernelName) {
    case 'Identity':
      return () => dy;
    case 'Add':
      return addition(node, dy);
    case 'Relu':
      return () => tf.mul(dy, tf.step(node.saved![0]));
    case 'fusedMatMul__op':
      return fusedProduct(node, attributes, dy);
    case 'fusedConv2d__op':
      return fusedConvolution(node, attributes, dy);
    default:
      return undefined;
  }
}

function addition(node: TapeNode, dy: tf.Tensor): Rule {
  const rules = node.gradient!([dy]);
  return (input) => (tf.util.arraysEqual(node.inputs[input].shape, dy.shape) ? dy : rules[input]());
}

/** Products and convolutions with a linear activation, by the rules of the kernels they are made of, which are lazy. */
function fusedProduct(node: TapeNode, attributes: Attributes, dy: tf.Tensor): Rule | undefined {
  const how = attributes.of(node);
  if (!how || (how.activation ?? 'linear') !== 'linear') return undefined;
  const [a, b, y] = node.saved!;
  const dy3D = dy.reshape(y.shape);
  return fused(node, dy3D, gradientOf('BatchMatMul')(dy3D, [a, b], how), ['a', 'b']);
}

function fusedConvolution(node: TapeNode, attributes: Attributes, dy: tf.Tensor): Rule | undefined {
  const how = attributes.of(node);
  if (!how || (how.activation ?? 'linear') !== 'linear') return undefined;
  const [filter, x, y] = node.saved!;
  const dy4D = dy.reshape(y.shape);
  return fused(node, dy4D, gradientOf('Conv2D')(dy4D, [x, filter], how), ['x', 'filter']);
}

function fused(node: TapeNode, dy: tf.Tensor, rules: Record<string, () => tf.Tensor>, names: string[]): Rule {
  return (input) => {
    if (input !== '2') return rules[names[Number(input)]]();
    const { shape } = node.inputs[2];
    const axes = tf.backend_util.getReductionAxes(shape, dy.shape);
    return tf.reshape(axes.length > 0 ? tf.sum(dy, axes) : dy, shape);
  };
}

type KernelGradient = (
  dy: tf.Tensor,
  saved: tf.Tensor[],
  attributes: object,
) => Record<string, () => tf.Tensor>;

function gradientOf(kernel: string): KernelGradient {
  return tf.getGradient(kernel).gradFunc as unknown as KernelGradient;
}
