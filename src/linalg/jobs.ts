/**
 * The work a back end does for the rest of the package, as plain data.
 *
 * TypeScript decides what is to be computed and describes it as jobs; the addon (or the reference implementation, which
 * takes the same jobs) computes. Jobs come in phases: the jobs of one phase may run at the same time on several threads and
 * must not write what another of them reads or writes; a phase starts when the one before it is finished.
 *
 * All matrices are row-major. A symmetric matrix is given by its lower triangle; what lies above the diagonal is never read
 * and never written, except in the results of `inverse` and `inverseRoot`, which are full symmetric matrices.
 * All arrays of one job have one dtype, float32 or float64, and the job computes in it.
 */

export type FloatArray = Float32Array | Float64Array;

/** Where the patches of a two-dimensional convolution lie in its NHWC input. All in elements; padding is before/top and left. */
export interface ConvGeometry {
  batch: number;
  inHeight: number;
  inWidth: number;
  channels: number;
  kernelHeight: number;
  kernelWidth: number;
  strideHeight: number;
  strideWidth: number;
  dilationHeight: number;
  dilationWidth: number;
  padTop: number;
  padLeft: number;
  outHeight: number;
  outWidth: number;
}

/** `rows` vectors of `columns` elements, one after the other. */
export interface DenseRows {
  data: FloatArray;
  rows: number;
  columns: number;
}

/** The patches of an NHWC image batch as rows, flattened in the order (kernelHeight, kernelWidth, channels). */
export interface PatchRows {
  data: FloatArray;
  geometry: ConvGeometry;
}

/**
 * `factor = decay * factor + sum over inputs of scale * X'X`, on the lower triangle.
 * With `homogeneous`, every row of X has a 1 appended, so `size` is the number of columns plus one.
 * An input that is not finite leaves the factor untouched and is reported as `notFinite`.
 */
export interface FactorJob {
  op: 'factor';
  inputs: ((DenseRows | PatchRows) & { scale: number })[];
  homogeneous: boolean;
  decay: number;
  factor: FloatArray;
  size: number;
}

/** `factor[j] = decay * factor[j] + sum over inputs of scale * (sum of x[r][j]^2 over rows, or the count of index j)`. */
export interface DiagonalFactorJob {
  op: 'diagonalFactor';
  inputs: ((DenseRows | { indices: Int32Array }) & { scale: number })[];
  decay: number;
  factor: FloatArray;
}

/**
 * Which damping a factor gets. With a `partner`, the factored Tikhonov damping of a Kronecker pair:
 * `sqrt(damping) * sqrt((tr M / size) / (tr P / partner size))`, M this matrix, P the partner (pi = 1 if either trace is not positive).
 * A partner of `diagonal: true` is a vector. With `relative`, which goes with no partner, `damping * tr M / size` (`damping` if the trace
 * is not positive). With neither, `damping` itself.
 */
export interface Damped {
  damping: number;
  relative?: boolean;
  partner?: { matrix: FloatArray; size: number; diagonal?: boolean };
}

/**
 * `out = (matrix + damping I)^-1`, full and exactly symmetric. A zero matrix gives `I / damping`.
 * With `count`, `matrix` and `out` are stacks of so many matrices, one after the other, each of which gets the bits it gets alone; a
 * job for each would take longer to read than a small matrix to invert. The report is then that of the worst: of every field the value
 * that is furthest from success, the later status in {@link Status} being the worse one.
 */
export interface InverseJob extends Damped {
  op: 'inverse';
  matrix: FloatArray;
  size: number;
  /** Default 1; with any other there may be no `partner`. */
  count?: number;
  out: FloatArray;
}

/** `out[i] = 1 / (diagonal[i] + damping)`. */
export interface DiagonalInverseJob extends Damped {
  op: 'diagonalInverse';
  diagonal: FloatArray;
  out: FloatArray;
}

/**
 * How an inverse p-th root is computed. `auto` follows the table of sizes and condition bounds that was measured;
 * the others are for comparison and for the cases their names say.
 */
export type RootMethod =
  | 'auto'
  | 'denmanBeavers' // product form, interval scaling; p = 2, and p = 4 by applying it twice
  | 'eigen'
  | 'newtonSchulzMinimax' // coupled, Chen-Chow / CANS cubic coefficients for the known interval
  | 'newtonSchulz' // coupled, classic 3/2, -1/2
  | 'coupledNewton' // Iannazzo; any p
  | 'contour'; // Hale, Higham and Trefethen: a sum of shifted inverses; p = 2, and p = 4 by applying it twice

