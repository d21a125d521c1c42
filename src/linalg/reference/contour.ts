import { choleskyInverse } from './cholesky';
import { affine } from './dense';
import { eigenvalueInterval, type Iterated, type Limits } from './iterations';

/**
 * `M^(-1/2)` as a sum of shifted inverses, by the trapezoidal rule on a contour around the eigenvalues in [l, u] (Hale, Higham &
 * Trefethen 2008, method 3, whose error is exp(-2 pi^2 N / (log(u / l) + 3)) for N terms):
 *
 *   M^(-1/2) ~ sum_j w_j (M + s_j I)^-1,   s_j = l (sn_j / cn_j)^2,   w_j = 2 K' sqrt(l) / (pi N) dn_j / cn_j^2,
 *
 * Jacobi's functions of the modulus k' at (j - 1/2) K' / N with k = sqrt(l / u).
 */
export function contour(matrix: Float64Array, size: number, limits: Limits): Iterated | null {
  const interval = eigenvalueInterval(matrix, size);
  if (!interval) return null;
  const { low, high } = interval;
  const needed = Math.ceil(
    ((Math.log(high / low) + 3) * Math.log(4 / limits.tolerance)) / (2 * Math.PI ** 2),
  );
  const terms = Math.min(needed, limits.maxIterations);
  const { quarterPeriod, at } = ellipticFunctions(Math.sqrt(low / high));
  const step = quarterPeriod / terms;
  const result = new Float64Array(size * size);
  for (let j = 0; j < terms; j++) {
    const { sn, cn, dn } = at((j + 0.5) * step);
    const inverse = choleskyInverse(affine(matrix, size, 1, low * (sn / cn) ** 2), size);
    if (!inverse) return null;
    const weight = (2 * step * Math.sqrt(low) * dn) / (Math.PI * cn ** 2);
    for (let i = 0; i < result.length; i++) result[i] += weight * inverse[i];
  }
  return { result, iterations: terms, converged: terms === needed };
}

/** sn, cn and dn of the modulus k' = sqrt(1 - k^2), given k, by the arithmetic-geometric mean (Abramowitz & Stegun, 16.4). */
function ellipticFunctions(k: number) {
  const means = [{ a: 1, c: Math.sqrt(1 - k * k) }];
  for (let b = k; means[means.length - 1].c > 1e-15 * means[means.length - 1].a;) {
    const { a } = means[means.length - 1];
    means.push({ a: (a + b) / 2, c: (a - b) / 2 });
    b = Math.sqrt(a * b);
  }
  const last = means.length - 1;
  return {
    quarterPeriod: Math.PI / (2 * means[last].a),
    at: (u: number) => {
      let phi = 2 ** last * means[last].a * u;
      for (let i = last; i > 0; i--) phi = (phi + Math.asin((means[i].c * Math.sin(phi)) / means[i].a)) / 2;
      const [sn, cn] = [Math.sin(phi), Math.cos(phi)];
      return { sn, cn, dn: Math.sqrt(k * k + (1 - k * k) * cn * cn) };
    },
  };
}
