import { truncatedTridiagonalStep } from '../curvature/tridiagonal/truncatedTridiagonal';
import type { Kernel } from './functionSpace';

/**
 * K of the truncated block tri-diagonal Fisher matrix, from the layers' tangent kernels in their order: sum_l Theta_l V_l, where V_l solves
 * the system of `truncatedTridiagonalStep` for unit residuals. It is no optimizer, because it is indefinite.
 *
 * @throws NatgradError ERR_NATGRAD_NOT_POSITIVE_DEFINITE if the system is singular, as it is for 2, 5, 8, … layers without damping
 */
export function truncatedTridiagonalKernel(kernels: Kernel[], damping = 0): Kernel {
  const size = kernels[0].size;
  const values = new Float64Array(size * size);
  for (let column = 0; column < size; column++) {
    const unit = Float64Array.from({ length: size }, (_, i) => Number(i === column));
    const steps = truncatedTridiagonalStep(
      kernels.map((kernel) => kernel.values),
      unit,
      damping,
    );
    kernels.forEach((kernel, l) => {
      for (let i = 0; i < size; i++) {
        let sum = 0;
        for (let j = 0; j < size; j++) sum += kernel.values[i * size + j] * steps[l][j];
        values[i * size + column] += sum;
      }
    });
  }
  return { values, size };
}
