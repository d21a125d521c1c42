import type * as tf from '@tensorflow/tfjs';

import { GaussNewton } from '../fisher/gaussNewton';
import { likelihoodHeads } from '../fisher/heads';
import type { FisherSettings } from '../fisher/options';
import type { Host } from '../host/host';
import type { QuadraticModel } from '../step/quadraticModel';
import { withTape } from '../tape/record';
import { withoutSideEffects } from '../tape/withoutSideEffects';

/**
 * The exact Fisher matrix F of a batch on the plane of two directions D and v: D'F D, D'F v and v'F v, from one more forward pass and a
 * forward walk over its tape per direction.
 *
 * @param f the loss of the batch; called once more
 * @param proposal D, one array per variable
 * @param previous v, one array per variable
 * @returns null if no predictive distribution is recognised in the loss
 */
export function fisherOnPlane(
  f: () => tf.Scalar,
  variables: tf.Variable[],
  settings: FisherSettings,
  host: Host,
  proposal: readonly Float32Array[],
  previous: readonly Float32Array[],
): QuadraticModel['curvature'] | null {
  const measure = () =>
    withTape(f, variables, (recording) => {
      const heads = likelihoodHeads(recording, settings);
      if (heads.length === 0) return null;
      const fisher = new GaussNewton(recording, heads, variables, host);
      const jd = fisher.outputs(proposal);
      if (previous.every(isZero)) return { proposal: fisher.inner(jd, jd), mixed: 0, previous: 0 };
      const jv = fisher.outputs(previous);
      return {
        proposal: fisher.inner(jd, jd),
        mixed: fisher.inner(jd, jv),
        previous: fisher.inner(jv, jv),
      };
    });
  return withoutSideEffects(measure);
}

const isZero = (values: Float32Array) => values.every((value) => value === 0);
