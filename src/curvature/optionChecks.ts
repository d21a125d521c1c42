/** Checks that options of structures have in common. */
import { NatgradError, shown } from '../errors';
import type { OptionCheck } from './structure';

/** An option that takes one of a few values. */
export function oneOf(...allowed: unknown[]): OptionCheck {
  return (value, name) => {
    if (allowed.includes(value)) return;
    const choices = allowed.map(shown).join(' or ');
    throw new NatgradError('ERR_NATGRAD_ARGUMENT', `${name} is ${shown(value)}; use ${choices}.`);
  };
}

/** An option that takes a positive integer. */
export const count: OptionCheck = (value, name) => {
  if (Number.isSafeInteger(value) && (value as number) > 0) return;
  throw new NatgradError('ERR_NATGRAD_ARGUMENT', `${name} is ${shown(value)}; give a positive integer.`);
};

/** An option that takes a number in [least, below). */
export function numberFrom(least: number, below = Infinity): OptionCheck {
  return (value, name) => {
    if (typeof value === 'number' && value >= least && value < below) return;
    const range = below === Infinity ? `of at least ${least}` : `from ${least} up to, but not, ${below}`;
    throw new NatgradError('ERR_NATGRAD_ARGUMENT', `${name} is ${shown(value)}; give a number ${range}.`);
  };
}

/** An option that takes a number above 0. */
export const positive: OptionCheck = (value, name) => {
  if (typeof value === 'number' && value > 0 && value < Infinity) return;
  throw new NatgradError('ERR_NATGRAD_ARGUMENT', `${name} is ${shown(value)}; give a number above 0.`);
};

/** An option that takes `{rank}` with a positive integer, or null. */
export const nystrom: OptionCheck = (value, name) => {
  if (value === null) return;
  if (typeof value !== 'object')
    refuse(`${name} is ${describe(value)}`, 'give {rank: number}, or null for none');
  const { rank, ...others } = value as Record<string, unknown>;
  if (!isCount(rank)) refuse(`${name}.rank is ${describe(rank)}`, 'give a positive integer');
  const [other] = Object.keys(others);
  if (other !== undefined) refuse(`${name}.${other} is no option`, 'its only option is rank');
};

/** A value in a message. */
export const describe = (value: unknown): string =>
  typeof value === 'number' || typeof value === 'string' ? String(value) : `of type ${typeof value}`;

export const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) > 0;

/** @throws NatgradError ERR_NATGRAD_ARGUMENT */
export function refuse(what: string, remedy: string): never {
  throw new NatgradError('ERR_NATGRAD_ARGUMENT', `${what}; ${remedy}.`);
}
