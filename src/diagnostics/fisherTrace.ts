import type * as tf from '@tensorflow/tfjs';

import { requireKeys } from '../errors';
import type { FisherOfOptions } from './exactFisher';
import { withFisherProducts } from './fisherProducts';
import { hutchinson, type HutchinsonOptions, type TraceEstimate } from './hutchinson';

/**
 * The trace of the exact Fisher matrix of a batch by `hutchinson`. With F = (1/N) J'H J and H = B B' in the outputs,
 *
 *     v'F v = |B'J v|^2 / N
 *
 * takes one forward walk over the tape per vector, no reverse walk and no matrix. For the distributions of this package it is the trace of
 * the generalised Gauss-Newton matrix too.
 *
 * @throws NatgradError as `fisherSpectrum`; ERR_NATGRAD_ARGUMENT for fewer than two samples
 */
export function fisherTrace(
  loss: () => tf.Scalar,
  options: FisherOfOptions & HutchinsonOptions = {},
): TraceEstimate {
  requireKeys(options, ['fisher', 'variables', 'samples', 'seed'], 'options');
  const { fisher, variables, ...drawn } = options;
  return withFisherProducts(loss, { fisher, variables }, ({ matrix, size, split }) => {
    const form = (vector: Float64Array): number => {
      const outputs = matrix.outputs(split(vector));
      return matrix.inner(outputs, outputs);
    };
    return hutchinson(form, size, drawn);
  });
}
