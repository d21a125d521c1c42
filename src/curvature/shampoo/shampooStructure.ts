/** Shampoo as a structure that a user can choose: any layer has it, each variable with factors of its own. */
import { count, numberFrom, oneOf } from '../optionChecks';
import { ShampooBlock, type ShampooSettings } from './shampoo';
import { extents, fold } from './shampooPart';
import { requireMemory, shapeOf, type Structure } from '../structure';

export const shampoo: Structure<ShampooSettings> = {
  options: {
    basis: oneOf('root', 'eigen'),
    exponent: oneOf(0.25, 0.5),
    grafting: oneOf('sgd', 'adam', 'rmsprop', 'none'),
    beta2: numberFrom(0, 1),
    epsilon: numberFrom(0),
    startStep: numberFrom(0),
    blockSize: count,
  },
  obstacle: () => '',
  block(layer, common, own) {
    const shape = shapeOf(layer);
    const blockSize = Math.min(own.blockSize ?? 1024, common.maxFactorSize);
    const elements = shape.shapes.reduce((sum, dimensions) => {
      const { rows, columns } = fold(dimensions);
      const squares = extents(rows, columns, blockSize).map((part) => part.rows ** 2 + part.columns ** 2);
      return sum + 3 * squares.reduce((total, square) => total + square, 0);
    }, 0);
    const bytes = elements * (common.precision === 'float32' ? 4 : 8);
    requireMemory(shape, 'Shampoo', bytes, common, 'Lower blockSize');
    return new ShampooBlock({ ...own, shape, precision: common.precision, blockSize });
  },
};
