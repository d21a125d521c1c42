import type { Estimator } from '../fisher/estimator';
import type { Kernels } from '../linalg/jobs';
import type { TrustRegionReport } from '../step/trustRegion';

/** What `stats()` tells. */
export interface OptimizerStats {
  /** Steps taken so far. */
  step: number;
  /** Of the next step; with 'quadraticModel' that of the last one, and NaN within a trust region. */
  learningRate: number;
  /** What the last step multiplied the one before it by. */
  momentum: number;
  damping: number;
  /** What the curvature is inverted with in the next refresh: `damping`, unless there is a `preconditionerDamping`. */
  preconditionerDamping: number;
  /** nu of the KL clip or of the norm constraint in the last step: 1 if it did not act. */
  klClip: number;
  /** Inner product of gradient and direction in the last step: twice the KL divergence of a step of length 1. */
  gradientDotDirection: number;
  /** What computes the curvature: a CUDA device, the addon on the processor, or plain TypeScript. */
  backend: Kernels['name'];
  /** The estimator in use; 'empirical' also where the loss has no recognisable distribution. */
  fisher: Estimator;
  /** Steps since the statistics of the inverses in use; -1 before there are any. */
  refreshAge: number;
  /** Smallest eigenvalue estimate among the damped factors of the last refresh; NaN where none was computed. */
  minEigenvalue: number;
  /** Steps that left the weights as they were because a gradient was not finite. */
  skippedSteps: number;
  /** Steps that were taken back because the loss grew (option `rejectSteps`). */
  rejectedSteps: number;
  /** The last step within a trust region; null without that option and before the first step. */
  trustRegion: TrustRegionReport | null;
  /** Batches that left the factors as they were because an activation or its gradient was not finite. */
  skippedBatches: number;
  /** Matrices that could not be inverted (their previous inverse stayed in use), over all refreshes. */
  refreshFailures: number;
  /** Matrices that needed float64, more damping or clipped eigenvalues to be inverted, over all refreshes. */
  refreshRetries: number;
  /** Wall time of the last step in milliseconds: gradients with statistics, and the update of the weights. */
  milliseconds: { gradients: number; update: number };
}
