/**
 * Option 2 of J. Martens, J. Ba and M. Johnson (2018): T steps of a sequence without end. With K the bases and P the transitions of
 * {@link RecurrentSide},
 *
 *     F^-1 V = (X - P_A' X P_G) / T,   X = K_A [(K_A' (V - P_A V P_G') K_G) * Y] K_G'       Y_ij = 1 / (1 - mu_A,i mu_G,j)
 *     F V = T (S + S* - A_0 V G_0),    S = sum_{d >= 0} P_A^d A_0 V G_0 P_G'^d,   S* = A_0 (sum_d P_A'^d V P_G^d) G_0.
 */
import type { FloatArray, Job } from '../../linalg/jobs';
import type { Phase } from '../phases';
import { combineJob, multiplyJob } from '../shared/elementwiseJobs';
import { kroneckerJob, type Operand } from '../shared/kroneckerJob';
import { product } from '../shared/productJob';
import type { Coupling } from './coupledSteps';
import type { RecurrentSide } from './recurrentSide';

/** Doublings of the number of terms of a geometric series: 2^16 terms. */
const doublings = 16;

export const infiniteCoupling: Coupling = {
  inverseWeight: (x) => 1 - x,

  solvePhases(steps, gradients, directions) {
    const { input, output, weights } = steps;
    const share = 1 / steps.count[0];
    const [shifted, other] = [steps.variables(), steps.variables()];
    const inner = steps.matrix();
    const parts = steps.parts(inner);
    return [
      {
        jobs: [kroneckerJob(input.transition(), output.transition({ transposed: true }), gradients, shifted)],
      },
      { jobs: combined([1, gradients], [-1, shifted], shifted) },
      { jobs: [kroneckerJob(input.basis({ transposed: true }), output.basis(), shifted, parts)] },
      { jobs: [multiplyJob(inner, weights, inner)] },
      { jobs: [kroneckerJob(input.basis(), output.basis({ transposed: true }), parts, shifted)] },
      { jobs: [kroneckerJob(input.transition({ transposed: true }), output.transition(), shifted, other)] },
      { jobs: combined([share, shifted], [-share, other], directions) },
    ];
  },

  /** The sums are doubled in length at each step: S <- S + P^m S, P^m <- P^m P^m. */
  multiplyPhases(steps, vectors, products) {
    const [T] = steps.count;
    const [zero, later, earlier, change, other] = Array.from({ length: 5 }, () => steps.variables());
    const [inputPowers, outputPowers] = [new Powers(steps.input), new Powers(steps.output)];
    const phases: Phase[] = [
      { jobs: [steps.momentJob(vectors, zero), ...combined([1, vectors], [0, vectors], earlier)] },
      { jobs: combined([1, zero], [0, zero], later) },
    ];
    for (let k = 0; k < doublings; k++) {
      const [A, G] = [inputPowers.at(k), outputPowers.at(k)];
      phases.push(
        {
          jobs: [
            kroneckerJob(A, { ...G, transposed: true }, later, change),
            kroneckerJob({ ...A, transposed: true }, G, earlier, other),
          ],
        },
        {
          jobs: [
            ...combined([1, later], [1, change], later),
            ...combined([1, earlier], [1, other], earlier),
            inputPowers.squareJob(k),
            outputPowers.squareJob(k),
          ],
        },
      );
    }
    phases.push(
      { jobs: [steps.momentJob(earlier, change)] },
      { jobs: combined([T, later], [-T, zero], later) },
      { jobs: combined([1, later], [T, change], products) },
    );
    return phases;
  },
};

/** The powers P^(2^k) of a transition: first itself, then its squares, which take turns in two buffers. */
class Powers {
  private readonly buffers: [FloatArray, FloatArray];

  constructor(private readonly side: RecurrentSide) {
    const { transition } = side.installed;
    this.buffers = [transition.slice(), transition.slice()];
  }

  at(k: number): Operand {
    const first = this.side.transition();
    return k === 0 ? first : { ...first, matrix: this.buffers[k % 2] };
  }

  /** The job for the power after the k-th. */
  squareJob(k: number): Job {
    const { size } = this.side;
    const { matrix } = this.at(k);
    return product([size, size, size], matrix, matrix, this.at(k + 1).matrix);
  }
}

type Term = [scale: number, arrays: FloatArray[]];

/** `out = scale left + otherScale right`, array by array. */
function combined([scale, left]: Term, [otherScale, right]: Term, out: FloatArray[]): Job[] {
  return left.map((array, i) =>
    combineJob(
      [
        [scale, array],
        [otherScale, right[i]],
      ],
      out[i],
    ),
  );
}
