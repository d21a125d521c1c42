import { NatgradError } from '../../errors';

/** How the time steps at which a kernel is used are taken to depend on each other. */
export const transitions = ['independent', 'symmetric', 'infinite'] as const;

export type Transition = (typeof transitions)[number];

/** @throws NatgradError ERR_NATGRAD_ARGUMENT if it is none */
export function requireTransition(value: unknown, name: string): void {
  if (transitions.includes(value as Transition)) return;
  throw new NatgradError(
    'ERR_NATGRAD_ARGUMENT',
    `${name} is ${String(value)}; use ${transitions.map((transition) => `'${transition}'`).join(' or ')}.`,
  );
}
