/** Layers z = a~ W whose Fisher block can be a Kronecker product of second moments: which they are, and what such a block must know. */
import { NatgradError } from '../../errors';
import type { Layer } from '../../tape/types';
import type { Precision } from '../shared/factor';
import type { KroneckerFactoredOptions } from './kroneckerFactored';
import { shapeOf, type CommonOptions } from '../structure';

/**
 * The reason why a layer cannot be a Kronecker product of second moments, or an empty string. Unlike {@link whyNotFactored} it lets
 * transposed convolutions pass, whose output gradients come as images whose patches are the rows (see `gradientRows`).
 */
export function whyNotKroneckerFactored(layer: Layer, common: CommonOptions): string {
  if (layer.kind !== 'conv2dTranspose') return whyNotFactored(layer, common);
  const { outputSize, inputSize } = layer;
  const largest = Math.max(outputSize, inputSize);
  return largest > common.maxFactorSize
    ? `its factor of ${largest} rows is more than maxFactorSize (${common.maxFactorSize})`
    : '';
}

/** The reason why a layer has no inputs a and output gradients g, row by row, whose products are its scores; or an empty string. */
export function whyNotFactored(layer: Layer, { maxFactorSize }: CommonOptions): string {
  const obstacle = whyNotPerRow(layer);
  if (obstacle) return obstacle;
  if (layer.kind === 'conv2d' && layer.inputSize >= maxFactorSize) {
    return `its patches of ${layer.inputSize} elements are more than maxFactorSize (${maxFactorSize})`;
  }
  if (layer.outputSize > maxFactorSize) {
    return `its ${layer.outputSize} outputs are more than maxFactorSize (${maxFactorSize})`;
  }
  return '';
}

/** The reason why the scores of a layer are not sums of products a~ g' of its rows, or an empty string. */
export function whyNotPerRow(layer: Layer): string {
  switch (layer.kind) {
    case 'dense':
      if (layer.uses.some((use) => use.columns)) return 'its columns are used in separate blocks';
      if (layer.uses.some((use) => (use.transposed ?? false) !== (layer.uses[0].transposed ?? false))) {
        return 'it is used both as it is and transposed';
      }
      if (layer.uses[0].transposed && layer.variables.length > 1) return 'it is used transposed with a bias';
      return '';
    case 'conv2d':
    case 'embedding':
      return '';
    case 'bias':
      return layer.reason ?? 'a bias of its own';
    case 'scaleShift':
      return 'a scale and shift';
    case 'depthwiseConv2d':
      return 'a depthwise kernel has one small block per channel';
    case 'conv2dTranspose':
      return 'the patches of a transposed convolution are those of its output';
    case 'rational':
      return 'a rational activation';
    case 'other':
      return layer.reason ?? 'the way it is used is not recognised';
  }
}

/** The sizes of a layer that nothing prevents, for structures without factors. */
export function perRowOptions(
  layer: Layer,
  { precision }: CommonOptions,
): Omit<KroneckerFactoredOptions, 'diagonalInput'> & { precision: Precision } {
  const { inputSize, outputSize, uses, variables } = layer;
  const bias = variables.length > 1;
  const transposed = uses[0].transposed ?? false;
  return { shape: shapeOf(layer), inputSize, outputSize, bias, transposed, precision };
}

/**
 * The sizes of a layer that nothing prevents, with the diagonal of A where it is one-hot or too large.
 *
 * @throws NatgradError ERR_NATGRAD_UNSUPPORTED_LAYER where it is too large and `strict` forbids the diagonal
 */
export function factoredOptions(
  layer: Layer,
  { precision, maxFactorSize, strict }: CommonOptions,
): KroneckerFactoredOptions {
  const { inputSize, outputSize } = layer;
  const bias = layer.variables.length > 1;
  const shape = shapeOf(layer);
  const oversized = layer.kind !== 'embedding' && inputSize + (bias ? 1 : 0) > maxFactorSize;
  if (oversized && strict) {
    throw new NatgradError(
      'ERR_NATGRAD_UNSUPPORTED_LAYER',
      `'${shape.names[0]}' has ${inputSize} inputs, more than maxFactorSize (${maxFactorSize}). ` +
        'Raise `maxFactorSize`, or set `strict: false` to keep only the diagonal of its input factor.',
    );
  }
  return {
    shape,
    inputSize,
    outputSize,
    bias,
    diagonalInput: layer.kind === 'embedding' || oversized,
    transposed: layer.uses[0].transposed ?? false,
    precision,
    reason: oversized ? `${inputSize} inputs are more than maxFactorSize (${maxFactorSize})` : '',
  };
}
