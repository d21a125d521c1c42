import type { ConvGeometry, FloatArray, Job, Report } from '../linalg/jobs';
import type { Phase } from './phases';

/** `rows` vectors of `columns` elements. */
export interface Rows {
  data: FloatArray;
  rows: number;
  columns: number;
}

/** Rows, or the NHWC images whose patches are the rows. */
export type RowsOrPatches = Rows | { data: FloatArray; geometry: ConvGeometry };

/** The elements that one use of a rational activation was applied to, as rows of all groups, and its coefficients. */
export interface RationalRows extends Rows {
  /** [groups, size] each, lowest power first. */
  numerator: FloatArray;
  denominator: FloatArray;
  /** What the coefficients were multiplied with, [groups, both sizes]. */
  noise?: FloatArray;
}

/** What one use of a layer was applied to: input rows or patches, or embedding indices. */
export type Activation = (RowsOrPatches | RationalRows | { indices: Int32Array }) & {
  /** What each row counts in a mean over the rows, as its share of the loss: 0 where it is masked. Undefined where all count alike. */
  weights?: Float32Array;
};

/** Gradients g at the output of one use. */
export interface OutputGradients extends Rows {
  /** Where the block of the kernel's columns begins that they belong to, for a kernel that is used in blocks of columns. */
  begin?: number;
  /** For a transposed convolution, where the patches of the NHWC image lie that the rows are the pixels of. */
  patches?: ConvGeometry;
}

/** How many input rows (or patches) a layer was applied to in one use. */
export function rowsOf(activation: Activation): number {
  if ('indices' in activation) return activation.indices.length;
  if (!('geometry' in activation)) return activation.rows;
  const { batch, outHeight, outWidth } = activation.geometry;
  return batch * outHeight * outWidth;
}

/** The gradients of one use as rows: as they are, or the patches of a transposed convolution. */
export function gradientRows({ data, rows, columns, patches }: OutputGradients): RowsOrPatches {
  return patches ? { data, geometry: patches } : { data, rows, columns };
}

/** The function that some columns of a layer's outputs go through next, with the values it has in a batch (see the tape's). */
export interface Response {
  kind: 'linear' | 'rectifier' | 'elu' | 'sigmoid' | 'hardSigmoid' | 'tanh' | 'softmax';
  begin: number;
  size: number;
  /** Undefined for 'linear'. */
  values?: FloatArray;
  slope?: number;
}

/** One backward pass over a batch: from one draw of targets, from one column of the factor of the output Fisher, or from the loss itself. */
export interface BackwardPass {
  /** The share of this pass in the estimate; over the passes of a batch they add up to 1. */
  weight: number;
  /**
   * What its gradients are still to be multiplied with to belong to the un-averaged loss: the number of terms when they are gradients
   * of a mean loss, 1 otherwise.
   */
  gradientScale: number;
  /**
   * One entry per use: gradients g at the pre-activation of the un-averaged loss of each example, [examples x positions, out].
   */
  outputGradients?: OutputGradients[];
  /** For each variable the sum over the batch of its scores, for structures that need no (a, g). */
  scores?: FloatArray[];
}

/** What a batch says about one layer. The arrays hold until the phases made from them have run, or were submitted; copy what is kept. */
export interface Statistics {
  /** Terms of the mean loss: the examples N of the batch, times the positions that have a prediction of their own. */
  examples: number;
  /** How many terms of equal weight would tell as much, where they do not count alike: those that a mask leaves. Default: `examples`. */
  effectiveExamples?: number;
  /** One entry per use of the layer (several for shared weights and recurrent layers). */
  activations?: Activation[];
  /** The values of the layer's variables. */
  weights?: FloatArray[];
  /** One list per use of the layer: what its outputs go through next, which covers the columns once. */
  responses?: Response[][];
  passes: BackwardPass[];
}

