/** Which block a layer gets that the chosen structure does not fit: the finest there is for its kind, from exact to the naive diagonal. */
import type { Layer } from '../tape/types';
import type { CurvatureBlock } from './block';
import { ColumnBlocks } from './shared/columnBlocks';
import { DiagonalBlock } from './diagonal/diagonal';
import { ExactBlocks } from './exact/exactBlocks';
import { factoredOptions, whyNotKroneckerFactored } from './kronecker/factoredLayer';
import { KroneckerFactoredBlock } from './kronecker/kroneckerFactored';
import { biasScores, depthwiseScores, scaleShiftScores } from './scores/scoreGroups';
import type { ScoreGroups } from './shared/scores';
import { shapeOf, type CommonOptions } from './structure';

/** A block for some kinds of layers. */
interface Fallback {
  /** Why it does not fit a layer, or an empty string. */
  obstacle(layer: Layer, common: CommonOptions): string;
  /** @param reason why the layer does not have the structure that was chosen, for the summary */
  block(layer: Layer, common: CommonOptions, reason: string): CurvatureBlock;
}

const exact: Fallback = {
  obstacle(layer, { precision, maxFactorSize, memoryLimit }) {
    const groups = scoreGroups(layer);
    if (!groups) return 'it is too large for an exact block';
    const { count, size } = groups;
    if (size > maxFactorSize) {
      return `its ${size} parameters per block are more than maxFactorSize (${maxFactorSize})`;
    }
    const bytes = 3 * count * size ** 2 * (precision === 'float32' ? 4 : 8);
    return bytes > memoryLimit ? `its exact blocks are more than memoryLimit (${memoryLimit} bytes)` : '';
  },
  block(layer, { precision }) {
    const needsActivations = layer.kind !== 'bias';
    return new ExactBlocks({
      shape: shapeOf(layer),
      groups: scoreGroups(layer)!,
      needsActivations,
      precision,
    });
  },
};

/** Undefined for layers whose parameters are a matrix of inputs and outputs. */
function scoreGroups(layer: Layer): ScoreGroups | undefined {
  const paired = layer.variables.length > 1;
  switch (layer.kind) {
    case 'bias':
      return biasScores(layer.outputSize);
    case 'scaleShift':
      return scaleShiftScores(layer.outputSize, paired);
    case 'depthwiseConv2d': {
      const { channels } = layer.uses[0].geometry!;
      return depthwiseScores(layer.inputSize / channels, channels, layer.outputSize / channels, paired);
    }
    default:
      return undefined;
  }
}

const kroneckerFactored: Fallback = {
  obstacle: whyNotKroneckerFactored,
  block: (layer, common, reason) => {
    const options = factoredOptions(layer, common);
    return new KroneckerFactoredBlock({ ...options, reason: options.reason || reason });
  },
};

const columnBlocks: Fallback = {
  obstacle(layer, { maxFactorSize }) {
    const parts = columnsOf(layer);
    if (parts.length === 0) return 'its columns are not used in separate blocks';
    const covered = parts.reduce((end, { begin, size }) => (begin === end ? end + size : NaN), 0);
    if (covered !== layer.outputSize) return 'the blocks in which its columns are used overlap or leave gaps';
    const largest = Math.max(layer.inputSize, ...parts.map(({ size }) => size));
    return largest > maxFactorSize ? `it is larger than maxFactorSize (${maxFactorSize})` : '';
  },
  block(layer, { precision }, reason) {
    const shape = shapeOf(layer);
    const { inputSize } = layer;
    const parts = columnsOf(layer).map(({ begin, size }) => {
      const own = { names: shape.names, shapes: [[inputSize, size]] };
      const block = new KroneckerFactoredBlock({
        shape: own,
        inputSize,
        outputSize: size,
        bias: false,
        precision,
        reason,
      });
      return { begin, size, block };
    });
    return new ColumnBlocks(shape, parts, precision);
  },
};

/** The different blocks of columns in which a kernel is used, from left to right. */
function columnsOf({ kind, uses }: Layer): { begin: number; size: number }[] {
  const blocks = new Map<number, { begin: number; size: number }>();
  for (const { columns } of uses) {
    if (kind !== 'dense' || !columns) return [];
    const known = blocks.get(columns.begin);
    blocks.set(columns.begin, { ...columns, size: Math.max(columns.size, known?.size ?? 0) });
  }
  return [...blocks.values()].sort((one, other) => one.begin - other.begin);
}

/** From fine to coarse. */
const fallbacks: readonly Fallback[] = [exact, kroneckerFactored, columnBlocks];

/**
 * The finest block of a layer whose chosen structure does not fit, or undefined if only the naive diagonal is left.
 *
 * @param reason why it does not fit
 */
export function fallbackBlock(
  layer: Layer,
  common: CommonOptions,
  reason: string,
): CurvatureBlock | undefined {
  const fitting = fallbacks.find((fallback) => fallback.obstacle(layer, common) === '');
  return fitting?.block(layer, common, reason);
}

/** The last resort: the diagonal, from the gradient of the batch alone. */
export function naiveDiagonal(layer: Layer, { precision }: CommonOptions, reason: string): CurvatureBlock {
  return new DiagonalBlock({ shape: shapeOf(layer), precision, reason });
}
