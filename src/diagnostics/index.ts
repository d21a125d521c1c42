/**
 * How good an approximation of the Fisher matrix is: natural gradients in function space, errors against the exact matrix, spectra.
 *
 * @packageDocumentation
 */
export { blockSpectrum, type BlockSpectrum, type BlockSpectrumOptions } from './blockSpectrum';
export { directionCosine, estimatorError, type BlockError } from './estimatorError';
export { ExactFisher, measuredDivergence, type FisherOfOptions } from './exactFisher';
export { fisherSpectrum } from './fisherSpectrum';
export { fisherTrace } from './fisherTrace';
export {
  contraction,
  functionSpaceKernel,
  isotropy,
  optimalLearningRate,
  preconditionedKernel,
  predictedResiduals,
  tangentKernels,
  type HasCurvature,
  type Isotropy,
  type Kernel,
  type Metric,
} from './functionSpace';
export { hutchinson, type HutchinsonOptions, type TraceEstimate } from './hutchinson';
export { jacobian, withOutputs, type BackwardWalk, type Jacobian, type Network } from './jacobian';
export { lanczos, type LanczosOptions, type RitzValues } from './lanczos';
export { truncatedTridiagonalKernel } from './truncatedKernel';
export { truncatedTridiagonalStep } from '../curvature/tridiagonal/truncatedTridiagonal';
export { cosine, innerProduct } from './vectors';
export { halfSquaredError, unitSphereData, wideNetwork, type WideNetwork } from './wideNetwork';
export type { BlockView, CurvatureView, NamedVectors } from '../optimizer/curvatureView';
