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
  /** Logical processors that this process may use: of the machine, less what an affinity mask or a container's quota takes away. */
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

/** How a CUDA device computes what is asked of it in float32. */
export type CudaPrecision = 'fp32' | 'tf32' | 'fp64';

/** What is there for the CUDA back end. */
export interface CudaReport {
  /** Why it cannot be used; empty if it can. */
  reason: string;
  /** The newest CUDA that the driver knows, e.g. '12.4'; empty without a driver. */
  driver: string;
  libraries: { name: string; version: string; path: string }[];
  devices: { name: string; computeCapability: string; freeBytes: number; totalBytes: number }[];
}

/** An array's copy on a device. */
export interface NativeKept {
  fetch(): void;
  release(): void;
}

/** An open device. What it holds is freed when nothing refers to it any more. */
export interface NativeDevice {
  /** Null if there is no room. */
  keep(array: FloatArray): NativeKept | null;
  room(): { free: number; total: number };
}

/** What natgrad.node exports for the linear algebra. Its errors are plain Errors with a `code` of ours. */
export interface Addon {
  run(phases: Job[][], device?: NativeDevice): PackedReports;
  submit(phases: Job[][], device?: NativeDevice, soon?: boolean): NativePending;
  firstNonFinite(arrays: FloatArray[]): number;
  getThreads(): number;
  setThreads(threads: number): void;
  info(): AddonInfo;
  /** `plugin` is the path of natgrad-cuda.so. Never throws for what is or is not there. */
  probeCuda(plugin: string): CudaReport;
  openCuda(plugin: string, ordinal: number, precision: CudaPrecision): NativeDevice;
}
