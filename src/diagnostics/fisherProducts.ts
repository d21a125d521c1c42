import type * as tf from '@tensorflow/tfjs';

import { GaussNewton } from '../fisher/gaussNewton';
import { host } from '../host/currentHost';
import { withTape } from '../tape/record';
import { headsOf, type FisherOfOptions } from './exactFisher';

/** Products with the exact Fisher matrix of a batch, over the elements of all its variables one after the other. */
export interface FisherProducts {
  matrix: GaussNewton;
  /** How many elements the variables have. */
  size: number;
  /** A vector of that size as `matrix` takes it: one array per variable. */
  split: (vector: Float64Array) => Float64Array[];
}

/**
 * Runs the loss once and hands the products with its Fisher matrix to `use`, while they are valid.
 *
 * @throws NatgradError ERR_NATGRAD_LIKELIHOOD if no predictive distribution is recognised in the loss
 */
export function withFisherProducts<T>(
  loss: () => tf.Scalar,
  { fisher, variables }: FisherOfOptions,
  use: (products: FisherProducts) => T,
): T {
  return withTape(loss, variables, (recording) => {
    const trained = recording.layers.flatMap((layer) => layer.variables);
    return use({
      matrix: new GaussNewton(recording, headsOf(recording, fisher), trained, host()),
      size: trained.reduce((sum, variable) => sum + variable.size, 0),
      split(vector) {
        let begin = 0;
        return trained.map((variable) => vector.slice(begin, (begin += variable.size)));
      },
    });
  });
}
