import type * as tf from '@tensorflow/tfjs';

import type { OptimizerStats } from '../optimizer/optimizerStats';
import { learningRateOf } from './learningRate';
import type { Row } from './logFile';

/**
 * What an optimizer tells about its last step, as one row: nested values have names with dots, what there is none of is left out. Of an
 * optimizer that is not natgrad's it is the learning rate, if it has one.
 */
export function statisticsOf(optimizer: tf.Optimizer): Row {
  // Not instanceof: the class would load all of natgrad for callbacks that another optimizer has.
  if ('stats' in optimizer) {
    const statistics = flat((optimizer as { stats(): OptimizerStats }).stats());
    delete statistics.step;
    return statistics;
  }
  try {
    return { learningRate: learningRateOf(optimizer) };
  } catch {
    return {};
  }
}

function flat(values: object, prefix = ''): Row {
  return Object.fromEntries(
    Object.entries(values).flatMap(([key, value]: [string, unknown]) => {
      if (value === null) return [];
      if (typeof value === 'object') return Object.entries(flat(value, `${prefix}${key}.`));
      return typeof value === 'number' || typeof value === 'string' ? [[prefix + key, value]] : [];
    }),
  );
}
