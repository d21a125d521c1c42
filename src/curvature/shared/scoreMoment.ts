/**
 * Second moments of the elements of the scores, in the standard basis or in a Kronecker-factored one: the diagonal of the Fisher matrix
 * of a layer z = a~ W in that basis.
 *
 * With rows a~ = [a; 1] and gradients g of example n, over all its positions and uses r, the score is S_n = sum_r a~_r g_r', and
 *
 *     S = 1/N sum_n (U_l' S_n U_r)^2    (elementwise square)
 *
 * (George et al. 2018, "Fast Approximate Natural Gradient Descent in a Kronecker-factored Eigenbasis", equation 10 of the scalings).
 * An example with one row needs no score of its own, because the square of a product is the product of squares:
 *
 *     S = ((A~ U_l)^2)' (G U_r)^2 / N
 */
import type { FloatArray, Job } from '../../linalg/jobs';
import {
  rowsOf,
  type Activation,
  type AverageStep,
  type BackwardPass,
  type Rows,
  type Statistics,
} from '../block';
import { allocate, type Precision } from './factor';
import type { Phase } from '../phases';
import { copyRows, examplesOf, onesLike } from './rowCopies';

/** The rows and columns of a layer's scores. */
export interface ScoreShape {
  /** Rows of a score: inputs with the homogeneous 1, or outputs if `transposed`. */
  leftSize: number;
  rightSize: number;
  /** Whether a 1 is appended to the input rows. */
  bias: boolean;
  /** The score is g a' instead of a g': the kernel is used transposed. */
  transposed: boolean;
}

/** Orthonormal columns on either side of the scores; the standard basis where one is missing. */
export interface Basis {
  left?: FloatArray;
  right?: FloatArray;
}

type Input = Exclude<Activation, { indices: Int32Array }>;

/** Uses of a layer whose scores belong together example by example. */
interface Group {
  examples: number;
  uses: { input: Input; gradient: Rows }[];
}

/** Scores are made for so many examples at a time that they take no more than this, in bytes. */
const scratchLimit = 2 ** 25;

export class ScoreMoment {
  private readonly shape: ScoreShape;
  private readonly precision: Precision;
  /** Only jobs write and read these, one phase after the other, so that a later batch may use them while an earlier one is computed. */
  private scores: FloatArray;
  private rotated: FloatArray;

  constructor(shape: ScoreShape, precision: Precision) {
    this.shape = shape;
    this.precision = precision;
    this.scores = this.rotated = allocate(precision, 0);
  }

  /** The work space, which grows with the batch. */
  get arrays(): FloatArray[] {
    return [this.scores, this.rotated].filter(({ length }) => length > 0);
  }

  /** Phases for `out = decay out + scale S`, row-major like a score. */
  updatePhases(
    { examples, activations, passes }: Statistics,
    { decay, scale }: AverageStep,
    out: FloatArray,
    basis: Basis = {},
  ): Phase[] {
    let keep = decay;
    return passes.flatMap((pass) => {
      const share = (scale * pass.weight * pass.gradientScale ** 2) / examples;
      return groupsOf(activations as Input[], pass, examples).flatMap((group) => {
        const target = { out, keep, scale: share };
        keep = 1;
        return this.groupPhases(group, target, basis);
      });
    });
  }

  private groupPhases(group: Group, target: Target, basis: Basis): Phase[] {
    const { leftSize, rightSize } = this.shape;
    const rows = group.uses.reduce((sum, { gradient }) => sum + gradient.rows, 0) / group.examples;
    if (group.uses.some(({ input }) => 'geometry' in input)) return this.scorePhases(group, target, basis);
    if (rows === 1) return this.singleRowPhases(group, target, basis);
    // Multiplications per example to rotate the rows, and to rotate the score made of them.
    const [left, right] = [basis.left ? leftSize : 0, basis.right ? rightSize : 0];
    const ofRows = rows * (left * leftSize + right * rightSize);
    const ofScore = leftSize * rightSize * (left + right);
    return ofRows < ofScore
      ? this.rotatedRowPhases(group, target, basis)
      : this.scorePhases(group, target, basis);
  }

  /** One row per example: products of squares. */
  private singleRowPhases({ uses: [use] }: Group, { out, keep, scale }: Target, basis: Basis): Phase[] {
    const { leftSize, rightSize } = this.shape;
    const { sides, phase } = this.rotatedSides(use, basis);
    const squares = sides.map(({ data }): Job => square(data));
    const [left, right] = sides;
    const product: Job = {
      op: 'product',
      left: left.data,
      right: right.data,
      rows: leftSize,
      inner: left.rows,
      columns: rightSize,
      transposeLeft: true,
      scale,
      keep,
      out,
    };
    return [phase, { jobs: squares }, { jobs: [product] }];
  }

  /** Several rows per example, rotated before the scores are made of them. */
  private rotatedRowPhases({ examples, uses }: Group, target: Target, basis: Basis): Phase[] {
    const { leftSize, rightSize } = this.shape;
    const rotated = uses.map((use) => this.rotatedSides(use, basis));
    const chunks = this.chunks(examples, 1).flatMap(([begin, end]): Phase[] => {
      const count = end - begin;
      const scores = this.scores.subarray(0, count * leftSize * rightSize);
      const products = rotated.map(({ sides: [left, right] }, i): Phase => {
        const inner = left.rows / examples;
        const part = ({ data, columns }: Rows) =>
          data.subarray(begin * inner * columns, end * inner * columns);
        const job: Job = {
          op: 'product',
          left: part(left),
          right: part(right),
          rows: leftSize,
          inner,
          columns: rightSize,
          transposeLeft: true,
          count,
          scale: 1,
          keep: i === 0 ? 0 : 1,
          out: scores,
        };
        return { jobs: [job] };
      });
      return [...products, ...this.squarePhases(scores, count, target, begin === 0)];
    });
    return [{ jobs: rotated.flatMap(({ phase }) => phase.jobs) }, ...chunks];
  }

