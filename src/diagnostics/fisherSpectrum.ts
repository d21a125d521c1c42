import type * as tf from '@tensorflow/tfjs';

import { requireKeys } from '../errors';
import type { FisherOfOptions } from './exactFisher';
import { withFisherProducts } from './fisherProducts';
import { lanczos, type LanczosOptions, type RitzValues } from './lanczos';

/**
 * The spectrum of the exact Fisher matrix of a batch by `lanczos`: one forward and one reverse walk over the tape per step, and no matrix.
 * Products are in float32, so that eigenvalues below 1e-6 of the largest are noise.
 *
 * @throws NatgradError ERR_NATGRAD_LIKELIHOOD if no predictive distribution is recognised in the loss; ERR_NATGRAD_BACKEND if it uses an
 *   operation without a forward derivative; ERR_NATGRAD_ARGUMENT for an unknown option
 */
export function fisherSpectrum(
  loss: () => tf.Scalar,
  options: FisherOfOptions & LanczosOptions = {},
): RitzValues {
  requireKeys(options, ['fisher', 'variables', 'steps', 'seed'], 'options');
  const { fisher, variables, ...drawn } = options;
  return withFisherProducts(loss, { fisher, variables }, ({ matrix, size, split }) => {
    const multiply = (vector: Float64Array): Float64Array => {
      const product = new Float64Array(size);
      let at = 0;
      for (const piece of matrix.multiply(split(vector))) {
        product.set(piece, at);
        at += piece.length;
      }
      return product;
    };
    return lanczos(multiply, size, drawn);
  });
}
