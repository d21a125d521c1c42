import type { ConvGeometry, FloatArray, Job, Report } from '../linalg/jobs';

/** What the forward and backward pass say about one use of a layer, as plain arrays: `(a, g)` in the canonical [N, R, d]. */
export interface Sample {
  /**
   * Input rows, image patches, or embedding indices. Missing where the layer's kind has none (bias).
   */
  activation?:
    | { data: FloatArray; rows: number; columns: number }
    | { data: FloatArray; geometry: ConvGeometry }
    | { indices: Int32Array };
  /** Gradients at the pre-activation, [rows, columns], of the un-averaged loss of each example (algorithms E0). */
  outputGradient: { data: FloatArray; rows: number; columns: number };
}

/** Everything one update of the factors is computed from. */
export interface Statistics {
  /** Number of examples N in the batch. */
  examples: number;
  /** One entry per use of the layer in the graph (several for shared weights and recurrent layers). */
  uses: Sample[];
  /** Sum over examples of the score of each variable of the block, for blocks that need no (a, g). */
  scores?: FloatArray[];
  /** Weight of these statistics relative to a whole estimate: 1, or 1/K for each of K exact or sampled backward passes. */
  weight: number;
}

/** Sizes and names of what a block covers; enough to build one without a network. */
export interface BlockShape {
  /** Variable names, in the order of the gradients: kernel, then bias. */
  names: string[];
  shapes: number[][];
  inputSize: number;
  outputSize: number;
  bias: boolean;
}

export interface BlockSummary {
  variables: string[];
  /** Name of the structure, e.g. 'kroneckerFactored'. */
  structure: string;
  /** Sizes of the matrices it keeps, e.g. '785 x 785, 80 x 80'. */
  sizes: string;
  parameters: number;
  bytes: number;
  /** Why this structure and not a better one, where it is a fallback. */
  reason?: string;
}

/**
 * One block of an approximate Fisher matrix: it says what is to be computed (as jobs of the linear algebra), and a back end computes.
 * A block never touches a tensor and never runs a job itself, so that the jobs of all layers run together.
 */
export interface CurvatureBlock {
  readonly structure: string;
  readonly shape: BlockShape;

  /** Jobs that bring the factors up to date: `F = decay F + (1 - decay) F_batch`, weighted-average start. */
  updateJobs(statistics: Statistics[], decay: number): Job[];

  /** Jobs that make new inverses from the factors as they are when the jobs run. `lambda` is the damping of the whole block. */
  refreshJobs(lambda: number): Job[];

  /**
   * Takes over what the jobs of the last `refreshJobs` computed. Where one failed the previous inverse stays. Returns how many failed.
   */
  install(reports: Report[]): number;

  /** Jobs that compute `directions = (block + damping)^-1 gradients` with the installed inverses. */
  preconditionJobs(gradients: FloatArray[], directions: FloatArray[]): Job[];

  /** Jobs that compute `products = block vectors`, undamped, from the factors. */
  multiplyJobs(vectors: FloatArray[], products: FloatArray[]): Job[];

  /** The undamped block as a dense matrix over its variables' elements in row-major order, kernel before bias. */
  toDense(): Float64Array;

  /** Arrays that a checkpoint must hold, by name; `load` takes them back. */
  state(): Record<string, FloatArray>;
  load(state: Record<string, FloatArray>): void;

  summary(): BlockSummary;
}
