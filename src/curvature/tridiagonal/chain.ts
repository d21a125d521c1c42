/** Layers that follow one another, and the block tri-diagonal structure over them. */
import type { Layer } from '../../tape/types';
import { BlockTridiagonalBlock } from './blockTridiagonal';
import { factoredOptions, whyNotKroneckerFactored } from '../kronecker/factoredLayer';
import { KroneckerFactoredBlock } from '../kronecker/kroneckerFactored';
import { requireMemory, shapeOf, type CommonOptions, type Covered, type Structure } from '../structure';

/**
 * Chains of layers in the order of the forward pass: each layer has the one before it as its only source, which feeds no other, and their
 * rows correspond one to one. A layer that is used several times, transposed, or has only the diagonal of a factor is a chain of its own.
 */
export function findChains(layers: Layer[], common: CommonOptions): Layer[][] {
  const next = new Map<Layer, Layer>();
  for (const layer of layers) {
    const [source, ...others] = layer.feeders ?? [];
    if (!source || others.length > 0 || !layers.includes(source)) continue;
    const feedsOthers = layers.some((other) => other !== layer && other.feeders?.includes(source));
    const fits = canBeLinked(source, common) && canBeLinked(layer, common);
    if (fits && !feedsOthers && source.uses[0].rows === layer.uses[0].rows) next.set(source, layer);
  }
  const linked = new Set(next.values());
  return layers
    .filter((layer) => !linked.has(layer))
    .map((first) => {
      const chain = [first];
      for (let after = next.get(first); after; after = next.get(after)) chain.push(after);
      return chain;
    });
}

function canBeLinked(layer: Layer, common: CommonOptions): boolean {
  if (layer.uses.length !== 1 || layer.uses[0].transposed) return false;
  return !factoredOptions(layer, common).diagonalInput;
}

export const blockTridiagonal: Structure = {
  options: {},
  obstacle: whyNotKroneckerFactored,
  block: (layer, common) => new KroneckerFactoredBlock(factoredOptions(layer, common)),
  cover(layers, common) {
    return findChains(layers, common).map((chain): Covered => {
      if (chain.length === 1) return { layers: chain, block: blockTridiagonal.block(chain[0], common, {}) };
      const shape = shapeOf(...chain);
      const links = chain.map((layer) => factoredOptions(layer, common));
      requireMemory(
        shape,
        'block tri-diagonal',
        memoryOf(
          links.map(({ inputSize, outputSize, bias }) => [inputSize + Number(bias), outputSize]),
          common,
        ),
        common,
        "Use curvature 'kroneckerFactored'",
      );
      const { precision } = common;
      return { layers: chain, block: new BlockTridiagonalBlock({ shape, links, precision }) };
    });
  },
};

/** Bytes that the square matrices of a chain take, about: eight per layer and side. */
function memoryOf(sizes: number[][], { precision }: CommonOptions): number {
  const elements = sizes.flat().reduce((sum, size) => sum + 8 * size * size, 0);
  return elements * (precision === 'float32' ? 4 : 8);
}
