import type * as tf from '@tensorflow/tfjs';
import type { Kernel } from './kernel';

/**
 * A tensor that holds the same values in the same memory. tfjs's wasm backend copies every tensor that is saved for the backward pass;
 * tensors are immutable and counted, so that sharing is as safe there as it is on its cpu backend, which shares.
 */
export const identity: Kernel<tf.IdentityInputs, object> = ({ inputs: { x }, memory }) => memory.share(x);

/** A cast to the dtype a tensor has already. */
export const cast: Kernel<tf.CastInputs, tf.CastAttrs> = ({ inputs: { x }, attrs: { dtype }, memory }) =>
  x.dtype === dtype ? memory.share(x) : null;
