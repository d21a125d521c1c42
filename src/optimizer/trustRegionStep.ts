import type * as tf from '@tensorflow/tfjs';

import { NatgradError } from '../errors';
import { GaussNewton } from '../fisher/gaussNewton';
import { headValues, likelihoodHeads, type LikelihoodHead } from '../fisher/heads';
import type { FisherSettings } from '../fisher/options';
import { divergence } from '../fisher/outputProducts';
import type { Host } from '../host/host';
import {
  backtrack,
  boundaryStep,
  type Measurement,
  type TrustRegionOptions,
  type TrustRegionReport,
} from '../step/trustRegion';
import { withTape } from '../tape/record';
import type { Recording } from '../tape/types';
import { withoutSideEffects } from '../tape/withoutSideEffects';

/** What one step within a trust region did. */
export interface TrustRegionOutcome extends TrustRegionReport {
  /** The loss before the step. */
  loss: number;
  /** Whether loss and gradient were finite; if not, the weights are as they were. */
  finite: boolean;
}

/**
 * One step of `boundaryStep` with `backtrack` on the loss `f`: gradient and products with the exact Fisher matrix come from one tape, and
 * every length that is tried is measured with another evaluation of `f`. Where no length is good the weights stay as they are.
 *
 * The predictions of a network that draws random numbers (dropout) differ between evaluations, which counts as divergence.
 *
 * @param variables what to train; all trainable variables that the loss uses if undefined
 * @throws NatgradError ERR_NATGRAD_LIKELIHOOD if no predictive distribution is recognised in the loss
 */
export function trustRegionStep(
  f: () => tf.Scalar,
  variables: tf.Variable[] | undefined,
  settings: FisherSettings,
  options: Required<TrustRegionOptions>,
  host: Host,
): TrustRegionOutcome {
  const start = withTape(f, variables, (recording) => {
    const trained = recording.layers.flatMap((layer) => layer.variables);
    const loss = host.read(recording.loss)[0];
    const gradient = gradientOf(recording, trained, host);
    const finite = [loss, ...gradient.map((values) => values.reduce((sum, value) => sum + value, 0))];
    if (!finite.every(Number.isFinite)) return { finite: false as const, loss };
    const fisher = new GaussNewton(recording, headsOf(recording, settings), trained, host);
    const { step, solution } = boundaryStep((vector) => fisher.multiply(vector), gradient, options);
    const { values } = fisher;
    return { finite: true as const, loss, trained, step, residual: solution.residual, values };
  });
  if (!start.finite) return { loss: start.loss, finite: false, kl: 0, fraction: 0, residual: NaN };

  const { trained, step, loss } = start;
  const originals = trained.map((variable) => host.read(variable).slice());
  const move = (fraction: number): void =>
    host.update(trained, (weights) => {
      weights.forEach((values, i) => {
        for (let at = 0; at < values.length; at++) values[at] = originals[i][at] + fraction * step[i][at];
      });
    });
  const measure = (fraction: number): Measurement => {
    move(fraction);
    const look = (recording: Recording): Measurement => {
      const after = headValues(recording, headsOf(recording, settings), host);
      const total = start.values.reduce((sum, before, i) => sum + divergence(before, after[i]), 0);
      return { kl: total / recording.examples, loss: host.read(recording.loss)[0] };
    };
    return withoutSideEffects(() => withTape(f, trained, look));
  };
  const accepted = backtrack(measure, loss, options);
  if (accepted.fraction === 0) move(0);
  return { ...accepted, loss, finite: true, residual: start.residual };
}

function gradientOf(recording: Recording, variables: tf.Variable[], host: Host): Float32Array[] {
  const seed = host.create([], (values) => values.fill(1));
  const found = recording.backward(new Map([[recording.loss.id, seed]]), variables);
  return variables.map(({ id, size }) => {
    const gradient = found.get(id);
    return gradient ? host.read(gradient).slice() : new Float32Array(size);
  });
}

function headsOf(recording: Recording, settings: FisherSettings): LikelihoodHead[] {
  const heads = likelihoodHeads(recording, settings);
  if (heads.length > 0) return heads;
  throw new NatgradError(
    'ERR_NATGRAD_LIKELIHOOD',
    'No predictive distribution is recognised in the loss, and a trust region is one of predictions; name the distribution and the ' +
      'output with `fisher: {distribution, output}`, or mark the output with `observe` in the loss.',
  );
}
