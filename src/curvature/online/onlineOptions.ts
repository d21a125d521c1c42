/** Options of the structure `onlineNaturalGradient`. */
export interface OnlineNaturalGradientOptions {
  /**
   * 'rows': what goes into a layer and what comes back at its outputs is preconditioned, one matrix each (Kaldi). 'axes': the gradient of any
   * variable along each of its axes, as it is (Kaldi's method applied to SGD). Variables that are not the kernel and bias of a layer always
   * have 'axes'. Default 'rows'.
   */
  form?: 'rows' | 'axes';
  /** Largest rank of each matrix, above which it is a multiple of the identity; never more than its size less 1. Default 40. */
  rank?: number;
  /** The matrices are updated with every n-th batch, after the first 10. Default 1. */
  updatePeriod?: number;
  /** Over how many rows the matrices remember; a batch of N counts 1 - exp(-N / history), at most 0.9. Default 2000. */
  numSamplesHistory?: number;
  /** Smoothing with the identity: what damping is to other structures, relative to the mean eigenvalue. Default 4. */
  alpha?: number;
  /** Smallest value of an eigenvalue. Default 1e-10. */
  epsilon?: number;
  /** Smallest ratio of an eigenvalue to the largest. Default 5e-4. */
  delta?: number;
}

export type ResolvedOnlineOptions = Required<Omit<OnlineNaturalGradientOptions, 'form'>>;

export const ONLINE_DEFAULTS: ResolvedOnlineOptions = {
  rank: 40,
  updatePeriod: 1,
  numSamplesHistory: 2000,
  alpha: 4,
  epsilon: 1e-10,
  delta: 5e-4,
};
