/**
 * Vectors over the variables of a chain of layers, as one matrix per layer, and the steps from a layer to the next: products with the two
 * factors of a block (i, i + 1), one after the other, `left V right'` upward and `left' V right` downward.
 */
import type { FloatArray, Job } from '../../linalg/jobs';
import type { Phase } from '../phases';
import { allocate, type Precision } from '../shared/factor';
import { gatherJobs, scatterJobs, type MatrixShape } from '../shared/layerMatrix';
import { product } from '../shared/productJob';

/** How the second half of a step enters what is there: `out = scale (half …) + keep out`. */
interface How {
  scale: number;
  keep: number;
}

export class ChainVectors {
  /** Two matrices per layer to work with. */
  readonly v: FloatArray[];
  readonly t: FloatArray[];
  /** The first half of a step between a layer and the next. */
  private readonly halves: FloatArray[];

  /** @param shapes of the layers' matrices, the bias under its kernel */
  constructor(
    private readonly shapes: MatrixShape[],
    private readonly precision: Precision,
  ) {
    this.v = this.matrices();
    this.t = this.matrices();
    this.halves = shapes.slice(1).map((next, i) => {
      const { rows, columns } = shapes[i];
      return allocate(precision, Math.max(rows * next.columns, next.rows * columns));
    });
  }

  /** Those that only jobs use. */
  get resident(): FloatArray[] {
    return [...this.v, ...this.t, ...this.halves];
  }

  /** A matrix of zeros per layer. */
  matrices(): FloatArray[] {
    return this.shapes.map(({ rows, columns }) => allocate(this.precision, rows * columns));
  }

  /** `half = left next`, the first half of a step from layer i + 1 to layer i. */
  fromNext(i: number, left: FloatArray, next: FloatArray): Job {
    const { rows } = this.shapes[i];
    const { rows: inner, columns } = this.shapes[i + 1];
    return product([rows, inner, columns], left, next, this.half(i, rows, columns));
  }

  /** `out = scale half right' + keep out`, its second half. */
  toThis(i: number, right: FloatArray, out: FloatArray, how: How): Job {
    const { rows, columns } = this.shapes[i];
    const inner = this.shapes[i + 1].columns;
    const half = this.half(i, rows, inner);
    return product([rows, inner, columns], half, right, out, { ...how, transposeRight: true });
  }

  /** `half = left' from`, the first half of a step from layer i to layer i + 1. */
  fromThis(i: number, left: FloatArray, from: FloatArray): Job {
    const { rows: inner, columns } = this.shapes[i];
    const { rows } = this.shapes[i + 1];
    const half = this.half(i, rows, columns);
    return product([rows, inner, columns], left, from, half, { transposeLeft: true });
  }

  /** `out = scale half right + keep out`, its second half. */
  toNext(i: number, right: FloatArray, out: FloatArray, how: How): Job {
    const { columns: inner } = this.shapes[i];
    const { rows, columns } = this.shapes[i + 1];
    return product([rows, inner, columns], this.half(i, rows, inner), right, out, how);
  }

  private half(i: number, rows: number, columns: number): FloatArray {
    return this.halves[i].subarray(0, rows * columns);
  }

  /** Variables into `v`. */
  copyIn(variables: FloatArray[]): Phase {
    return { jobs: this.each(variables, this.v, gatherJobs) };
  }

  copyOut(matrices: FloatArray[], variables: FloatArray[]): Phase {
    return { jobs: this.each(variables, matrices, (own, matrix, shape) => scatterJobs(matrix, own, shape)) };
  }

  /** Jobs for every layer's own variables and its matrix. */
  private each(variables: FloatArray[], matrices: FloatArray[], jobs: typeof gatherJobs): Job[] {
    let begin = 0;
    return this.shapes.flatMap((shape, i) => {
      const own = variables.slice(begin, (begin += shape.bias ? 2 : 1));
      return jobs(own, matrices[i], shape);
    });
  }

  get bytes(): number {
    return [...this.v, ...this.t, ...this.halves].reduce((sum, { byteLength }) => sum + byteLength, 0);
  }
}