/** `out = (matrix + damping I)^(-1/p)`, full and exactly symmetric. */
export interface InverseRootJob extends Damped {
  op: 'inverseRoot';
  matrix: FloatArray;
  size: number;
  p: 1 | 2 | 4;
  method: RootMethod;
  /** Stop when the iteration's own residual is below this; 0 chooses by dtype (1e-4 float32, 1e-10 float64). */
  tolerance: number;
  /** At most this many iterations; 0 chooses by method. */
  maxIterations: number;
  out: FloatArray;
}

/** Eigenvalues ascending in `values`; `vectors` holds the eigenvectors as columns: `matrix = V diag(values) V'`. */
export interface EighJob {
  op: 'eigh';
  matrix: FloatArray;
  size: number;
  values: FloatArray;
  vectors: FloatArray;
}

/** How a symmetric matrix is held: all of it, its lower triangle only (a factor), or its diagonal as a vector. */
export type MatrixForm = 'full' | 'lower' | 'diagonal';

/**
 * `out = left * V * right` with V the `leftSize` by `rightSize` matrix whose rows are those of `input` followed, if given, by the
 * single row `inputLast` (the bias under its kernel); `outLast` goes with it. The report's `dot` is the inner product of V and
 * the result.
 */
export interface KroneckerJob {
  op: 'kronecker';
  left: FloatArray;
  leftSize: number;
  leftForm: MatrixForm;
  /** Multiply by the transpose of a full `left`, of a full `right`. Default false. */
  leftTransposed?: boolean;
  right: FloatArray;
  rightSize: number;
  rightForm: MatrixForm;
  rightTransposed?: boolean;
  input: FloatArray;
  inputLast?: FloatArray;
  out: FloatArray;
  outLast?: FloatArray;
}

/** `out[i] = input[i] * diagonal[i]`; the report's `dot` is the inner product of input and out. */
export interface ScaleJob {
  op: 'scale';
  diagonal: FloatArray;
  input: FloatArray;
  out: FloatArray;
}

/**
 * One pass over a variable: `velocity = momentum * velocity + step * direction`, then `weights = shrink * weights + velocity`.
 * Without a velocity: `weights = shrink * weights + step * direction`.
 */
export interface UpdateJob {
  op: 'update';
  weights: FloatArray;
  direction: FloatArray;
  velocity?: FloatArray;
  momentum: number;
  step: number;
  shrink: number;
}

/** `out[i] = sum over terms of scale * data[i]`; `out` may be the data of a term. */
export interface CombineJob {
  op: 'combine';
  terms: { data: FloatArray; scale: number }[];
  out: FloatArray;
}

/**
 * `out = scale * left * right + keep * out`, with `left` of `rows` by `inner`, `right` of `inner` by `columns`; a transposed one is held as
 * the transpose of that. With `count`, all three are stacks of so many matrices. With `outLast`, which goes with no stack, the last row of
 * the result lies there (that of a bias, beside its kernel).
 */
export interface ProductJob {
  op: 'product';
  left: FloatArray;
  right: FloatArray;
  rows: number;
  inner: number;
  columns: number;
  transposeLeft?: boolean;
  transposeRight?: boolean;
  /** Default 1. */
  count?: number;
  scale: number;
  /** With 0, what `out` holds is not read. */
  keep: number;
  out: FloatArray;
  outLast?: FloatArray;
}

/**
 * 'multiply': `out[i] = left[i] * (right[i] + offset)`; 'divide': `out[i] = left[i] / (right[i] + offset)`. `out` may be `left` or `right`.
 * The report's `dot` is the inner product of left (as it was) and out.
 */
export interface ElementwiseJob {
  op: 'elementwise';
  how: 'multiply' | 'divide';
  left: FloatArray;
  right: FloatArray;
  offset: number;
  out: FloatArray;
}

/** Nothing but the report's `dot`: the inner product of the two. */
export interface DotJob {
  op: 'dot';
  left: FloatArray;
  right: FloatArray;
}

/**
 * The score of every example by itself: `out[n] = keep * out[n] + scale * sum over the rows r of example n of x_r g_r'`, each a matrix
 * of `columns of X (+ 1 if homogeneous)` by `columns of G`, row-major. The rows of an example follow one another. Inputs are not
 * examined: those of an example that are not finite show in its score, and in no other.
 */
