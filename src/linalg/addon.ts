import type { FloatArray, Job } from './jobs';

/** Facts about the native addon and the BLAS inside it. */
export interface AddonInfo {
  version: string;
  /** The back end of the core and its linear algebra library, e.g. 'OpenBLAS 0.3.21 ...'. */
  blas: string;
  /** The processor kernels OpenBLAS chose, e.g. 'Zen'. */
  core: string;
  /** The instruction set of our own kernels: 'avx512', 'avx2' or 'baseline'. */
  simd: string;
  threads: number;
  /** Logical processors of this machine. */
  processors: number;
}

/**
 * Reports as the addon returns them: eight numbers a job, over all phases, in the order of {@link reportFields}.
 */
export type PackedReports = Float64Array;

export const reportFields = [
  'status',
  'residual',
  'iterations',
  'converged',
  'minEigenvalue',
  'damping',
  'retries',
  'dot',
] as const;

/** Work on the addon's own thread. */
export interface NativePending {
  readonly finished: boolean;
  wait(): PackedReports;
  promise(): Promise<PackedReports>;
}

/** What natgrad.node exports for the linear algebra. Its errors are plain Errors with a `code` of ours. */
export interface Addon {
  run(phases: Job[][]): PackedReports;
  submit(phases: Job[][]): NativePending;
  firstNonFinite(arrays: FloatArray[]): number;
  getThreads(): number;
  setThreads(threads: number): void;
  info(): AddonInfo;
}
