/**
 * Linear algebra for second-order optimization, on typed arrays: native where the addon loads, plain TypeScript where it does not.
 *
 * Matrices are row-major. Of a symmetric matrix only the lower triangle is read. Functions take one matrix or an array of matrices of any
 * sizes, which are treated at the same time on several threads. float32 in, float32 out; float64 likewise.
 *
 * @packageDocumentation
 */
export { conv2dGeometry, type Conv2dOptions, type ExplicitPadding } from './convGeometry';
export type { OneOrMany } from './batch';
export { eigh, type Decomposed, type Eigendecomposition } from './eigh';
export { inverse, type InverseOptions } from './inverse';
export { inverseRoot, type InverseRootOptions } from './inverseRoot';
export type * from './jobs';
export type { BackendChoice, CudaChoice } from './backendChoice';
export type { CudaPrecision, CudaReport } from './addon';
export { inspectCuda, type CudaInspection } from './cuda';
export { kernels } from './kernels';
export {
  kroneckerFactor,
  updateFactor,
  type FactorInput,
  type FactorOf,
  type FactorOptions,
  type UpdateFactorOptions,
} from './kroneckerFactor';
export { kroneckerMultiply, type KroneckerOptions } from './kroneckerMultiply';
export type { CallOptions, Outcome, Overlapped, Reported, Result } from './outcome';
export { kroneckerSolve, solve, type SolveOptions } from './solve';
export { updateWeights, type UpdateWeightsOptions } from './updateWeights';
export { NatgradError, type ErrorCode } from '../errors';
