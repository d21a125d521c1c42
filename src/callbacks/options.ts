import type { OptionCheck } from '../curvature/structure';
import { NatgradError } from '../errors';

/**
 * Checks the options of a callback, each that is given by its own check.
 *
 * @throws NatgradError ERR_NATGRAD_TYPE if they are no object, ERR_NATGRAD_ARGUMENT for an unknown option; what the checks throw
 */
export function requireOptions<T extends object>(
  callback: string,
  config: T,
  checks: Record<keyof T, OptionCheck>,
): void {
  if (typeof config !== 'object' || config === null) {
    throw new NatgradError(
      'ERR_NATGRAD_TYPE',
      `${callback} takes an object of options, not ${String(config)}; use ${Object.keys(checks).join(', ')}.`,
    );
  }
  for (const [key, value] of Object.entries(config)) {
    if (!Object.hasOwn(checks, key)) {
      throw new NatgradError(
        'ERR_NATGRAD_ARGUMENT',
        `'${key}' is no option of ${callback}; use ${Object.keys(checks).join(', ')}.`,
      );
    }
    if (value !== undefined) checks[key as keyof T](value, `${callback}.${key}`);
  }
}

/** An option that takes a string with something in it. */
export const text: OptionCheck = (value, name) => {
  if (typeof value === 'string' && value !== '') return;
  throw new NatgradError(
    'ERR_NATGRAD_TYPE',
    `${name} is ${value === '' ? 'an empty string' : String(value)}; give a string.`,
  );
};
