import type * as tf from '@tensorflow/tfjs';

import type { Attributes } from './attributes';
import type { Edge, Graph } from './graph';
import { isView } from './graph';
import type { TapeNode } from './types';

/** How a variable looks where a node uses it, after the reshapes, transpositions and splits in between. */
export interface View {
  /** The shape without leading ones, and without what Tile repeats in front of it. */
  shape: number[];
  transposed: boolean;
  /** Only these columns of the variable. */
  columns?: { begin: number; size: number };
  tiled: boolean;
  /** Why the view is none that this package follows. */
  obstacle?: string;
}

/** A node that computes with a variable. */
export interface VariableUse extends Edge {
  view: View;
}

/**
 * Every node that computes with a variable on the way to the loss, in the order of the tape, and whether there are penalties on the
 * variable itself. Those are no uses: they change its gradient but say nothing about the predictive distribution.
 */
export function usesOf(
  variable: tf.Variable,
  graph: Graph,
  attributes: Attributes,
): { uses: VariableUse[]; penalised: boolean } {
  const uses: VariableUse[] = [];
  let penalised = false;
  const follow = (tensor: tf.Tensor, view: View) => {
    for (const edge of graph.consumersOf(tensor)) {
      if (isView(edge.node)) {
        edge.node.outputs.forEach((output, i) => follow(output, viewed(view, edge.node, i, attributes)));
      } else if (isPenalty(edge, graph)) {
        penalised = true;
      } else {
        uses.push({ ...edge, view });
      }
    }
  };
  follow(variable, { shape: withoutLeadingOnes(variable.shape), transposed: false, tiled: false });
  return { uses: uses.sort((one, other) => one.node.id - other.node.id), penalised };
}

/** Whether `shape` ends in the dimensions of `tail`. */
export function endsIn(shape: number[], tail: number[]): boolean {
  const offset = shape.length - tail.length;
  return offset >= 0 && tail.every((size, i) => size === shape[offset + i]);
}

export function withoutLeadingOnes(shape: number[]): number[] {
  const first = shape.findIndex((size) => size !== 1);
  return first < 0 ? [] : shape.slice(first);
}

function viewed(view: View, node: TapeNode, index: number, attributes: Attributes): View {
  if (view.obstacle !== undefined) return view;
  const output = node.outputs[index];
  const shape = withoutLeadingOnes(output.shape);
  const same = shape.length === view.shape.length && endsIn(shape, view.shape);
  switch (node.kernelName) {
    case 'Identity':
    case 'Cast':
      return view;
    case 'Reshape':
    case 'ExpandDims':
      if (same || (!view.transposed && !view.columns && !view.tiled)) return { ...view, shape };
      return view.tiled && endsIn(output.shape, view.shape)
        ? view
        : { ...view, obstacle: 'it is reshaped after other changes' };
    case 'Transpose':
      return transposed(view, shape, node.inputs.x.shape, attributes.of(node)?.perm);
    case 'Tile':
      // Only repetitions in front of the variable's own dimensions keep its gradient a sum over rows.
      if (!endsIn(output.shape, view.shape) || view.transposed || view.columns) {
        return { ...view, obstacle: 'it is repeated along its own axes' };
      }
      return { ...view, tiled: true };
    default:
      return split(view, node, index, attributes.of(node)?.axis);
  }
}

function transposed(view: View, shape: number[], from: number[], perm: unknown): View {
  if (!Array.isArray(perm)) return { ...view, obstacle: 'it is transposed in an unknown way' };
  if (perm.every((axis, i) => axis === i)) return view;
  const rank = perm.length;
  const swapsLastTwo = perm.every((axis, i) => axis === (i < rank - 2 ? i : 2 * rank - 3 - i));
  const isMatrix = from.slice(0, -2).every((size) => size === 1);
  if (!swapsLastTwo || !isMatrix || view.tiled || view.columns) {
    return { ...view, obstacle: `its axes are reordered to ${perm.join(', ')}` };
  }
  return { ...view, shape, transposed: !view.transposed };
}

/** A block of columns of a matrix, as the recurrent kernel of a GRU is split into gates and candidate. */
function split(view: View, node: TapeNode, index: number, axis: unknown): View {
  const rank = node.inputs.x.shape.length;
  if (
    (axis !== rank - 1 && axis !== -1) ||
    view.columns ||
    view.transposed ||
    view.tiled ||
    view.shape.length > 2
  ) {
    return { ...view, obstacle: 'it is split along other axes than its columns' };
  }
  const output = node.outputs[index];
  const widths = node.outputs.map(({ shape }) => shape[rank - 1]);
  const begin = widths.slice(0, index).reduce((sum, width) => sum + width, 0);
  return { ...view, shape: withoutLeadingOnes(output.shape), columns: { begin, size: widths[index] } };
}

/** What penalties are made of before they are summed, besides views. */
const elementwise = new Set(['Abs', 'Square', 'Multiply', 'RealDiv', 'Sub', 'Pow', 'Sqrt', 'Neg', 'Maximum']);
const sums = new Set(['Sum', 'Mean']);
const additions = new Set(['Add', 'AddN', 'Sub']);

/**
 * Whether all that comes of an edge is a number, computed from the variable alone, that is added to the loss: an L1 or L2 penalty,
 * for example. Up to its sum the variable may meet constants only, and after it only what it is added to.
 */
function isPenalty({ node, input }: Edge, graph: Graph, summed = false): boolean {
  const { kernelName, inputs, outputs } = node;
  if (!summed && !elementwise.has(kernelName) && !sums.has(kernelName) && !isView(node)) return false;
  for (const name in inputs) {
    const other = inputs[name];
    const isConstant = other.shape.length === 0 && !graph.dependsOnVariables(other);
    const isAddend = summed && additions.has(kernelName) && other.size === 1;
    if (other.id !== inputs[input].id && !isConstant && !isAddend) return false;
  }
  return outputs.every((output) => {
    const isNumber = output.size === 1 && (summed || sums.has(kernelName));
    if (output.id === graph.loss.id || (summed && !isNumber)) return isNumber;
    return graph.consumersOf(output).every((edge) => isPenalty(edge, graph, isNumber));
  });
}
