/**
 * The work a back end does for the rest of the package, as plain data.
 *
 * TypeScript decides what is to be computed and describes it as jobs; the addon (or the reference implementation, which
 * takes the same jobs) computes. Jobs come in phases: the jobs of one phase may run at the same time on several threads and
 * must not write what another of them reads or writes; a phase starts when the one before it is finished.
 *
 * All matrices are row-major. A symmetric matrix is given by its lower triangle; what lies above the diagonal is never read
 * and never written, except in the results of `inverse` and `inverseRoot`, which are full symmetric matrices.
 * All arrays of one job have one dtype, float32 or float64, and the job computes in it.
 */
export type * from './jobs/arrays';
export type * from './jobs/functions';
export type * from './jobs/job';
export type * from './jobs/kernels';
export type * from './jobs/products';
export type * from './jobs/rational';
export type * from './jobs/report';
export type * from './jobs/statistics';
export type * from './jobs/vectors';
