import * as tf from '@tensorflow/tfjs';

import { NatgradError } from '../errors';
import type { Attributes } from './attributes';
import { untaped } from './engine';
import { tangentFailure } from './failure';
import { tangentsOf } from './tangentRules';
import type { TapeNode } from './types';

/**
 * Forward-mode differentiation over a recorded tape: the Jacobian-vector product of any targets with a direction in any tensors,
 *
 *     tangent(output of a node) = sum over its inputs x: (d output / d x) tangent(x)
 *
 * One walk costs about as much as the forward pass (R. Wengert, "A simple automatic derivative evaluation program", 1964; for networks
 * B. Pearlmutter, "Fast exact multiplication by the Hessian", 1994).
 *
 * @param tangents directions by tensor id, in the shapes of the tensors; they stay the caller's
 * @param targets tensors of the tape, which may have a given tangent themselves
 * @returns tangents by tensor id, without the targets that no direction reaches (their tangent is zero); the caller disposes them
 * @throws NatgradError ERR_NATGRAD_BACKEND if a kernel on the way has no rule, naming it, or if its rule cannot be computed
 */
export function forward(
  tape: readonly TapeNode[],
  attributes: Attributes,
  tangents: ReadonlyMap<number, tf.Tensor>,
  targets: Iterable<tf.Tensor>,
): Map<number, tf.Tensor> {
  const ids = [...new Set([...targets].map(({ id }) => id))];
  const path = between(tape, tangents, ids);
  const found: number[] = [];
  const results = untaped(() =>
    tf.tidy(() => {
      const known = new Map(tangents);
      for (const node of path) push(node, attributes, known);
      const given = new Set(tangents.values());
      return ids.flatMap((id) => {
        const tangent = known.get(id);
        if (!tangent) return [];
        found.push(id);
        // Rules may hand on the tensor they were given; every result must be a tensor of its own.
        if (given.has(tangent)) return [tangent.clone()];
        given.add(tangent);
        return [tangent];
      });
    }),
  );
  return new Map(found.map((id, i) => [id, results[i]]));
}

/** The nodes on any path from a tensor with a tangent to a target, first to last. */
function between(
  tape: readonly TapeNode[],
  tangents: ReadonlyMap<number, tf.Tensor>,
  targets: number[],
): TapeNode[] {
  const leading = new Set(targets);
  const candidates: TapeNode[] = [];
  for (let i = tape.length - 1; i >= 0; i--) {
    const node = tape[i];
    if (!node.outputs.some(({ id }) => leading.has(id))) continue;
    candidates.push(node);
    for (const input in node.inputs) if (node.inputs[input]) leading.add(node.inputs[input].id);
  }
  const reached = new Set(tangents.keys());
  return candidates.reverse().filter((node) => {
    for (const input in node.inputs) {
      if (reached.has(node.inputs[input]?.id)) {
        for (const { id } of node.outputs) reached.add(id);
        return true;
      }
    }
    return false;
  });
}

function push(node: TapeNode, attributes: Attributes, known: Map<number, tf.Tensor>): void {
  try {
    const tangents = tangentsOf(node, attributes, (input) => known.get(node.inputs[input]?.id));
    tangents?.forEach((tangent, i) => {
      const { id } = node.outputs[i];
      const given = known.get(id);
      known.set(id, given ? tf.add(given, tangent) : tangent);
    });
  } catch (error) {
    throw error instanceof NatgradError ? error : tangentFailure(node, error);
  }
}