  /** Several rows per example, or patches of images: the scores are made of them first and then rotated. */
  private scorePhases({ examples, uses }: Group, target: Target, basis: Basis): Phase[] {
    const { leftSize, rightSize, bias, transposed } = this.shape;
    const size = leftSize * rightSize;
    const rotates = basis.left !== undefined || basis.right !== undefined;
    return this.chunks(examples, rotates ? 2 : 1).flatMap(([begin, end]): Phase[] => {
      const count = end - begin;
      const scores = this.scores.subarray(0, count * size);
      const phases = uses.map(({ input, gradient }, i): Phase => {
        const [a, g] = [examplesOf(input, examples, begin, end), examplesOf(gradient, examples, begin, end)];
        const job: Job = {
          op: 'scores',
          activation: transposed ? g : a,
          outputGradient: transposed ? (a as Rows) : g,
          examples: count,
          homogeneous: bias,
          scale: 1,
          keep: i === 0 ? 0 : 1,
          out: scores,
        };
        return { jobs: [job] };
      });
      if (!rotates) return [...phases, ...this.squarePhases(scores, count, target, begin === 0)];
      const rotated = this.rotated.subarray(0, count * size);
      const one = (stack: FloatArray, n: number) => stack.subarray(n * size, (n + 1) * size);
      const jobs = Array.from({ length: count }, (_, n): Job => {
        return rotation(one(scores, n), one(rotated, n), this.shape, basis);
      });
      return [...phases, { jobs }, ...this.squarePhases(rotated, count, target, begin === 0)];
    });
  }

  /** `out = keep out + scale sum_n scores[n]^2`, where a later chunk keeps all of what the first has left. */
  private squarePhases(
    scores: FloatArray,
    count: number,
    { out, keep, scale }: Target,
    first: boolean,
  ): Phase[] {
    const sum: Job = {
      op: 'product',
      left: onesLike(scores, count),
      right: scores,
      rows: 1,
      inner: count,
      columns: out.length,
      scale,
      keep: first ? keep : 1,
      out,
    };
    return [{ jobs: [square(scores)] }, { jobs: [sum] }];
  }

  /** Copies of the rows of either side of a use, as the phase that comes first has rotated them. */
  private rotatedSides(
    { input, gradient }: Group['uses'][number],
    basis: Basis,
  ): { sides: [Rows, Rows]; phase: Phase } {
    const { bias, transposed } = this.shape;
    const [a, g] = [copyRows(input as Rows, bias), copyRows(gradient)];
    const jobs: Job[] = [];
    const rotate = (rows: Rows, vectors?: FloatArray): Rows => {
      if (!vectors) return rows;
      const { data, rows: count, columns } = rows;
      const out = allocate(this.precision, data.length);
      jobs.push({
        op: 'product',
        left: data,
        right: vectors,
        rows: count,
        inner: columns,
        columns,
        scale: 1,
        keep: 0,
        out,
      });
      return { data: out, rows: count, columns };
    };
    const [left, right] = transposed ? [g, a] : [a, g];
    const sides: [Rows, Rows] = [rotate(left, basis.left), rotate(right, basis.right)];
    return { sides, phase: { jobs } };
  }

  /** Ranges of examples whose scores fit into the scratch memory, of which there are so many `stacks`. */
  private chunks(examples: number, stacks: 1 | 2): [number, number][] {
    const { leftSize, rightSize } = this.shape;
    const size = leftSize * rightSize;
    const bytes = stacks * size * this.scores.BYTES_PER_ELEMENT;
    const most = Math.min(examples, Math.max(1, Math.floor(scratchLimit / bytes)));
    if (this.scores.length < most * size) this.scores = allocate(this.precision, most * size);
    if (stacks === 2 && this.rotated.length < most * size) {
      this.rotated = allocate(this.precision, most * size);
    }
    return Array.from({ length: Math.ceil(examples / most) }, (_, i) => {
      return [i * most, Math.min(examples, (i + 1) * most)];
    });
  }
}

/** `out = keep out + scale (...)`. */
interface Target {
  out: FloatArray;
  keep: number;
  scale: number;
}

/**
 * Which uses make up one score. Where the rows of a use are no multiple of the examples, as for a recurrent layer with a prediction at
 * every step, they cannot be told apart by example: each row (each image) then counts as one.
 */
function groupsOf(activations: Input[], { outputGradients }: BackwardPass, examples: number): Group[] {
  const uses = activations.map((input, i) => ({ input, gradient: outputGradients![i] }));
  if (uses.every(({ input }) => countOf(input) % examples === 0)) return [{ examples, uses }];
  return uses.map((use) => ({ examples: countOf(use.input), uses: [use] }));
}

function countOf(input: Input): number {
  return 'geometry' in input ? input.geometry.batch : rowsOf(input);
}

function square(data: FloatArray): Job {
  return { op: 'elementwise', how: 'multiply', left: data, right: data, offset: 0, out: data };
}

/** `out = U_l' input U_r`. */
export function rotation(input: FloatArray, out: FloatArray, shape: ScoreShape, basis: Basis): Job {
  const { leftSize, rightSize } = shape;
  return {
    op: 'kronecker',
    left: basis.left ?? onesLike(input, leftSize),
    leftSize,
    leftForm: basis.left ? 'full' : 'diagonal',
    ...(basis.left && { leftTransposed: true }),
    right: basis.right ?? onesLike(input, rightSize),
    rightSize,
    rightForm: basis.right ? 'full' : 'diagonal',
    input,
    out,
  };
}
