/**
 * Online natural gradient of any variable from its gradient alone (see `onlineLowRank`): along each axis in turn, the gradient is a matrix
 * whose rows are its fibres in that direction, which are preconditioned and scaled back to their norm. Axes of length 1 are left out. `alpha`
 * does what damping does elsewhere; the damping of the optimizer does not enter.
 */
import type { FloatArray } from '../../linalg/jobs';
import {
  variableSizes,
  type AverageStep,
  type BlockShape,
  type BlockSummary,
  type CurvatureBlock,
  type RefreshOutcome,
  type Statistics,
} from '../block';
import { allocate, type Precision } from '../shared/factor';
import { product } from '../shared/productJob';
import { summaryOf } from '../shared/summary';
import { dotPhase, type Phase } from '../phases';
import { OnlineLowRank } from './onlineLowRank';
import { ONLINE_DEFAULTS, type OnlineNaturalGradientOptions } from './onlineOptions';

export interface OnlineAxesBlockOptions extends Omit<OnlineNaturalGradientOptions, 'form'> {
  shape: BlockShape;
  precision?: Precision;
}

/** One axis of a variable: where it is among the variables and the dimensions, and its matrix. */
interface Axis {
  variable: number;
  dimension: number;
  side: OnlineLowRank;
}

export class OnlineAxesBlock implements CurvatureBlock {
  readonly structure = 'online natural gradient, by axes';
  readonly shape: BlockShape;
  readonly needs = [{ scores: true }];
  ready = false;

  private readonly precision: Precision;
  private readonly axes: Axis[];

  constructor({ shape, precision = 'float32', ...own }: OnlineAxesBlockOptions) {
    const options = { ...ONLINE_DEFAULTS, ...own };
    this.shape = shape;
    this.precision = precision;
    this.axes = shape.shapes.flatMap((lengths, variable) =>
      lengths.flatMap((length, dimension) =>
        length > 1 ? [{ variable, dimension, side: new OnlineLowRank(length, options, precision) }] : [],
      ),
    );
  }

  /** The moving average is Kaldi's own, over fibres; that of the optimizer does not enter. */
  updatePhases([{ passes }]: Statistics[], _: AverageStep): Phase[] {
    const values = variableSizes(this.shape).map((size, variable) => {
      const gradient = allocate(this.precision, size);
      for (const { scores, weight, gradientScale } of passes) {
        for (let i = 0; i < size; i++) gradient[i] += weight * gradientScale * scores![variable][i];
      }
      return gradient;
    });
    return this.along(
      values,
      ({ side }, rows) => side.updatePhases({ rows, count: rows.length / side.size }),
      (axis) => this.inverse(axis),
    );
  }

  refreshPhases(): Phase[] {
    return [];
  }

  install(): RefreshOutcome {
    this.ready = true;
    return { failures: 0, retries: 0, minEigenvalue: NaN, overflowed: false };
  }

  restart(): void {
    for (const { side } of this.axes) side.restart();
  }

  preconditionPhases(gradients: FloatArray[], directions: FloatArray[]): Phase[] {
    return this.products(gradients, directions, (axis) => this.inverse(axis));
  }

  multiplyPhases(vectors: FloatArray[], products: FloatArray[]): Phase[] {
    return this.products(vectors, products, ({ side }) => {
      const { factor, weighted, rho } = side.lowRank;
      return { factor, weighted, scale: 1, keep: rho };
    });
  }

  /** gamma (I - W'W); read when it is applied, because gamma belongs to the rows that came before. */
  private inverse({ side }: Axis): Applied {
    const { weights, gamma } = side;
    return {
      factor: weights,
      weighted: weights,
      get scale() {
        return -gamma[0];
      },
      get keep() {
        return gamma[0];
      },
    };
  }

