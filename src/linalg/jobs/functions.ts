/** Jobs that compute functions of symmetric matrices: inverses, roots, eigenvectors. */
import type { FloatArray } from './arrays';

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
 * With `start`, a symmetric positive definite matrix such as the inverse of a matrix nearby, the addon begins with Newton's iteration from
 * there, if the matrix is larger than 64 by 64; `iterations` says how many steps led to the result, 0 if it came about as without a start.
 */
export interface InverseJob extends Damped {
  op: 'inverse';
  matrix: FloatArray;
  size: number;
  /** Default 1; with any other there may be no `partner` and no `start`. */
  count?: number;
  /** `size` by `size`, full. */
  start?: FloatArray;
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
