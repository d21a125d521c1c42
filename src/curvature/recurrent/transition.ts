import { NatgradError } from '../../errors';

/** How the time steps at which a kernel is used are taken to depend on each other. */
export type Transition = 'independent' | 'symmetric' | 'infinite';

const transitions: readonly Transition[] = ['independent', 'symmetric', 'infinite'];

/** @throws NatgradError ERR_NATGRAD_ARGUMENT if it is none */
export function requireTransition(value: unknown, name: string): void {
  if (transitions.includes(value as Transition)) return;
  throw new NatgradError(
    'ERR_NATGRAD_ARGUMENT',
    `${name} is ${String(value)}; use ${transitions.map((transition) => `'${transition}'`).join(' or ')}.`,
  );
}
