import type { Attributes } from './attributes';
import type { Graph } from './graph';
import type { Head, Layer, TapeNode } from './types';

/**
 * How many terms the loss averages over: the rows of its heads. Heads that are joined along a batch or time axis add up; heads
 * that meet in any other way are several statements about the same examples.
 */
export function countExamples(
  heads: readonly Head[],
  layers: readonly Layer[],
  graph: Graph,
  attributes: Attributes,
): number {
  if (heads.length === 0) return layers.find(({ uses }) => uses.length > 0)?.uses[0].output.shape[0] ?? 1;
  const counts = new Map(heads.map((head) => [head.parameters.id, rowsOf(head)]));
  for (const node of graph.nodes) {
    const joins = joinsExamples(node, attributes);
    let count = 0;
    for (const input in node.inputs) {
      const incoming = counts.get(node.inputs[input].id) ?? 0;
      count = joins ? count + incoming : Math.max(count, incoming);
    }
    if (count === 0) continue;
    for (const { id } of node.outputs) if (!counts.has(id)) counts.set(id, count);
  }
  return counts.get(graph.loss.id) ?? Math.max(...counts.values());
}

/** The last axis holds the parameters of one distribution; a vector of means or of Bernoulli logits is one per row. */
function rowsOf({ parameters: { shape, size }, distribution }: Head): number {
  if (shape.length === 0) return 1;
  if (shape.length === 1 && (distribution === 'gaussian' || distribution === 'bernoulli')) return size;
  return size / shape[shape.length - 1];
}

function joinsExamples(node: TapeNode, attributes: Attributes): boolean {
  if (node.kernelName === 'Pack') return true;
  if (node.kernelName !== 'Concat') return false;
  const axis = attributes.of(node)?.axis;
  const rank = node.outputs[0].shape.length;
  return axis !== rank - 1 && axis !== -1;
}
