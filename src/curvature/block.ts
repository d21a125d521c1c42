import type { ConvGeometry, FloatArray, Job, Report } from '../linalg/jobs';

/** `rows` vectors of `columns` elements. */
export interface Rows {
  data: FloatArray;
  rows: number;
  columns: number;
}

/** What one use of a layer was applied to: input rows, the NHWC images whose patches are its rows, or embedding indices. */
export type Activation = Rows | { data: FloatArray; geometry: ConvGeometry } | { indices: Int32Array };

/**
 * What one pass over a batch says about one layer. A backward pass of an estimator with several (exact, or several draws) brings
 * only output gradients or scores again: the activations of a batch are the same for all of them.
 */
export interface Statistics {
  /** Terms of the mean loss: the examples N of the batch, times the positions that have a prediction of their own. */
  examples: number;
  /** One entry per use of the layer (several for shared weights and recurrent layers). */
  activations?: Activation[];
  /**
   * One entry per use: gradients g at the pre-activation of the un-averaged loss of each example, [examples x positions, out].
   */
  outputGradients?: Rows[];
  /** For each variable the sum over the batch of its scores, for structures that need no (a, g). */
  scores?: FloatArray[];
  /**
   * What output gradients and scores are still to be multiplied with to belong to the un-averaged loss: the number of terms when
   * they are gradients of a mean loss. Default 1.
   */
  gradientScale?: number;
}

/** How new statistics enter a moving average: `factor = decay * factor + scale * (factor of these statistics)`. */
export interface AverageStep {
  decay: number;
  scale: number;
}

/** What a block covers; enough to build one without a network. */
export interface BlockShape {
  /** Names of the variables in the order of their gradients: kernel, then bias. */
  names: string[];
  shapes: number[][];
}

/** How many elements each variable of a block has. */
export function variableSizes({ shapes }: BlockShape): number[] {
  return shapes.map((shape) => shape.reduce((product, length) => product * length, 1));
}

/** One row of `optimizer.summary()`. */
export interface BlockSummary {
  variables: string;
  structure: string;
  /** Sizes of the matrices that are kept, e.g. '785 x 785, 80 x 80'. */
  matrices: string;
  parameters: number;
  bytes: number;
  /** Why this structure and not a finer one; empty where it is the finest on offer. */
  reason: string;
}

/** What a refresh came to. */
export interface RefreshOutcome {
  /** Matrices whose inverse could not be had; the previous one stays in use. */
  failures: number;
  /** Matrices that needed float64, more damping or clipped eigenvalues. */
  retries: number;
  /** Smallest eigenvalue estimate of the damped matrices; NaN when none was computed. */
  minEigenvalue: number;
  /** Whether a factor itself is not finite, so that no damping helps: squares of finite statistics have overflowed. */
  overflowed: boolean;
}

/**
 * One block of an approximate Fisher matrix. It says what is to be computed, as jobs of the linear algebra, and a back end
 * computes; it touches no tensor and runs no job, so that the jobs of all layers can run together, on any thread.
 */
export interface CurvatureBlock {
  /** Name of the structure, e.g. 'kroneckerFactored'. */
  readonly structure: string;
  readonly shape: BlockShape;
  /** Whether `update` wants (a, g) or the scores of the variables. */
  readonly needs: 'factors' | 'scores';

  /** Jobs that bring the factors up to date with what `statistics` holds. */
  updateJobs(statistics: Statistics, average: AverageStep): Job[];

  /**
   * Jobs that compute new inverses, with the damping `lambda` of the whole block, from the factors as they are when the jobs run.
   * The inverses in use stay untouched until `install`.
   */
  refreshJobs(lambda: number): Job[];

  /** Takes over what the jobs of the last `refreshJobs` computed, given their reports. Where one failed the previous inverse stays. */
  install(reports: Report[]): RefreshOutcome;

  /** Empties the factors, for an average that begins anew; the inverses stay in use. */
  restart(): void;

  /** Whether there is an inverse to precondition with. */
  readonly ready: boolean;

  /** Jobs that compute `directions = (block + damping)^-1 gradients` with the installed inverses. */
  preconditionJobs(gradients: FloatArray[], directions: FloatArray[]): Job[];

  /** Jobs that compute `products = block vectors`, without damping, from the factors. */
  multiplyJobs(vectors: FloatArray[], products: FloatArray[]): Job[];

  /** The block without damping as a dense matrix over its variables' elements in row-major order, kernel before bias. */
  toDense(): Float64Array;

  /** Every array a checkpoint must hold, live, by name: loading is writing into them. */
  state(): Record<string, FloatArray>;

  /** The arrays that a refresh under way computes, live, by name; a checkpoint holds them only if there is one. */
  upcoming(): Record<string, FloatArray>;

  /** Declares the arrays of `state()` loaded: the inverses among them are installed if `ready`. */
  loaded(ready: boolean): void;

  summary(): BlockSummary;
}

/** The smaller of two numbers, where NaN stands for 'not known'. */
export function least(a: number, b: number): number {
  if (Number.isNaN(a)) return b;
  return Number.isNaN(b) ? a : Math.min(a, b);
}
