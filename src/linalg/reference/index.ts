import type { FloatArray, Job, Kernels, Pending, Report } from '../jobs';
import { checkPhases } from './check';
import { eigh } from './eigh';
import { combine, dot, elementwise, scale, update } from './elementwise';
import { diagonalFactor, factor } from './factor';
import { diagonalInverse, inverse } from './inverse';
import { inverseRoot } from './inverseRoot';
import { kronecker } from './kronecker';
import { lowRankScores } from './lowRankScores';
import { product } from './product';
import { rationalFactor } from './rationalFactor';
import { scores, unitFactors } from './scores';

/**
 * The same work as the addon's in plain TypeScript, inside in float64: the oracle of the tests, and what is left where no addon can be
 * loaded. `submit` has done its work when it returns.
 */
export const referenceKernels: Kernels = {
  name: 'reference',
  threads: 1,

  run(phases) {
    checkPhases(phases);
    return phases.map((jobs) => jobs.map(perform));
  },

  submit(phases): Pending {
    const reports = referenceKernels.run(phases);
    return { finished: true, wait: () => reports, promise: () => Promise.resolve(reports) };
  },

  firstNonFinite(arrays: FloatArray[]) {
    return arrays.findIndex((array) => array.some((value) => !Number.isFinite(value)));
  },
};

function perform(job: Job): Report {
  switch (job.op) {
    case 'factor':
      return factor(job);
    case 'diagonalFactor':
      return diagonalFactor(job);
    case 'inverse':
      return inverse(job);
    case 'diagonalInverse':
      return diagonalInverse(job);
    case 'inverseRoot':
      return inverseRoot(job);
    case 'eigh':
      return eigh(job);
    case 'kronecker':
      return kronecker(job);
    case 'scale':
      return scale(job);
    case 'update':
      return update(job);
    case 'combine':
      return combine(job);
    case 'product':
      return product(job);
    case 'elementwise':
      return elementwise(job);
    case 'dot':
      return dot(job);
    case 'scores':
      return scores(job);
    case 'lowRankScores':
      return lowRankScores(job);
    case 'unitFactors':
      return unitFactors(job);
    case 'rationalFactor':
      return rationalFactor(job);
  }
}
