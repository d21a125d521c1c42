/** What computes jobs, and what it hands back before it is done. */
import type { FloatArray } from './arrays';
import type { Job } from './job';
import type { Report } from './report';

/** What computes jobs. Both forms run the same code and give the same bits. */
export interface Kernels {
  readonly name: 'cuda' | 'cpu' | 'reference';
  run(phases: Job[][]): Report[][];
  /**
   * Runs the phases on the back end's own thread, after all that was submitted before. The inputs of `factor`, `diagonalFactor`,
   * `unitFactors`, `scores`, `lowRankScores` and `rationalFactor` jobs are copied before this returns; every other buffer must not be touched
   * until `wait` has returned.
   * Work that is needed `soon` has a thread of its own, so that it does not wait behind long work; a buffer that one of the two writes may not be
   * the other's until its end was seen.
   */
  submit(phases: Job[][], options?: { soon?: boolean }): Pending;
  /** Index of the first array that holds a NaN or an infinity, or -1. */
  firstNonFinite(arrays: FloatArray[]): number;
  /** How many threads work on the jobs of one phase. */
  threads: number;
  /** Only of a back end with a device; the arrays of jobs that are not kept there are brought to it and back. */
  readonly memory?: DeviceMemory;
}

/** Work that was handed to the back end's own thread. Its buffers belong to it until it is finished. */
export interface Pending {
  /** True when `wait` would return at once. */
  readonly finished: boolean;
  /** Blocks until the work is done; may be called again and returns the same reports. */
  wait(): Report[][];
  /** The same without blocking the event loop. */
  promise(): Promise<Report[][]>;
}

/** Memory that a back end has of its own. */
export interface DeviceMemory {
  /**
   * Copies an array to the device, where it stays. Jobs that name the array, or a part of it, read and write the copy from then on; the
   * array itself is left as it was until the copy is fetched.
   *
   * @throws NatgradError ERR_NATGRAD_NO_MEMORY if the device has no room for it; ERR_NATGRAD_DEVICE if it was lost; ERR_NATGRAD_BUFFER if
   *   the array overlaps one that is kept, or submitted work uses it
   */
  keep(array: FloatArray): Kept;
  /** What is left of it, and all of it, in bytes. */
  room(): { free: number; total: number };
}

/** A copy of an array in the memory of a device, from when it was made until it is released or garbage-collected. */
export interface Kept {
  /**
   * Brings what the device has to the array.
   *
   * @throws NatgradError ERR_NATGRAD_DEVICE if the device was lost; ERR_NATGRAD_BUFFER while submitted work uses the array
   */
  fetch(): void;
  /** Ends the copy; what the array holds by then is what counts again. */
  release(): void;
}
