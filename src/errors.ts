/** The machine-readable reason of a {@link NatgradError}. */
export type ErrorCode =
  | 'ERR_NATGRAD_ARGUMENT' // a value outside what the argument accepts
  | 'ERR_NATGRAD_TYPE' // wrong JavaScript type or dtype
  | 'ERR_NATGRAD_SHAPE' // lengths or dimensions that do not fit together
  | 'ERR_NATGRAD_BUFFER' // detached, shared, resizable or overlapping memory
  | 'ERR_NATGRAD_NOT_FINITE' // NaN or infinity where a number is needed
  | 'ERR_NATGRAD_NOT_POSITIVE_DEFINITE'
  | 'ERR_NATGRAD_NOT_CONVERGED'
  | 'ERR_NATGRAD_NO_MEMORY'
  | 'ERR_NATGRAD_ADDON' // the native addon cannot be loaded
  | 'ERR_NATGRAD_NO_CUDA'
  | 'ERR_NATGRAD_BACKEND' // the tfjs backend cannot do what is asked
  | 'ERR_NATGRAD_LIKELIHOOD' // no predictive distribution was found or it does not fit
  | 'ERR_NATGRAD_UNSUPPORTED_LAYER' // only with `strict: true`
  | 'ERR_NATGRAD_STATE'; // called at the wrong moment: disposed, not built, second model

/**
 * Every error this package throws on purpose. `code` is stable; the message names the argument, what it was and what to
 * do about it.
 */
export class NatgradError extends Error {
  override readonly name = 'NatgradError';

  constructor(
    readonly code: ErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
