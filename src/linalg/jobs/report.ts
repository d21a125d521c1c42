/** From good to bad: the report of a stack has the last one of those of its matrices. */
export type Status =
  'ok' | 'notConverged' | 'notPositiveDefinite' | 'notFinite' | 'outOfMemory' | 'deviceLost';

/**
 * What became of one job. With any status but `ok` (and `notConverged`, whose result is the best iterate), outputs are unchanged;
 * those of a stack, where a matrix has failed.
 */
export interface Report {
  status: Status;
  /** Normalised residual of an iteration or factorisation, `|I - XM| / sqrt(size)` or its proxy; 0 where there is none. */
  residual: number;
  iterations: number;
  converged: boolean;
  /** Lower bound or estimate of the smallest eigenvalue of the damped matrix; NaN where it is not computed. */
  minEigenvalue: number;
  /** The damping that was really added, after pi and after the ladder of retries. */
  damping: number;
  /** How many rungs of the ladder (float64, more damping, clipped eigenvalues) were needed; 0 if the first attempt held. */
  retries: number;
  /** Only for `kronecker`, `scale`, `elementwise` and `dot`: the inner product that their descriptions name. */
  dot: number;
}
