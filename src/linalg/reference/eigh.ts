import type { EighJob, Report } from '../jobs';
import { lowerIsFinite, symmetricFromLower } from './dense';
import { failure, report } from './report';
import { symmetricEigen } from './symmetricEigen';

export function eigh(job: EighJob): Report {
  const { matrix, size, values, vectors } = job;
  if (!lowerIsFinite(matrix, size)) return failure('notFinite');
  const eigen = symmetricEigen(symmetricFromLower(matrix, size), size);
  if (!eigen) return failure('notConverged');
  values.set(eigen.values);
  for (let k = 0; k < size; k++) {
    for (let i = 0; i < size; i++) vectors[i * size + k] = eigen.rows[k * size + i];
  }
  return report({ minEigenvalue: size === 0 ? NaN : eigen.values[0] });
}
