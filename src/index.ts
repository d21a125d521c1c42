/**
 * Natural-gradient training for TensorFlow.js in Node.
 *
 * @packageDocumentation
 */
export { NatgradError, type ErrorCode } from './errors';
export {
  blockDiagonal,
  blockTridiagonal,
  diagonalFisher,
  ekfac,
  exactNaturalGradient,
  foof,
  kfac,
  mirrorDescent,
  onlineNaturalGradient,
  quasiDiagonal,
  seng,
  shampoo,
  singd,
  sngd,
  tengrad,
  trustRegion,
  unitWise,
  type MirrorDescentConfig,
  type OnlineNaturalGradientConfig,
  type PresetConfig,
  type TrustRegionConfig,
} from './optimizer/presets/index';
export { radam, RadamOptimizer, type RadamConfig } from './optimizer/radam';
export { NaturalGradientOptimizer } from './optimizer/NaturalGradientOptimizer';
export type { OptimizerStats } from './optimizer/optimizerStats';
export type { BlockView, CurvatureView, NamedVectors } from './optimizer/curvatureView';
export type { NaturalGradientConfig } from './optimizer/config';
export type { BlockSummary } from './curvature/block';
export type { BlockRule } from './curvature/coverLayers';
export type { LocalFisherOptions } from './curvature/localFisher/localFisher';
export type { OnlineNaturalGradientOptions } from './curvature/online/onlineOptions';
export type { CurvatureOption, StructureName, StructureOptions } from './curvature/structures';
export type { NystromOptions } from './curvature/shared/nystrom';
export type { NamedTensors } from './optimizer/checkpoint';
export type { Transition } from './curvature/recurrent/transition';
export type { WeightSharing } from './curvature/shared/weightSharing';
export type { FisherOption, FisherOptions, OwnLikelihood } from './fisher/options';
export type { Estimator } from './fisher/estimator';
export type { RandomStream } from './fisher/random';
export type { Distribution } from './tape/types';
export type { Precision } from './curvature/shared/factor';
export type { BackendChoice, CudaChoice } from './linalg/backendChoice';
export type { Likelihood, Outputs } from './fisher/likelihood';
export type { NamePattern } from './names';
export {
  schedules,
  type CosineDecayConfig,
  type DecayScheduleConfig,
  type PiecewiseConstantConfig,
  type PolynomialDecayConfig,
  type ReadyMadeSchedule,
  type WarmupConfig,
} from './step/schedules';
export type { ScheduleConfig } from './step/schedules';
export type { Schedule } from './step/schedule';
export type { LearningRateMultiplier } from './step/learningRateMultipliers';
export type { OwnPotential, Potential, PotentialRule } from './step/mirrorMap';
export type { DampingOption } from './step/damping';
export type { LevenbergMarquardtOptions } from './step/levenbergMarquardt';
export type { SearchedDampingOptions } from './step/searchedDamping';
export type { TrustRegionOptions, TrustRegionReport } from './step/trustRegion';
export type { DecayOption } from './step/weightDecay';
export type { IterateAveragingOptions } from './step/iterateAveraging';
export { observe, type ObserveOptions } from './tape/observe';
export { fileHandler, restoreModel, saveModel, type SaveModelConfig } from './saving/index';
export * as callbacks from './callbacks/index';
export * as layers from './layers/index';
export { rational } from './layers/rationalOp';
export type { RationalVersion } from './linalg/jobs';
