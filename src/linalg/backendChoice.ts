import { NatgradError, shown } from '../errors';
import type { CudaPrecision } from './addon';

/** A CUDA device as back end. */
export interface CudaChoice {
  name: 'cuda';
  /**
   * How float32 arrays are computed with, see docs/cuda.md: 'fp32' (the default); 'tf32', whose products round their inputs to 11 bits; or
   * 'fp64', whose inverses and roots are computed in float64. float64 arrays are computed with in float64 always.
   */
  precision?: CudaPrecision;
  /** Which device, from 0 on, in the order of the driver. Default 0. */
  device?: number;
}

/**
 * What computes: a CUDA device ('cuda', or an object that says how), the native addon on the processor ('cpu'), or plain TypeScript
 * ('reference', several times to a hundred times slower than the addon). 'auto' is the addon where it loads and otherwise the reference;
 * optimizers take a CUDA device by 'auto' where the sizes of the layers make it worth it.
 */
export type BackendChoice = 'auto' | 'cuda' | 'cpu' | 'reference' | CudaChoice;

const names: readonly unknown[] = ['auto', 'cuda', 'cpu', 'reference'];
const precisions: readonly unknown[] = ['fp32', 'tf32', 'fp64'];

/**
 * Checks the value of an option `backend`.
 *
 * @throws NatgradError ERR_NATGRAD_ARGUMENT
 */
export function requireBackend(choice: unknown): asserts choice is BackendChoice {
  if (names.includes(choice)) return;
  if (typeof choice !== 'object' || choice === null || (choice as CudaChoice).name !== 'cuda') {
    refuse(
      `backend is ${shown(choice)}; use 'auto', 'cuda', 'cpu', 'reference' or {name: 'cuda', precision, device}.`,
    );
  }
  const { precision = 'fp32', device = 0 } = choice as CudaChoice;
  const unknown = Object.keys(choice).find((key) => !['name', 'precision', 'device'].includes(key));
  if (unknown !== undefined) refuse(`backend.${unknown} is no option; use precision and device.`);
  if (!precisions.includes(precision)) {
    refuse(`backend.precision is ${shown(precision)}; use 'fp32', 'tf32' or 'fp64'.`);
  }
  if (!Number.isSafeInteger(device) || device < 0) {
    refuse(`backend.device is ${shown(device)}; give an integer from 0 on.`);
  }
}

function refuse(message: string): never {
  throw new NatgradError('ERR_NATGRAD_ARGUMENT', message);
}