/** What a block asks to be told about one layer. */
export interface Needs {
  activations?: boolean;
  outputGradients?: boolean;
  scores?: boolean;
  weights?: boolean;
  responses?: boolean;
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

/** How many elements all variables of a block have. */
export function parameterCount(shape: BlockShape): number {
  return variableSizes(shape).reduce((sum, size) => sum + size, 0);
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
 * Coordinates w' = G^1/2 w in which a plain gradient step is a natural-gradient step: with the gradient G^-1/2 g of w',
 *
 *     w' <- w' - a G^-1/2 g   is   w <- w - a G^-1 g.
 */
export interface Reparametrisation {
  /** Goes up whenever G changes, and the coordinates with it. */
  generation(): number;
  /** `own = G^1/2 weights`, one array per variable. */
  toOwn(weights: FloatArray[], own: FloatArray[]): Phase[];
  /** `weights = G^-1/2 own`; of a gradient by the weights it makes that by the own coordinates, too. */
  toWeights(own: FloatArray[], weights: FloatArray[]): Phase[];
}

/**
 * The gradient of a layer as a product of the rows of its batch: `inputs' outputGradients`, of which the last row is that of the bias where
 * there is one.
 */
export interface RowGradient {
  /** The inputs of the layer, each with a 1 appended if it has a bias. */
  inputs: Rows;
  /** Gradients of the loss at its outputs, as many rows. */
  outputGradients: Rows;
}

/**
 * One block of an approximate Fisher matrix, over the variables of one layer or of several. It says what is to be computed, as phases of
 * jobs of the linear algebra, and a back end computes; it touches no tensor and runs no job, so that the jobs of all blocks can run
 * together, on any thread.
 */
export interface CurvatureBlock {
  /** Name of the structure, e.g. 'Kronecker factored'. */
  readonly structure: string;
  readonly shape: BlockShape;
  /** What `updatePhases` wants of each layer that the block covers. */
  readonly needs: readonly Needs[];

  /** Brings the factors up to date with a batch; `statistics` has one entry per layer. */
  updatePhases(statistics: Statistics[], average: AverageStep): Phase[];

  /**
   * Computes new inverses, with the damping `lambda` of the whole block, from the factors as they are when the phases run.
   * The inverses in use stay untouched until `install`.
   */
  refreshPhases(lambda: number): Phase[];

  /** Takes over what the last `refreshPhases` computed, given the reports of all their jobs. Where one failed the previous inverse stays. */
  install(reports: Report[]): RefreshOutcome;

  /** Empties the factors, for an average that begins anew; the inverses stay in use. */
  restart(): void;

  /** Whether there is an inverse to precondition with. */
  readonly ready: boolean;

  /**
   * The large arrays that may stay on the device of a back end: once the block is ready only its jobs read and write them, but for
   * `restart`, `toDense`, and whoever asks for `state` or `upcoming`, all of which need them on the host. Without it every job brings what
   * it needs to the device and back.
   */
  resident?(): FloatArray[];

  /** Only where the step is to be taken in coordinates of the block's own. */
  readonly reparametrisation?: Reparametrisation;

  /**
   * Computes `directions = (block + damping)^-1 gradients` with the installed inverses; both have one array per variable. The `dot`s of
   * the last phase's reports add up to the inner product of the two.
   */
  preconditionPhases(gradients: FloatArray[], directions: FloatArray[]): Phase[];

  /**
   * Whether `preconditionRows` is less work than `preconditionPhases` where the gradient is a product of so many rows. A block has all three
   * of these methods or none.
   */
  prefersRows?(rows: number): boolean;

  /**
   * What of `preconditionRows` the inputs alone determine, to be run before it. It leaves that out if it is then given the same inputs, and
   * the inverses are the same.
   */
  beginRows?(inputs: Rows): Job;

  /** As `preconditionPhases`, given the rows whose product the gradients are. */
  preconditionRows?(rows: RowGradient, gradients: FloatArray[], directions: FloatArray[]): Phase[];

  /** Computes `products = block vectors`, without damping, from the factors; `dot`s as above. */
  multiplyPhases(vectors: FloatArray[], products: FloatArray[]): Phase[];

  /** The block without damping as a dense matrix over its variables' elements in row-major order, one variable after the other. */
  toDense(): Float64Array;

  /** Every array a checkpoint must hold, live, by name: loading is writing into them. */
  state(): Record<string, FloatArray>;

  /** The arrays that a refresh under way computes, live, by name; a checkpoint holds them only if there is one. */
  upcoming(): Record<string, FloatArray>;

  /** Makes room, before they are loaded, for arrays of `state()` and `upcoming()` whose sizes depend on the batch. */
  prepare?(saved: Record<string, FloatArray>): void;

  /** Declares the arrays of `state()` loaded: the inverses among them are installed if `ready`. */
  loaded(ready: boolean): void;

  summary(): BlockSummary;
}

/** The smaller of two numbers, where NaN stands for 'not known'. */
export function least(a: number, b: number): number {
  if (Number.isNaN(a)) return b;
  return Number.isNaN(b) ? a : Math.min(a, b);
}
