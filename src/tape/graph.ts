import type * as tf from '@tensorflow/tfjs';

import type { TapeNode } from './types';

/** One input of one node. */
export interface Edge {
  node: TapeNode;
  input: string;
}

/** Nodes that only show the values of their input in another shape, order or number. */
const views = new Set(['Reshape', 'ExpandDims', 'Identity', 'Cast', 'Transpose', 'Tile', 'SplitV']);

/** Whether a node shows its input in another shape, order or number, without computing anything. */
export function isView(node: TapeNode): boolean {
  return views.has(node.kernelName);
}

/**
 * The part of a tape that leads to the loss, indexed. What does not lead there (metrics, the copies that tfjs saves for the
 * backward pass) is left out, so a tensor's consumers here are those that its gradient comes from.
 */
export class Graph {
  /** In the order of the tape: every node after those that feed it. */
  readonly nodes: readonly TapeNode[];
  private readonly consumers = new Map<number, Edge[]>();
  private readonly producers = new Map<number, TapeNode>();
  private readonly dependents = new Set<number>();
  private readonly parameters = new Set<number>();
  private readonly variables: ReadonlySet<number>;

  constructor(
    readonly tape: readonly TapeNode[],
    readonly loss: tf.Tensor,
    variables: Iterable<tf.Variable>,
  ) {
    this.nodes = leadingTo(tape, loss);
    this.variables = new Set(Array.from(variables, ({ id }) => id));
    for (const id of this.variables) {
      this.dependents.add(id);
      this.parameters.add(id);
    }
    for (const node of this.nodes) this.add(node);
  }

  /** Who uses a tensor. */
  consumersOf(tensor: tf.Tensor): readonly Edge[] {
    return this.consumers.get(tensor.id) ?? [];
  }

  /** The node that made a tensor; undefined for variables, inputs and constants. */
  producerOf(tensor: tf.Tensor): TapeNode | undefined {
    return this.producers.get(tensor.id);
  }

  /** Whether a tensor depends on any of the variables. */
  dependsOnVariables(tensor: tf.Tensor): boolean {
    return this.dependents.has(tensor.id);
  }

  /** Whether a tensor of the tape depends on any of the variables, though it need not lead to the loss. */
  isComputedFromVariables(tensor: tf.Tensor): boolean {
    const dependents = new Set(this.variables);
    for (const { inputs, outputs } of this.tape) {
      const dependent = Object.values(inputs).some(({ id }) => dependents.has(id));
      if (dependent) for (const { id } of outputs) dependents.add(id);
    }
    return dependents.has(tensor.id);
  }

  /** Whether a tensor is a variable, or one in another shape. */
  isParameter(tensor: tf.Tensor): boolean {
    return this.parameters.has(tensor.id);
  }

  private add(node: TapeNode): void {
    let dependent = false;
    let parametric = false;
    for (const input in node.inputs) {
      const { id } = node.inputs[input];
      const edges = this.consumers.get(id);
      if (edges) edges.push({ node, input });
      else this.consumers.set(id, [{ node, input }]);
      dependent ||= this.dependents.has(id);
      parametric ||= this.parameters.has(id);
    }
    for (const { id } of node.outputs) {
      this.producers.set(id, node);
      if (dependent) this.dependents.add(id);
      if (parametric && isView(node)) this.parameters.add(id);
    }
  }
}

function leadingTo(tape: readonly TapeNode[], loss: tf.Tensor): TapeNode[] {
  const live = new Set([loss.id]);
  const nodes: TapeNode[] = [];
  for (let i = tape.length - 1; i >= 0; i--) {
    const node = tape[i];
    if (!node.outputs.some((output) => live.has(output.id))) continue;
    nodes.push(node);
    for (const input in node.inputs) live.add(node.inputs[input].id);
  }
  return nodes.reverse();
}