export interface ScoresJob {
  op: 'scores';
  activation: DenseRows | PatchRows;
  outputGradient: DenseRows;
  examples: number;
  homogeneous: boolean;
  scale: number;
  keep: number;
  out: FloatArray;
}

/**
 * One factor per output unit j: `factors[j] = decay * factors[j] + sum over inputs of scale * sum_r g[r][j]^2 x_r x_r'`, on the lower
 * triangles. `gradients` has `count` columns and as many rows as its input. Otherwise as {@link FactorJob}.
 */
export interface UnitFactorsJob {
  op: 'unitFactors';
  inputs: ((DenseRows | PatchRows) & { scale: number; gradients: FloatArray })[];
  homogeneous: boolean;
  decay: number;
  factors: FloatArray;
  size: number;
  count: number;
}

/**
 * What the denominator Q of a rational function y = P(x) / Q(x) is, with P = sum a_i x^i (A. Molina, P. Schramowski and K. Kersting,
 * "Pade activation units", ICLR 2020, and the versions of their published package; N. Boulle, Y. Nakatsukasa and A. Townsend, "Rational
 * neural networks", NeurIPS 2020):
 *
 *     A: 1 + sum |b_j x^j|   B: 1 + |sum b_j x^j|   D: as B, its coefficients with noise   N: 1 + sum b_j x^j     j from 1
 *     C: 0.1 + |sum b_j x^j|                                                              boulle: sum b_j x^j    j from 0
 */
export type RationalVersion = 'A' | 'B' | 'C' | 'D' | 'N' | 'boulle';

/** How the elements of a tensor share coefficients: it is [rows, groups, inner], and every group has coefficients of its own. */
export interface RationalLayout {
  version: RationalVersion;
  groups: number;
  inner: number;
  /** How many coefficients a numerator has, 1 to 17: its degree plus one. */
  numeratorSize: number;
  denominatorSize: number;
}

/**
 * One factor per group of a rational activation, from the score s_n of every example with respect to its coefficients:
 *
 *     factors[group] = decay * factors[group] + scale * sum_n s_n s_n',   s_n = sum over inputs, rows and inner of g [dy/da; dy/db]
 *
 * on the lower triangles, of size numeratorSize + denominatorSize. The rows of an example follow one another. `noise` [groups, size] is
 * what the coefficients are multiplied with before they are used. Inputs that are not finite leave the factors untouched.
 */
export interface RationalFactorJob extends RationalLayout {
  op: 'rationalFactor';
  inputs: {
    /** x and the gradient g at y, [rows, groups, inner]. */
    activation: FloatArray;
    gradient: FloatArray;
    /** [groups, numeratorSize] and [groups, denominatorSize], lowest power first. */
    numerator: FloatArray;
    denominator: FloatArray;
    noise?: FloatArray;
  }[];
  examples: number;
  decay: number;
  scale: number;
  factors: FloatArray;
}

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
  | UnitFactorsJob
  | RationalFactorJob;

/** From good to bad: the report of a stack has the last one of those of its matrices. */
export type Status =
  'ok' | 'notConverged' | 'notPositiveDefinite' | 'notFinite' | 'outOfMemory' | 'deviceLost';

/**
 * What became of one job. With any status but `ok` (and `notConverged`, whose result is the best iterate), outputs are unchanged;
 * those of a stack, where a matrix has failed.
 */
export interface Report {
  status: Status;
  /** Normalised residual of an iteration or factorisation, `|I - XM| / sqrt(size)` or its proxy; 0 where there is none. */
  residual: number;
  iterations: number;
  converged: boolean;
  /** Lower bound or estimate of the smallest eigenvalue of the damped matrix; NaN where it is not computed. */
  minEigenvalue: number;
  /** The damping that was really added, after pi and after the ladder of retries. */
  damping: number;
  /** How many rungs of the ladder (float64, more damping, clipped eigenvalues) were needed; 0 if the first attempt held. */
  retries: number;
  /** Only for `kronecker`, `scale`, `elementwise` and `dot`: the inner product that their descriptions name. */
  dot: number;
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

/** What computes jobs. Both forms run the same code and give the same bits. */
export interface Kernels {
  readonly name: 'cuda' | 'cpu' | 'reference';
  run(phases: Job[][]): Report[][];
  /**
   * Runs the phases on the back end's own thread, after all that was submitted before. The inputs of `factor`, `diagonalFactor`,
   * `unitFactors`, `scores` and `rationalFactor` jobs are copied before this returns; every other buffer must not be touched until `wait` has returned.
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
