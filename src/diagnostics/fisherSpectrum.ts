import type * as tf from '@tensorflow/tfjs';

import { GaussNewton } from '../fisher/gaussNewton';
import { host } from '../host/currentHost';
import { withTape } from '../tape/record';
import { headsOf, type FisherOfOptions } from './exactFisher';
import { lanczos, type LanczosOptions, type RitzValues } from './lanczos';

/**
 * The spectrum of the exact Fisher matrix of a batch by `lanczos`: one forward and one reverse walk over the tape per step, and no matrix.
 * Products are in float32, so that eigenvalues below 1e-6 of the largest are noise.
 *
 * @throws NatgradError ERR_NATGRAD_LIKELIHOOD if no predictive distribution is recognised in the loss; ERR_NATGRAD_BACKEND if it uses an
 *   operation without a forward derivative
 */
export function fisherSpectrum(
  loss: () => tf.Scalar,
  { fisher, variables, ...options }: FisherOfOptions & LanczosOptions = {},
): RitzValues {
  return withTape(loss, variables, (recording) => {
    const trained = recording.layers.flatMap((layer) => layer.variables);
    const matrix = new GaussNewton(recording, headsOf(recording, fisher), trained, host());
    const size = trained.reduce((sum, variable) => sum + variable.size, 0);
    const multiply = (vector: Float64Array): Float64Array => {
      let begin = 0;
      const pieces = trained.map((variable) => vector.slice(begin, (begin += variable.size)));
      const product = new Float64Array(size);
      let at = 0;
      for (const piece of matrix.multiply(pieces)) {
        product.set(piece, at);
        at += piece.length;
      }
      return product;
    };
    return lanczos(multiply, size, options);
  });
}
