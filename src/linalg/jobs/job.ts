import type { DiagonalInverseJob, EighJob, InverseJob, InverseRootJob } from './functions';
import type { KroneckerJob, ProductJob } from './products';
import type { RationalFactorJob } from './rational';
import type { DiagonalFactorJob, FactorJob, LowRankScoresJob, ScoresJob, UnitFactorsJob } from './statistics';
import type { CombineJob, DotJob, ElementwiseJob, ScaleJob, UpdateJob } from './vectors';

export type Job =
  | FactorJob
  | DiagonalFactorJob
  | InverseJob
  | DiagonalInverseJob
  | InverseRootJob
  | EighJob
  | KroneckerJob
  | ScaleJob
  | UpdateJob
  | CombineJob
  | ProductJob
  | ElementwiseJob
  | DotJob
  | ScoresJob
  | LowRankScoresJob
  | UnitFactorsJob
  | RationalFactorJob;