  private products(vectors: FloatArray[], out: FloatArray[], how: (axis: Axis) => Applied): Phase[] {
    const values = vectors.map((vector) => vector.slice());
    const finish: Phase = { jobs: [], then: () => out.forEach((result, i) => result.set(values[i])) };
    return [...this.along(values, () => [], how), finish, dotPhase(vectors, out)];
  }

  /** Multiplies `values` in place along one axis after the other; `before` is done with the rows of each first. */
  private along(
    values: FloatArray[],
    before: (axis: Axis, rows: FloatArray) => Phase[],
    how: (axis: Axis) => Applied,
  ): Phase[] {
    return this.axes.flatMap((axis) => {
      const { side, variable, dimension } = axis;
      const array = values[variable];
      const rows = allocate(this.precision, array.length);
      const count = array.length / side.size;
      const shape = this.shape.shapes[variable];
      const projections = allocate(this.precision, count * side.rank);
      const { factor, weighted } = how(axis);
      const scaled = allocate(this.precision, array.length);
      return [
        { jobs: [], then: () => arrange(array, rows, shape, dimension, 'fibres') },
        ...before(axis, rows),
        {
          jobs: [
            product([count, side.size, side.rank], rows, weighted, projections, { transposeRight: true }),
          ],
        },
        {
          jobs: [product([count, side.rank, side.size], projections, factor, scaled)],
          then: () => {
            const { scale, keep } = how(axis);
            for (let i = 0; i < rows.length; i++) rows[i] = keep * rows[i] + scale * scaled[i];
            arrange(array, rows, shape, dimension, 'array');
          },
        },
      ] as Phase[];
    });
  }

  toDense(): Float64Array {
    const sizes = variableSizes(this.shape);
    const n = sizes.reduce((sum, size) => sum + size, 0);
    const dense = new Float64Array(n * n);
    let begin = 0;
    sizes.forEach((size, variable) => {
      const shape = this.shape.shapes[variable];
      for (let row = 0; row < size; row++) {
        for (let column = 0; column < size; column++) {
          let value = 1;
          let [i, j] = [row, column];
          for (let dimension = shape.length - 1; dimension >= 0; dimension--) {
            const length = shape[dimension];
            const axis = this.axes.find((one) => one.variable === variable && one.dimension === dimension);
            if (axis) value *= axis.side.at(i % length, j % length);
            [i, j] = [Math.floor(i / length), Math.floor(j / length)];
          }
          dense[(begin + row) * n + begin + column] = value;
        }
      }
      begin += size;
    });
    return dense;
  }

  state(): Record<string, FloatArray> {
    const entries = this.axes.flatMap(({ variable, dimension, side }) =>
      Object.entries(side.state()).map(
        ([name, values]) => [`${variable}/${dimension}/${name}`, values] as const,
      ),
    );
    return Object.fromEntries(entries);
  }

  upcoming(): Record<string, FloatArray> {
    return {};
  }

  loaded(ready: boolean): void {
    this.ready = ready;
  }

  summary(): BlockSummary {
    return summaryOf(this, {
      matrices: this.axes.map(({ side }) => side.dimensions).join(', '),
      bytes: this.axes.reduce((sum, { side }) => sum + side.bytes, 0),
    });
  }
}

/** `rows <- keep rows + scale (rows weighted') factor` */
interface Applied {
  factor: FloatArray;
  weighted: FloatArray;
  readonly scale: number;
  readonly keep: number;
}

/** Copies an array of the given shape to its fibres along one dimension as rows, or back. */
function arrange(
  array: FloatArray,
  rows: FloatArray,
  shape: number[],
  dimension: number,
  to: 'fibres' | 'array',
): void {
  const length = shape[dimension];
  const inner = shape.slice(dimension + 1).reduce((product, size) => product * size, 1);
  const outer = array.length / (length * inner);
  let row = 0;
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++, row++) {
      for (let k = 0; k < length; k++) {
        const at = (o * length + k) * inner + i;
        if (to === 'fibres') rows[row * length + k] = array[at];
        else array[at] = rows[row * length + k];
      }
    }
  }
}
