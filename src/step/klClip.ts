import { NatgradError } from '../errors';
import { requirePositive } from './schedule';

/** @throws NatgradError ERR_NATGRAD_ARGUMENT unless the option `klClip` is null (off) or a positive number */
export function requireKlClip(klClip: number | null): number | null {
  return klClip === null ? null : requirePositive(klClip, 'klClip');
}

/**
 * By how much a step is shortened so that the KL divergence it causes stays near `kappa` (J. Ba, R. Grosse and J. Martens,
 * "Distributed second-order optimization using Kronecker-factored approximations", ICLR 2017, who bound the learning rate by
 * sqrt(kappa / Delta' F Delta)).
 *
 *     nu = min(1, sqrt(kappa / sum over blocks of learningRate^2 |<Delta, V>|))
 *
 * with V the gradient of a block and Delta = F^-1 V. Since Delta' F Delta = <Delta, V>, the sum is twice the KL divergence, to
 * second order, of the step -learningRate Delta. All blocks share one nu.
 *
 * @param kappa null: no clipping, nu = 1
 * @param learningRate of this step
 * @param dots <Delta, V> of every block: the `dot` of the reports of `kronecker` and `scale` jobs
 * @throws NatgradError ERR_NATGRAD_NOT_FINITE if a dot is NaN or infinite
 */
export function klClipScale(kappa: number | null, learningRate: number, dots: ArrayLike<number>): number {
  if (kappa === null) return 1;
  let sum = 0;
  for (let i = 0; i < dots.length; i++) {
    if (!Number.isFinite(dots[i])) {
      throw new NatgradError(
        'ERR_NATGRAD_NOT_FINITE',
        `dots[${i}], the inner product of gradient and direction of a block, is ${dots[i]}; lower the learning rate or raise the damping.`,
      );
    }
    sum += learningRate ** 2 * Math.abs(dots[i]);
  }
  return sum > kappa ? Math.sqrt(kappa / sum) : 1;
}
