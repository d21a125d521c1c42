/**
 * One side, input or output, of the Kronecker factors of a chain of layers: second moments of each layer's vectors, cross moments of
 * consecutive layers, and what the inverse of a block tri-diagonal Fisher matrix is made of (Martens & Grosse 2015, section 4.3).
 *
 * With M_i the damped moment of layer i and X_i the cross moment of layers i and i + 1, of both sides alike:
 *
 *     Psi_i = X_i M_{i+1}^-1                         regression of layer i on layer i + 1
 *     C_i = Psi_i M_{i+1} Psi_i' = Psi_i X_i'        the part of M_i that the regression explains
 *     U_i diag(s_i) U_i' = M_i^-1/2 C_i M_i^-1/2     its shares, from 0 to 1
 *     K_i = M_i^-1/2 U_i
 */
import type { DenseRows, FloatArray, Job } from '../../linalg/jobs';
import type { Activation, AverageStep, RowsOrPatches } from '../block';
import { allocate, type Precision } from '../shared/factor';
import { kroneckerJob, type Operand } from '../shared/kroneckerJob';
import { product } from '../shared/productJob';
import { rowMatrix } from '../shared/rowMatrix';
import { byWeight } from '../shared/rowWeights';

/** What vectors are multiplied with: all but the last layer have the first three, the last layer its inverse. */
interface Inverses {
  /** Psi_i, [size_i, size_{i+1}]. */
  regressions: FloatArray[];
  /** K_i. */
  bases: FloatArray[];
  /** s_i. */
  shares: FloatArray[];
  /** M^-1 of the last layer. */
  inverse: FloatArray;
}

/** The rows of a layer, and what each of them counts if they do not count alike. */
type WeightedRows = RowsOrPatches & Pick<Activation, 'weights'>;

/** The rows of an activation, multiplied with their weights. */
function weighted({ weights }: WeightedRows, matrix: DenseRows): DenseRows {
  if (!weights) return matrix;
  const { data, columns } = matrix;
  return { ...matrix, data: data.map((value, at) => weights[Math.floor(at / columns)] * value) };
}

export class ChainSide {
  readonly moments: FloatArray[];
  readonly crosses: FloatArray[];
  current: Inverses;
  upcoming: Inverses;

  /** M_i^-1 of the layers between the first and the last. */
  private readonly inner: FloatArray[];
  private readonly roots: FloatArray[];
  private readonly whitened: FloatArray[];
  private readonly vectors: FloatArray[];

  /** @param sizes of the layers in the order of the forward pass, at least two */
  constructor(
    readonly sizes: number[],
    private readonly precision: Precision,
  ) {
    const last = sizes.length - 1;
    const squares = (part: number[]) => part.map((size) => allocate(precision, size * size));
    this.moments = squares(sizes);
    this.crosses = this.crossArrays();
    this.current = this.inverses();
    this.upcoming = this.inverses();
    this.inner = squares(sizes.slice(1, last));
    this.roots = squares(sizes.slice(0, last));
    this.whitened = squares(sizes.slice(0, last));
    this.vectors = squares(sizes.slice(0, last));
  }

  private crossArrays(): FloatArray[] {
    return this.sizes.slice(1).map((size, i) => allocate(this.precision, this.sizes[i] * size));
  }

  private inverses(): Inverses {
    const before = this.sizes.slice(0, -1);
    const last = this.sizes.at(-1)!;
    return {
      regressions: this.crossArrays(),
      bases: before.map((size) => allocate(this.precision, size * size)),
      shares: before.map((size) => allocate(this.precision, size)),
      inverse: allocate(this.precision, last * last),
    };
  }

  /**
   * Jobs for `M_i = decay M_i + scale sum_r w_r x_r x_r'`, and the same of X_i; with `homogeneous[i]` the rows have a 1 appended. The weights
   * w_r are those of each input, of X_i those of the later layer.
   */
  updateJobs(inputs: WeightedRows[], homogeneous: boolean[], { decay, scale }: AverageStep): Job[] {
    const moments = inputs.map((input, i): Job => ({
      op: 'factor',
      inputs: byWeight(input).map(({ rows, weight }) => ({
        ...(rows as RowsOrPatches),
        scale: scale * weight,
      })),
      homogeneous: homogeneous[i],
      decay,
      factor: this.moments[i],
      size: this.sizes[i],
    }));
    // The sum over the rows of x y' is the score of one example that has all of them.
    const crosses = this.crosses.map((out, i): Job => ({
      op: 'scores',
      activation: inputs[i],
      outputGradient: weighted(inputs[i + 1], rowMatrix(inputs[i + 1], homogeneous[i + 1], this.precision)),
      examples: 1,
      homogeneous: homogeneous[i],
      scale,
      keep: decay,
      out,
    }));
    return [...moments, ...crosses];
  }

