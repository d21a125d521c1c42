/**
 * One update of the second moment F = R' D R + rho I that Kaldi keeps of the rows X of its batches (see `onlineLowRank.ts`), in the small
 * matrices of the rank: D. Povey, X. Zhang and S. Khudanpur, 2015, appendix B. With W = E^1/2 R,
 *
 *     S = eta/N X'X + (1 - eta) F,    Y = R S,    Z = Y Y' = U C U'    K = W X'X X'X W',    L = W X'X W'
 *
 * and the next F has sqrt(c_i) - rho' in D', U' Y for its directions, and the rho' that keeps the trace of S.
 */
import type { FloatArray } from '../../linalg/jobs';

/** F, of `size` rows and columns, and how it is smoothed and floored. */
export interface LowRankFisher {
  size: number;
  /** D, largest first. */
  eigenvalues: Float64Array;
  rho: number;
  alpha: number;
  epsilon: number;
  delta: number;
}

/** Rows X of a batch, as far as the update looks at them. */
export interface BatchOfRows {
  /** tr X'X */
  trace: number;
  /** N: how many rows count. */
  count: number;
  /** The share of the batch in the average. */
  eta: number;
}

/** The next F, and W' = ofJ J + ofW W with J = W X'X. */
export interface LowRankUpdate {
  ofJ: Float64Array;
  ofW: Float64Array;
  eigenvalues: Float64Array;
  rho: number;
  shares: Float64Array;
  /** Whether Z was so ill-conditioned, or so much was floored, that R may not be orthonormal. */
  doubtful: boolean;
}

/** Condition of Z above which R is orthonormalised again. */
const largestCondition = 1e6;

/** e_i = 1 / (beta / d_i + 1),    beta = rho (1 + alpha) + alpha tr D / size */
export function sharesOf({
  size,
  eigenvalues,
  rho,
  alpha,
}: Pick<LowRankFisher, 'size' | 'eigenvalues' | 'rho' | 'alpha'>): Float64Array {
  const beta = rho * (1 + alpha) + (alpha * sum(eigenvalues)) / size;
  return eigenvalues.map((value) => 1 / (beta / value + 1));
}

/**
 * Fills Z from K and L:
 *
 *     (eta/N)^2 E^-1/2 K E^-1/2 + (eta/N) (1 - eta) [E^-1/2 L E^-1/2 (D + rho) + (D + rho) E^-1/2 L E^-1/2] + (1 - eta)^2 (D + rho)^2
 */
export function fillSecondMoment(
  Z: Float64Array,
  K: FloatArray,
  L: FloatArray,
  fisher: LowRankFisher,
  { count, eta }: BatchOfRows,
): void {
  const { eigenvalues: d, rho } = fisher;
  const rank = d.length;
  const share = eta / count;
  const shares = sharesOf(fisher);
  for (let i = 0; i < rank; i++) {
    for (let j = 0; j < rank; j++) {
      const at = i * rank + j;
      const root = Math.sqrt(shares[i] * shares[j]);
      const symmetric = (L[at] + L[j * rank + i]) / 2;
      Z[at] = (share ** 2 * K[at] + share * (1 - eta) * symmetric * (d[i] + d[j] + 2 * rho)) / root;
    }
    Z[i * (rank + 1)] += ((1 - eta) * (d[i] + rho)) ** 2;
  }
}

/** What follows from the eigenvalues (ascending) and eigenvectors (columns) of Z. */
export function planUpdate(
  values: Float64Array,
  vectors: Float64Array,
  fisher: LowRankFisher,
  { trace, count, eta }: BatchOfRows,
): LowRankUpdate {
  const { size, rho, epsilon, delta } = fisher;
  const rank = values.length;
  const share = eta / count;
  const shares = sharesOf(fisher);
  const floor = (rho * (1 - eta)) ** 2;
  const order = Array.from({ length: rank }, (_, i) => rank - 1 - i);
  const roots = Float64Array.from(order, (i) => Math.sqrt(Math.max(values[i], floor)));
  let doubtful =
    order.some((i) => values[i] < floor) || roots[0] ** 2 > largestCondition * roots[rank - 1] ** 2;

  const total = share * trace + (1 - eta) * (size * rho + sum(fisher.eigenvalues));
  const least = Math.max(epsilon, delta * roots[0]);
  let nextRho = (total - sum(roots)) / (size - rank);
  if (nextRho < least) [nextRho, doubtful] = [least, true];
  const eigenvalues = roots.map((root) => root - nextRho);
  eigenvalues.forEach((value, i) => {
    if (value < least) [eigenvalues[i], doubtful] = [least, true];
  });

  // W' = A (J + (1 - eta) / (eta/N) (D + rho) W),  A = eta/N E'^1/2 C^-1/2 U' E^-1/2
  const nextShares = sharesOf({ ...fisher, eigenvalues, rho: nextRho });
  const ofJ = new Float64Array(rank * rank);
  const ofW = new Float64Array(rank * rank);
  for (let i = 0; i < rank; i++) {
    for (let j = 0; j < rank; j++) {
      const u = vectors[j * rank + order[i]];
      const value = (Math.sqrt(nextShares[i]) / roots[i]) * (u / Math.sqrt(shares[j]));
      ofJ[i * rank + j] = share * value;
      ofW[i * rank + j] = (1 - eta) * (fisher.eigenvalues[j] + rho) * value;
    }
  }
  return { ofJ, ofW, eigenvalues, rho: nextRho, shares: nextShares, doubtful };
}

function sum(values: Float64Array): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
