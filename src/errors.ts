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
  | 'ERR_NATGRAD_NO_CUDA' // no CUDA driver, device or library, or no back end for it
  | 'ERR_NATGRAD_DEVICE' // a device was lost, and what its memory held with it
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

/** A value as messages quote it: '1' is not taken for 1, and what has no short form is called by what it is. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return `'${value}'`;
  if (typeof value === 'function') return 'a function';
  if (typeof value !== 'object' || value === null) return String(value);
  return Array.isArray(value) ? 'an array' : 'an object';
}

/**
 * Checks that `options` is an object without entries that nobody would look at.
 *
 * @param argument what messages call it
 * @throws NatgradError ERR_NATGRAD_TYPE if it is no object, ERR_NATGRAD_ARGUMENT for an unknown entry
 */
export function requireKeys(options: unknown, known: readonly string[], argument: string): void {
  const names = known.join(', ');
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new NatgradError(
      'ERR_NATGRAD_TYPE',
      `${argument} is ${shown(options)}; give an object with ${names}.`,
    );
  }
  const unknown = Object.keys(options).find((key) => !known.includes(key));
  if (unknown === undefined) return;
  throw new NatgradError('ERR_NATGRAD_ARGUMENT', `${argument}.${unknown} is not an option; use ${names}.`);
}
