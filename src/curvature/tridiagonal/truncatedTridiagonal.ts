/**
 * The block tri-diagonal Fisher matrix of Karakida & Osawa 2020 ("Understanding Approximate Fisher Information for Fast Convergence of
 * Natural Gradient Descent in Wide Neural Networks"): the exact Fisher matrix with all blocks but the three central diagonals set to
 * zero. It is indefinite from three layers on, so it belongs in diagnostics of function space and is no structure to train with; the
 * structure `blockTridiagonal` has a block tri-diagonal inverse instead and is positive definite.
 */
import { NatgradError } from '../../errors';

/**
 * The step of the truncated Fisher matrix in dual form. With the layers' kernels Theta_l = J_l J_l' / N and T the L x L matrix of ones on
 * its three central diagonals, it solves
 *
 *     [(T (x) I) blockdiag(Theta_1, …, Theta_L) + damping I] v = (residual, …, residual)
 *
 * and the step of layer l is J_l' v_l / N.
 *
 * @param kernels Theta_l of every layer, [size, size] row-major and full
 * @param residual f - y at the training points, [size]
 * @param damping rho, default 0
 * @returns v_l of every layer, [size]
 * @throws NatgradError ERR_NATGRAD_SHAPE where lengths do not fit; ERR_NATGRAD_NOT_POSITIVE_DEFINITE where the system is singular, as T is
 *   for 2, 5, 8, … layers: it then needs damping
 */
export function truncatedTridiagonalStep(
  kernels: ArrayLike<number>[],
  residual: ArrayLike<number>,
  damping = 0,
): Float64Array[] {
  const size = residual.length;
  const layers = kernels.length;
  kernels.forEach((kernel, l) => {
    if (kernel.length === size * size) return;
    throw new NatgradError(
      'ERR_NATGRAD_SHAPE',
      `kernels[${l}] has ${kernel.length} elements; give ${size} x ${size}, as residual has ${size}.`,
    );
  });
  if (damping === 0 && layers % 3 === 2) {
    throw new NatgradError(
      'ERR_NATGRAD_NOT_POSITIVE_DEFINITE',
      `The truncated tri-diagonal Fisher matrix of ${layers} layers is singular, as that of 2, 5, 8, … layers is; give a damping that is not 0.`,
    );
  }
  const total = layers * size;
  const system = new Float64Array(total * total);
  for (let l = 0; l < layers; l++) {
    for (let m = Math.max(0, l - 1); m <= Math.min(layers - 1, l + 1); m++) {
      for (let i = 0; i < size; i++) {
        for (let j = 0; j < size; j++) {
          system[(l * size + i) * total + m * size + j] = kernels[m][i * size + j];
        }
      }
    }
  }
  for (let i = 0; i < total; i++) system[i * total + i] += damping;
  const right = Float64Array.from({ length: total }, (_, i) => residual[i % size]);
  if (!eliminate(system, right)) {
    throw new NatgradError(
      'ERR_NATGRAD_NOT_POSITIVE_DEFINITE',
      `The truncated tri-diagonal Fisher matrix is singular with damping ${damping}; give a larger one.`,
    );
  }
  return kernels.map((_, l) => right.slice(l * size, (l + 1) * size));
}

/** Solves `matrix x = right` in place, by elimination with partial pivoting; false if a pivot is lost in rounding. */
function eliminate(matrix: Float64Array, right: Float64Array): boolean {
  const n = right.length;
  const scale = matrix.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  for (let k = 0; k < n; k++) {
    let pivot = k;
    for (let i = k + 1; i < n; i++) {
      if (Math.abs(matrix[i * n + k]) > Math.abs(matrix[pivot * n + k])) pivot = i;
    }
    if (!(Math.abs(matrix[pivot * n + k]) > n * Number.EPSILON * scale)) return false;
    if (pivot !== k) {
      for (let j = k; j < n; j++) {
        [matrix[k * n + j], matrix[pivot * n + j]] = [matrix[pivot * n + j], matrix[k * n + j]];
      }
      [right[k], right[pivot]] = [right[pivot], right[k]];
    }
    for (let i = k + 1; i < n; i++) {
      const factor = matrix[i * n + k] / matrix[k * n + k];
      if (factor === 0) continue;
      for (let j = k; j < n; j++) matrix[i * n + j] -= factor * matrix[k * n + j];
      right[i] -= factor * right[k];
    }
  }
  for (let k = n - 1; k >= 0; k--) {
    for (let j = k + 1; j < n; j++) right[k] -= matrix[k * n + j] * right[j];
    right[k] /= matrix[k * n + k];
  }
  return true;
}
