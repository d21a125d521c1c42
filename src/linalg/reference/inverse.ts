import type { DiagonalInverseJob, InverseJob, Report } from '../jobs';
import { choleskyInverse } from './cholesky';
import { dampingOf, sum } from './damping';
import { allFinite, distanceToIdentity, frobeniusNorm, multiply } from './dense';
import { climb } from './ladder';
import { failure, report, worstOf } from './report';

export function inverse(job: InverseJob): Report {
  const { matrix, out, size, count = 1 } = job;
  // Matrices without elements are all alike, and nothing else limits their number.
  const length = size === 0 ? Math.min(count, 1) : count;
  const reports = Array.from({ length }, (_, i) => {
    const [begin, end] = [i * size * size, (i + 1) * size * size];
    return inverseOfOne({ ...job, matrix: matrix.subarray(begin, end), out: out.subarray(begin, end) });
  });
  return worstOf(reports);
}

/** `(M + damping I)^-1` by Cholesky. `1 / |M^-1|_F` bounds the smallest eigenvalue from below. */
function inverseOfOne(job: InverseJob): Report {
  return climb(job, 1, (matrix, size) => {
    const result = choleskyInverse(matrix, size);
    if (!result) return null;
    const residual = distanceToIdentity(multiply(matrix, result, size, size, size), size) / Math.sqrt(size);
    return { result, residual, minEigenvalue: 1 / frobeniusNorm(result) };
  });
}

export function diagonalInverse(job: DiagonalInverseJob): Report {
  const { diagonal, out } = job;
  if (!allFinite(diagonal)) return failure('notFinite');
  const damping = dampingOf(job, sum(diagonal), diagonal.length);
  let smallest = Infinity;
  for (const value of diagonal) smallest = Math.min(smallest, value + damping);
  if (!(smallest > 0)) return failure('notPositiveDefinite', { damping, minEigenvalue: smallest });
  for (let i = 0; i < diagonal.length; i++) out[i] = 1 / (diagonal[i] + damping);
  return report({ damping, minEigenvalue: diagonal.length === 0 ? NaN : smallest });
}
