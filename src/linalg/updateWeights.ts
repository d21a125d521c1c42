import { many, sameCount, sameForm, type OneOrMany } from './batch';
import type { FloatArray, UpdateJob } from './jobs';
import { perform, requireOptions, type CallOptions, type Outcome } from './outcome';

export interface UpdateWeightsOptions extends CallOptions {
  /** What the direction is multiplied with; negative to descend. */
  step: number;
  /** Velocities in the form of `weights`, updated in place; without them there is no momentum. */
  velocity?: OneOrMany;
  /** What the old velocity is multiplied with; default 0. */
  momentum?: number;
  /** What the old weights are multiplied with, for decoupled weight decay; default 1. */
  shrink?: number;
}

/**
 * One pass over the weights, in place: `velocity = momentum velocity + step direction`, then `weights = shrink weights + velocity`.
 *
 * @param weights one array or several, @param directions as many of the same dtype and lengths
 * @returns the weights
 * @throws NatgradError ERR_NATGRAD_SHAPE, ERR_NATGRAD_TYPE, ERR_NATGRAD_BUFFER, ERR_NATGRAD_NOT_FINITE
 *
 * @example
 * updateWeights(weights, direction, {step: -0.05, velocity, momentum: 0.9});
 */
export function updateWeights<M extends OneOrMany, O extends UpdateWeightsOptions>(
  weights: M,
  directions: OneOrMany,
  options: O,
): Outcome<M, O> {
  requireOptions<UpdateWeightsOptions>(options, ['step', 'velocity', 'momentum', 'shrink']);
  const targets = many<OneOrMany>(weights) as FloatArray[];
  const list = many(directions);
  const velocities = options.velocity === undefined ? undefined : many(options.velocity);
  sameCount('weights', targets.length, 'directions', list.length);
  if (velocities) sameCount('weights', targets.length, 'velocity', velocities.length);
  const { step, momentum = 0, shrink = 1 } = options;
  const plans = targets.map((target, i): [[UpdateJob]] => [
    [
      {
        op: 'update',
        weights: target,
        direction: list[i],
        velocity: velocities?.[i],
        momentum,
        step,
        shrink,
      },
    ],
  ]);
  return perform('updateWeights', plans, sameForm<M>(weights, targets), options);
}
