/**
 * Option 1 of J. Martens, J. Ba and M. Johnson (2018): A_1 and G_1 symmetrised, T steps. With L the bases of {@link RecurrentSide},
 *
 *     F^-1 V = L_A [(L_A' V L_G) * Y] L_G'          Y_ij = 1 / (T + 2 sum_{k=1}^{T-1} (T - k) x^k), x = psi_A,i psi_G,j
 *     F V = A_0 L_A [(L_A' A_0 V G_0 L_G) / Y] L_G' G_0,    because the inverse of a basis L is L' C0.
 */
import type { Job } from '../../linalg/jobs';
import { multiplyJob } from '../shared/elementwiseJobs';
import { kroneckerJob } from '../shared/kroneckerJob';
import type { Coupling } from './coupledSteps';

export const symmetricCoupling: Coupling = {
  /**
   * T + 2 sum_{k=1}^{T-1} (T - k) x^k = (T (1 - x^2) - 2 x (1 - x^T)) / (1 - x)^2, by Horner's rule: the closed form cancels near x = 1.
   */
  inverseWeight(x, steps) {
    let sum = 0;
    for (let k = steps - 1; k >= 1; k--) sum = x * (sum + 2 * (steps - k));
    return steps + sum;
  },

  solvePhases(steps, gradients, directions) {
    const { input, output, weights } = steps;
    const inner = steps.matrix();
    const parts = steps.parts(inner);
    return [
      { jobs: [kroneckerJob(input.basis({ transposed: true }), output.basis(), gradients, parts)] },
      { jobs: [multiplyJob(inner, weights, inner)] },
      { jobs: [kroneckerJob(input.basis(), output.basis({ transposed: true }), parts, directions)] },
    ];
  },

  multiplyPhases(steps, vectors, products) {
    const { input, output, weights } = steps;
    const outer = steps.variables();
    const inner = steps.matrix();
    const parts = steps.parts(inner);
    const divide: Job = {
      op: 'elementwise',
      how: 'divide',
      left: inner,
      right: weights,
      offset: 0,
      out: inner,
    };
    return [
      { jobs: [steps.momentJob(vectors, outer)] },
      { jobs: [kroneckerJob(input.basis({ transposed: true }), output.basis(), outer, parts)] },
      { jobs: [divide] },
      { jobs: [kroneckerJob(input.basis(), output.basis({ transposed: true }), parts, outer)] },
      { jobs: [steps.momentJob(outer, products)] },
    ];
  },
};