  /** Phases of jobs that compute `upcoming`, with this side's share of the damping `lambda`. */
  refreshPhases(lambda: number, partner: ChainSide): Job[][] {
    const { sizes, moments, crosses, inner, roots, whitened, vectors, upcoming } = this;
    const last = sizes.length - 1;
    const before = crosses.map((_, i) => i);
    const damped = (i: number) => ({
      matrix: moments[i],
      size: sizes[i],
      damping: lambda,
      partner: { matrix: partner.moments[i], size: partner.sizes[i] },
    });
    const inverseOf = (i: number) => (i === last ? upcoming.inverse : inner[i - 1]);
    return [
      [
        ...before.map((i): Job => ({ op: 'inverse', ...damped(i + 1), out: inverseOf(i + 1) })),
        ...before.map((i): Job => ({
          op: 'inverseRoot',
          ...damped(i),
          p: 2,
          method: 'auto',
          tolerance: 0,
          maxIterations: 0,
          out: roots[i],
        })),
      ],
      before.map((i) =>
        product(
          [sizes[i], sizes[i + 1], sizes[i + 1]],
          crosses[i],
          inverseOf(i + 1),
          upcoming.regressions[i],
        ),
      ),
      // C_i lies where K_i will.
      before.map((i) =>
        product([sizes[i], sizes[i + 1], sizes[i]], upcoming.regressions[i], crosses[i], upcoming.bases[i], {
          transposeRight: true,
        }),
      ),
      before.map((i) => {
        const root: Operand = { matrix: roots[i], size: sizes[i], form: 'full' };
        return kroneckerJob(root, root, [upcoming.bases[i]], [whitened[i]]);
      }),
      before.map((i): Job => ({
        op: 'eigh',
        matrix: whitened[i],
        size: sizes[i],
        values: upcoming.shares[i],
        vectors: vectors[i],
      })),
      before.map((i) => product([sizes[i], sizes[i], sizes[i]], roots[i], vectors[i], upcoming.bases[i])),
    ];
  }

  install(): void {
    [this.current, this.upcoming] = [this.upcoming, this.current];
  }

  /** Inverses to begin with when the first cannot be computed: those of moments `root I` that are not correlated. */
  installIdentity(root: number): void {
    const { regressions, bases, shares, inverse } = this.current;
    for (const array of [...regressions, ...shares]) array.fill(0);
    this.sizes.forEach((size, i) => {
      const matrix = bases[i] ?? inverse;
      matrix.fill(0);
      for (let k = 0; k < size; k++) matrix[k * size + k] = i < bases.length ? root ** -0.5 : 1 / root;
    });
  }

  restart(): void {
    for (const array of [...this.moments, ...this.crosses]) array.fill(0);
  }

  /** Element (k, l) of M_i. */
  momentAt(i: number, k: number, l: number): number {
    return this.moments[i][k >= l ? k * this.sizes[i] + l : l * this.sizes[i] + k];
  }

  /** The matrices that only jobs read and write. The cross moments are computed on the host. */
  get resident(): FloatArray[] {
    const inverses = [this.current, this.upcoming].flatMap(({ regressions, bases, inverse }) => {
      return [...regressions, ...bases, inverse];
    });
    return [this.moments, inverses, this.inner, this.roots, this.whitened, this.vectors].flat();
  }

  get bytes(): number {
    const arrays = [this.moments, this.crosses, this.inner, this.roots, this.whitened, this.vectors].flat();
    const { regressions, bases, shares, inverse } = this.current;
    const inverses = [...regressions, ...bases, ...shares, inverse];
    const sum = (parts: FloatArray[]) => parts.reduce((total, { byteLength }) => total + byteLength, 0);
    return sum(arrays) + 2 * sum(inverses);
  }
}
