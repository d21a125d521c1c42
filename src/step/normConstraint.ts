import { NatgradError } from '../errors';
import { requirePositive } from './schedule';

/** @throws NatgradError ERR_NATGRAD_ARGUMENT unless the option `normConstraint` is null (off) or a positive number */
export function requireNormConstraint(normConstraint: number | null): number | null {
  return normConstraint === null ? null : requirePositive(normConstraint, 'normConstraint');
}

/**
 * By how much a step is shortened so that its squared length in the geometry of the Fisher matrix is at most `bound` (J. Ba, R. Grosse
 * and J. Martens, "Distributed second-order optimization using Kronecker-factored approximations", ICLR 2017, section 5):
 *
 *     nu = min(1, sqrt(bound / (learningRate^2 gradient'F^-1 gradient)))
 *
 * @param bound null: no constraint, nu = 1
 * @param learningRate of this step
 * @param square gradient'F^-1 gradient over all variables
 * @throws NatgradError ERR_NATGRAD_NOT_FINITE if `square` is NaN or infinite
 */
export function normConstraintScale(bound: number | null, learningRate: number, square: number): number {
  if (bound === null) return 1;
  if (!Number.isFinite(square)) {
    throw new NatgradError(
      'ERR_NATGRAD_NOT_FINITE',
      `The inner product of gradient and direction is ${square}; lower the learning rate or raise the damping.`,
    );
  }
  const length = learningRate ** 2 * square;
  return length > bound ? Math.sqrt(bound / length) : 1;
}
