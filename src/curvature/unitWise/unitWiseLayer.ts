/** Which form the unit-wise blocks of a layer have. */
import type { Layer } from '../../tape/types';
import type { CurvatureBlock } from '../block';
import { ExactDiagonalBlock } from '../diagonal/exactDiagonal';
import { perRowOptions } from '../kronecker/factoredLayer';
import { FactorStack } from '../shared/factorStack';
import { requireMemory, type CommonOptions } from '../structure';
import { UnitWiseBlock } from './unitWise';
import { UnitWiseDualBlock } from './unitWiseDual';

export interface UnitWiseOptions {
  /**
   * 'primal' keeps one matrix of (inputs + 1)^2 per unit, averaged over all batches; 'dual' one of window^2, of the last `window` rows.
   * Default 'auto': dual where a dense layer has more inputs than `window`. Convolutions are always primal.
   */
  form?: 'auto' | 'primal' | 'dual';
  /** How many rows (examples, times positions, times backward passes) the dual form keeps. Default 256. */
  window?: number;
}

/** @throws NatgradError ERR_NATGRAD_NO_MEMORY where the matrices would not fit */
export function unitWiseBlock(
  layer: Layer,
  common: CommonOptions,
  { form = 'auto', window = 256 }: UnitWiseOptions,
): CurvatureBlock {
  const options = perRowOptions(layer, common);
  // The rows of an embedding are one-hot, so that the block of a unit is diagonal.
  if (layer.kind === 'embedding') return new ExactDiagonalBlock(options);
  const { shape, outputSize, precision } = options;
  const size = options.inputSize + (options.bias ? 1 : 0);
  const dual = layer.kind === 'dense' && (form === 'dual' || (form === 'auto' && size > window));
  if (dual) {
    const bytes = UnitWiseDualBlock.bytes(size, outputSize, window, precision);
    requireMemory(shape, 'unit-wise', bytes, common, 'Give a smaller window');
    return new UnitWiseDualBlock({ ...options, window });
  }
  const bytes = FactorStack.bytes(size, outputSize, precision);
  const alternative =
    layer.kind === 'dense'
      ? "Choose form: 'dual', or 'quasiDiagonal'"
      : "Choose 'quasiDiagonal' or 'kroneckerFactored'";
  requireMemory(shape, 'unit-wise', bytes, common, `${alternative} for it`);
  return new UnitWiseBlock(options);
}
