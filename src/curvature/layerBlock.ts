/**
 * Which structure a layer of the tape gets: the finest that is exact about how its variables are used, the diagonal otherwise.
 * Nothing trainable is left out, and every fallback says why.
 */
import { NatgradError } from '../errors';
import { matchesName, type NamePattern } from '../names';
import type { Layer } from '../tape/types';
import type { BlockShape, CurvatureBlock } from './block';
import { DiagonalBlock } from './diagonal';
import type { Precision } from './factor';
import { KroneckerFactoredBlock } from './kroneckerFactored';

/** Structures that can be asked for by name in `blocks`. */
export type BlockStructure = 'kroneckerFactored' | 'diagonal';

/** A user's choice of structure for the variables whose name matches. */
export interface BlockRule {
  /** Which variables the rule is for, by name. */
  match: NamePattern;
  curvature: BlockStructure;
}

export interface LayerBlockOptions {
  rules: BlockRule[];
  precision: Precision;
  /** A factor with more rows than this is kept as its diagonal, because its square would not be worth its memory. */
  maxFactorSize: number;
  /** Throw instead of falling back. */
  strict: boolean;
}

/** The block for one layer of the tape. Throws ERR_NATGRAD_UNSUPPORTED_LAYER where `strict` forbids the fallback that it needs. */
export function layerBlock(layer: Layer, options: LayerBlockOptions): CurvatureBlock {
  const { precision, maxFactorSize, strict } = options;
  const shape: BlockShape = {
    names: layer.variables.map((variable) => variable.name),
    shapes: layer.variables.map((variable) => variable.shape),
  };
  const rule = options.rules.find(({ match }) => shape.names.some((name) => matchesName(match, name)));
  const obstacle = whyNotFactored(layer, maxFactorSize);

  if (rule?.curvature === 'diagonal') return new DiagonalBlock({ shape, precision, reason: 'asked for' });
  if (obstacle) {
    const wanted = rule?.curvature === 'kroneckerFactored' ? ', as `blocks` asks' : '';
    if (strict && layer.kind !== 'bias' && layer.kind !== 'scaleShift') {
      throw new NatgradError(
        'ERR_NATGRAD_UNSUPPORTED_LAYER',
        `'${shape.names.join("', '")}' cannot be Kronecker-factored${wanted}: ${obstacle}. ` +
          'Set `strict: false` to let it have the diagonal of the Fisher matrix.',
      );
    }
    return new DiagonalBlock({ shape, precision, reason: obstacle });
  }

  const inputSize = layer.inputSize;
  const bias = layer.variables.length > 1;
  const oversized = layer.kind !== 'embedding' && inputSize + (bias ? 1 : 0) > maxFactorSize;
  if (oversized && strict) {
    throw new NatgradError(
      'ERR_NATGRAD_UNSUPPORTED_LAYER',
      `'${shape.names[0]}' has ${inputSize} inputs, more than maxFactorSize (${maxFactorSize}). ` +
        'Raise `maxFactorSize`, or set `strict: false` to keep only the diagonal of its input factor.',
    );
  }
  return new KroneckerFactoredBlock({
    shape,
    inputSize,
    outputSize: layer.outputSize,
    bias,
    diagonalInput: layer.kind === 'embedding' || oversized,
    transposed: layer.uses[0].transposed ?? false,
    precision,
    reason: oversized ? `${inputSize} inputs are more than maxFactorSize (${maxFactorSize})` : '',
  });
}

/** The reason why a layer cannot be a Kronecker product of second moments, or an empty string. */
function whyNotFactored(layer: Layer, maxFactorSize: number): string {
  switch (layer.kind) {
    case 'dense':
      if (layer.uses.some((use) => use.columns)) return 'its columns are used in separate blocks';
      if (layer.uses.some((use) => (use.transposed ?? false) !== (layer.uses[0].transposed ?? false))) {
        return 'it is used both as it is and transposed';
      }
      if (layer.uses[0].transposed && layer.variables.length > 1) return 'it is used transposed with a bias';
      break;
    case 'conv2d':
      if (layer.inputSize >= maxFactorSize) {
        return `its patches of ${layer.inputSize} elements are more than maxFactorSize (${maxFactorSize})`;
      }
      break;
    case 'embedding':
      break;
    case 'bias':
      return layer.reason ?? 'a bias of its own';
    case 'scaleShift':
      return 'a scale and shift';
    case 'depthwiseConv2d':
      return 'a depthwise kernel has one small block per channel';
    case 'other':
      return layer.reason ?? 'the way it is used is not recognised';
  }
  if (layer.outputSize > maxFactorSize) {
    return `its ${layer.outputSize} outputs are more than maxFactorSize (${maxFactorSize})`;
  }
  return '';
}
