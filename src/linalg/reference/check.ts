/**
 * What the addon checks in its glue, for the reference: the same conditions in the same order with the same codes and messages, so that
 * a program that is wrong is wrong with both.
 */

import type { Job } from '../jobs';
import { checkOverlaps, type Access } from './accesses';
import { checkDiagonalInverse, checkEigh, checkInverse, checkInverseRoot } from './checkInverses';
import {
  checkCombine,
  checkDot,
  checkElementwise,
  checkKronecker,
  checkProduct,
  checkScale,
  checkUpdate,
} from './checkProducts';
import { checkRationalFactor } from './checkRational';
import {
  checkDiagonalFactor,
  checkFactor,
  checkLowRankScores,
  checkScores,
  checkUnitFactors,
} from './checkStatistics';
import { Fields, list } from './fields';

/** How a kind of job is checked, and which of its arrays decides its dtype. */
const kinds: Record<Job['op'], { decisive: string; check: (job: Fields) => void }> = {
  factor: { decisive: 'factor', check: checkFactor },
  diagonalFactor: { decisive: 'factor', check: checkDiagonalFactor },
  inverse: { decisive: 'matrix', check: checkInverse },
  diagonalInverse: { decisive: 'diagonal', check: checkDiagonalInverse },
  inverseRoot: { decisive: 'matrix', check: checkInverseRoot },
  eigh: { decisive: 'matrix', check: checkEigh },
  kronecker: { decisive: 'left', check: checkKronecker },
  scale: { decisive: 'diagonal', check: checkScale },
  update: { decisive: 'weights', check: checkUpdate },
  combine: { decisive: 'out', check: checkCombine },
  product: { decisive: 'left', check: checkProduct },
  elementwise: { decisive: 'left', check: checkElementwise },
  dot: { decisive: 'left', check: checkDot },
  scores: { decisive: 'out', check: checkScores },
  lowRankScores: { decisive: 'left', check: checkLowRankScores },
  unitFactors: { decisive: 'factors', check: checkUnitFactors },
  rationalFactor: { decisive: 'factors', check: checkRationalFactor },
};

/** @throws NatgradError naming the argument, e.g. `phases[0][2].factor`. */
export function checkPhases(phases: unknown): asserts phases is Job[][] {
  for (const [p, jobs] of list(phases, 'phases').entries()) {
    const accesses: Access[] = [];
    for (const [index, value] of list(jobs, `phases[${p}]`).entries()) {
      const job = new Fields(value, `phases[${p}][${index}]`, { index, accesses });
      const { decisive, check } = kinds[job.choice('op', Object.keys(kinds) as Job['op'][])];
      job.decideType(decisive);
      check(job);
    }
    checkOverlaps(accesses);
  }
}
