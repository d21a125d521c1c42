import type { Damped, FloatArray, Report } from '../jobs';
import { dampingOf } from './damping';
import { lowerIsFinite, storeSymmetric, symmetricFromLower, trace } from './dense';
import { failure, report } from './report';
import { spectralFunction, symmetricEigen } from './symmetricEigen';

/** What an attempt at a matrix function found: the result and facts for the report, or null if the matrix is not positive definite. */
export type Attempt = (
  matrix: Float64Array,
  size: number,
) => (Partial<Report> & { result: Float64Array }) | null;

/**
 * Computes `(matrix + damping I)^(-1/p)` by `attempt`, and by ever more forgiving means where that finds the matrix not positive
 * definite: float64 (which the reference computes in anyway, so that the rung only counts), ten, a hundred, a thousand times the
 * damping, and at last the eigenvalues clipped at zero before the damping is added.
 */
export function climb(
  job: Damped & { matrix: FloatArray; size: number; out: FloatArray },
  p: number,
  attempt: Attempt,
): Report {
  const { matrix, size, out } = job;
  if (!lowerIsFinite(matrix, size)) return failure('notFinite');
  const damping = dampingOf(job, trace(matrix, size), size);
  if (size === 0) return report({ damping });

  const precisionRungs = matrix instanceof Float32Array ? 1 : 0;
  const strengths = damping > 0 ? [1, 10, 100, 1000] : [1];
  for (const [rung, strength] of strengths.entries()) {
    const found = attempt(symmetricFromLower(matrix, size, damping * strength), size);
    if (!found) continue;
    const { result, ...facts } = found;
    storeSymmetric(result, size, out);
    const retries = rung === 0 ? 0 : rung + precisionRungs;
    return report({ damping: damping * strength, retries, ...facts });
  }
  const retries = strengths.length + precisionRungs;
  if (!(damping > 0)) return failure('notPositiveDefinite', { retries: retries - 1 });

  const eigen = symmetricEigen(symmetricFromLower(matrix, size), size);
  if (!eigen) return failure('notPositiveDefinite', { retries, damping });
  storeSymmetric(
    spectralFunction(eigen, size, (value) => (Math.max(value, 0) + damping) ** (-1 / p)),
    size,
    out,
  );
  return report({ damping, retries, minEigenvalue: Math.max(eigen.values[0], 0) + damping });
}
