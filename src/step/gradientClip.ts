import { NatgradError } from '../errors';
import type { FloatArray } from '../linalg/jobs';
import { requirePositive } from './schedule';

export interface GradientClipOptions {
  /** All gradients together are scaled so that their Euclidean norm is at most this. Default null: off. */
  clipNorm?: number | null;
  /** Every element is brought into [-clipValue, clipValue]. Default null: off. */
  clipValue?: number | null;
}

/**
 * Bounds gradients before they are preconditioned. One of two rules, as in Keras's optimizers:
 *
 *     clipNorm:  g <- g min(1, clipNorm / |all g|)   (R. Pascanu, T. Mikolov and Y. Bengio, "On the difficulty of training
 *                recurrent neural networks", 2013)
 *     clipValue: g_i <- max(-clipValue, min(clipValue, g_i))
 */
export class GradientClip {
  private readonly clipNorm: number | null;
  private readonly clipValue: number | null;

  /** @throws NatgradError ERR_NATGRAD_ARGUMENT if both are given or one is not a positive number */
  constructor({ clipNorm = null, clipValue = null }: GradientClipOptions) {
    if (clipNorm !== null && clipValue !== null) {
      throw new NatgradError('ERR_NATGRAD_ARGUMENT', 'clipNorm and clipValue are both given; choose one.');
    }
    this.clipNorm = clipNorm === null ? null : requirePositive(clipNorm, 'clipNorm');
    this.clipValue = clipValue === null ? null : requirePositive(clipValue, 'clipValue');
  }

  /** Whether `apply` can change anything. */
  get active(): boolean {
    return this.clipNorm !== null || this.clipValue !== null;
  }

  /**
   * Writes the clipped gradients to `out`, array for array; `out` may be `gradients`.
   *
   * @throws NatgradError ERR_NATGRAD_NOT_FINITE if `clipNorm` is given and the norm is not finite
   */
  apply(gradients: readonly FloatArray[], out: readonly FloatArray[]): void {
    const factor = this.clipNorm === null ? 1 : scaleToNorm(gradients, this.clipNorm);
    const limit = this.clipValue ?? Infinity;
    gradients.forEach((gradient, at) => {
      const result = out[at];
      for (let i = 0; i < gradient.length; i++) {
        result[i] = Math.max(-limit, Math.min(limit, factor * gradient[i]));
      }
    });
  }
}

/** The Euclidean norm of all elements of all arrays together, accumulated in float64. */
export function globalNorm(arrays: readonly FloatArray[]): number {
  let sum = 0;
  for (const array of arrays) for (let i = 0; i < array.length; i++) sum += array[i] * array[i];
  return Math.sqrt(sum);
}

function scaleToNorm(gradients: readonly FloatArray[], clipNorm: number): number {
  const norm = globalNorm(gradients);
  if (!Number.isFinite(norm)) {
    throw new NatgradError(
      'ERR_NATGRAD_NOT_FINITE',
      `The norm of the gradients is ${norm}, which clipNorm cannot scale; look for NaN or infinity in the loss.`,
    );
  }
  return norm > clipNorm ? clipNorm / norm : 1;
}
