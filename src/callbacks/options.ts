import type { OptionCheck } from '../curvature/structure';
import { NatgradError, requireKeys, shown } from '../errors';

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
  requireKeys(config, Object.keys(checks), callback);
  for (const [key, value] of Object.entries(config)) {
    if (value !== undefined) checks[key as keyof T](value, `${callback}.${key}`);
  }
}

/** An option that takes a string with something in it. */
export const text: OptionCheck = (value, name) => {
  if (typeof value === 'string' && value !== '') return;
  throw new NatgradError(
    'ERR_NATGRAD_TYPE',
    `${name} is ${value === '' ? 'an empty string' : shown(value)}; give a string.`,
  );
};
