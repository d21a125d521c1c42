/** Checks that options of structures have in common. */
import { NatgradError } from '../errors';
import type { OptionCheck } from './structure';

/** An option that takes one of a few values. */
export function oneOf(...allowed: unknown[]): OptionCheck {
  return (value, name) => {
    if (allowed.includes(value)) return;
    const choices = allowed.map((choice) => (typeof choice === 'string' ? `'${choice}'` : String(choice)));
    throw new NatgradError(
      'ERR_NATGRAD_ARGUMENT',
      `${name} is ${typeof value === 'string' ? `'${value}'` : String(value)}; use ${choices.join(' or ')}.`,
    );
  };
}

/** An option that takes a positive integer. */
export const count: OptionCheck = (value, name) => {
  if (Number.isSafeInteger(value) && (value as number) > 0) return;
  throw new NatgradError('ERR_NATGRAD_ARGUMENT', `${name} is ${String(value)}; give a positive integer.`);
};

/** An option that takes a number in [least, below). */
export function numberFrom(least: number, below = Infinity): OptionCheck {
  return (value, name) => {
    if (typeof value === 'number' && value >= least && value < below) return;
    const range = below === Infinity ? `of at least ${least}` : `from ${least} up to, but not, ${below}`;
    throw new NatgradError('ERR_NATGRAD_ARGUMENT', `${name} is ${String(value)}; give a number ${range}.`);
  };
}

/** An option that takes a number above 0. */
export const positive: OptionCheck = (value, name) => {
  if (typeof value === 'number' && value > 0 && value < Infinity) return;
  throw new NatgradError('ERR_NATGRAD_ARGUMENT', `${name} is ${String(value)}; give a number above 0.`);
};
