import type * as tf from '@tensorflow/tfjs';

import type { Graph } from './graph';
import type { Layer } from './types';

const kernels = new Set(['dense', 'conv2d', 'depthwiseConv2d', 'conv2dTranspose', 'embedding']);

/**
 * Fills in the `feeders` of layers with a kernel: in one walk along the tape, what each tensor was computed from since the last
 * kernels that it passed.
 */
export function linkLayers(layers: readonly Layer[], graph: Graph): void {
  const madeBy = new Map<number, Layer>();
  for (const layer of layers) {
    if (kernels.has(layer.kind)) for (const { output } of layer.uses) madeBy.set(output.id, layer);
  }
  const sources = new Map<number, ReadonlySet<Layer>>();
  for (const node of graph.nodes) {
    const found = union(Object.values(node.inputs), sources);
    for (const { id } of node.outputs) {
      const layer = madeBy.get(id);
      if (layer) {
        layer.feeders = [...new Set([...(layer.feeders ?? []), ...found])];
        sources.set(id, new Set([layer]));
      } else if (found.size > 0) {
        sources.set(id, found);
      }
    }
  }
}

function union(tensors: tf.Tensor[], sources: ReadonlyMap<number, ReadonlySet<Layer>>): ReadonlySet<Layer> {
  const sets = tensors.flatMap(({ id }) => sources.get(id) ?? []);
  return sets.length === 1 ? sets[0] : new Set(sets.flatMap((set) => [...set]));
}
