import type { InverseRootJob, Report } from '../jobs';
import { cholesky, choleskyInverse } from './cholesky';
import { contour } from './contour';
import { distanceToIdentity, multiply, symmetrise } from './dense';
import {
  coupledNewton,
  denmanBeavers,
  eigenvalueInterval,
  newtonSchulz,
  newtonSchulzMinimax,
  type Iterated,
  type Limits,
} from './iterations';
import { climb } from './ladder';
import { spectralFunction, symmetricEigen } from './symmetricEigen';

/**
 * `(M + damping I)^(-1/p)`. `auto` is the eigendecomposition, the most accurate there is; p = 1 is the Cholesky inverse whatever the
 * method, as in the native core.
 */
export function inverseRoot(job: InverseRootJob): Report {
  const { p, method } = job;
  const limits: Limits = {
    tolerance: job.tolerance > 0 ? job.tolerance : job.matrix instanceof Float32Array ? 1e-4 : 1e-10,
    maxIterations: job.maxIterations > 0 ? job.maxIterations : 100,
  };
  return climb(job, p, (matrix, size) => {
    const found = attempt(matrix, size, p, method, limits);
    if (!found) return null;
    // |I - X^p M| / sqrt(size): what the result itself says, whatever computed it.
    let product = matrix;
    for (let i = 0; i < p; i++) product = multiply(found.result, product, size, size, size);
    const residual = distanceToIdentity(product, size) / Math.sqrt(size);
    const minEigenvalue = found.minEigenvalue ?? eigenvalueInterval(matrix, size)?.low ?? NaN;
    const { result, iterations, converged } = found;
    return {
      result,
      iterations,
      converged,
      residual,
      minEigenvalue,
      status: converged ? 'ok' : 'notConverged',
    };
  });
}

type Found = Iterated & { minEigenvalue?: number };

function attempt(
  matrix: Float64Array,
  size: number,
  p: 1 | 2 | 4,
  method: InverseRootJob['method'],
  limits: Limits,
): Found | null {
  if (p === 1) {
    const result = choleskyInverse(matrix, size);
    return result && { result, iterations: 0, converged: true };
  }
  if (method === 'eigen' || method === 'auto') return byEigenvalues(matrix, size, p);
  // The Newton iterations do not notice an indefinite matrix by themselves.
  if (!cholesky(matrix, size)) return null;
  if (method === 'coupledNewton') return coupledNewton(matrix, size, p, limits);

  const iterate = { denmanBeavers, newtonSchulz, newtonSchulzMinimax, contour }[method];
  const first = iterate(matrix, size, limits);
  if (!first || p === 2) return first;
  // M^(-1/4) = (M^(1/2))^(-1/2), and M^(1/2) = M M^(-1/2).
  const root = symmetrise(multiply(matrix, first.result, size, size, size), size);
  const second = iterate(root, size, limits);
  return (
    second && {
      result: second.result,
      iterations: first.iterations + second.iterations,
      converged: first.converged && second.converged,
    }
  );
}

function byEigenvalues(matrix: Float64Array, size: number, p: number): Found | null {
  const eigen = symmetricEigen(matrix, size);
  if (!eigen || !(eigen.values[0] > 0)) return null;
  const result = spectralFunction(eigen, size, (value) => value ** (-1 / p));
  return { result, iterations: 0, converged: true, minEigenvalue: eigen.values[0] };
}
