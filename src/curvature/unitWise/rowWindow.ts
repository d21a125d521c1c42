/**
 * The last W rows (a~_r, g_r) of a layer, in rings, with weights w_r that fall as batches age and add up to one batch.
 *
 * Of a batch with more rows than the window, evenly spaced ones are taken, with larger weights.
 */
import type { FloatArray, Job } from '../../linalg/jobs';
import type { AverageStep, Rows, Statistics } from '../block';
import { allocate, type Precision } from '../shared/factor';
import { copyJob } from '../shared/layerMatrix';
import { product } from '../shared/productJob';
import { like } from '../shared/rowCopies';

/** The rows of one use of the layer in one backward pass, and what each counts for. */
interface Source {
  input: Rows;
  gradient: Rows;
  weight: number;
}

export class RowWindow {
  /** Rows of a~, [W, inputs]. */
  readonly inputs: FloatArray;
  /** Rows of g, [W, units]. */
  private readonly gradients: FloatArray;
  /** What each row counts for, and its share of a batch. */
  private readonly weights: Float64Array;
  private readonly shares: Float64Array;
  /** Where the next row goes. */
  private readonly position = Float64Array.of(0);

  /**
   * @param length W
   * @param inputSize length of a~
   * @param units length of g
   */
  constructor(
    readonly length: number,
    private readonly inputSize: number,
    private readonly units: number,
    precision: Precision,
  ) {
    this.inputs = allocate(precision, length * inputSize);
    this.gradients = allocate(precision, length * units);
    this.weights = new Float64Array(length);
    this.shares = new Float64Array(length);
  }

  /** Takes in the rows of a batch, to which a 1 is appended where inputs are one shorter; returns the jobs that copy them. */
  updateJobs({ examples, activations, passes }: Statistics, { decay, scale }: AverageStep): Job[] {
    const sources = passes.flatMap(({ weight, gradientScale, outputGradients }) =>
      activations!.map((activation, use) => ({
        input: activation as Rows,
        gradient: outputGradients![use],
        weight: (scale * weight * gradientScale ** 2) / examples,
      })),
    );
    for (let r = 0; r < this.length; r++) {
      this.weights[r] *= decay;
      this.shares[r] *= decay;
    }
    const [begin] = this.position;
    const { inputs, gradients, count } = this.take(sources, begin, scale);
    this.position[0] = (begin + count) % this.length;
    return [
      ...this.putJobs(inputs, this.inputSize, this.inputs, begin),
      ...this.putJobs(gradients, this.units, this.gradients, begin),
    ];
  }

  /** Copies of the rows that are kept, as many as fit; their weights are set at once, from position `begin` on. */
  private take(
    sources: Source[],
    begin: number,
    scale: number,
  ): { inputs: FloatArray; gradients: FloatArray; count: number } {
    const { length, inputSize, units } = this;
    const total = sources.reduce((sum, { input }) => sum + input.rows, 0);
    const count = Math.min(total, length);
    const inputs = like(this.inputs, count * inputSize).fill(1);
    const gradients = like(this.inputs, count * units);
    let source = 0;
    let before = 0;
    for (let k = 0; k < count; k++) {
      const row = Math.floor((k * total) / count);
      while (row - before >= sources[source].input.rows) before += sources[source++].input.rows;
      const { input, gradient, weight } = sources[source];
      const at = row - before;
      inputs.set(input.data.subarray(at * input.columns, (at + 1) * input.columns), k * inputSize);
      gradients.set(gradient.data.subarray(at * units, (at + 1) * units), k * units);
      this.weights[(begin + k) % length] = (weight * total) / count;
      this.shares[(begin + k) % length] = scale / count;
    }
    return { inputs, gradients, count };
  }

  /** Jobs that copy rows into a ring from position `begin` on. */
  private putJobs(rows: FloatArray, width: number, ring: FloatArray, begin: number): Job[] {
    const count = rows.length / width;
    const first = Math.min(count, this.length - begin);
    const jobs = [
      copyJob(rows.subarray(0, first * width), ring.subarray(begin * width, (begin + first) * width)),
    ];
    if (first < count) {
      jobs.push(copyJob(rows.subarray(first * width), ring.subarray(0, (count - first) * width)));
    }
    return jobs;
  }

  /** The job for gamma', [units, W], gamma_rj = sqrt(w_r) g_rj with the weights as they are now. */
  scaledGradients(out: FloatArray): Job {
    const { length, units } = this;
    const total = this.totalShare;
    const roots = like(this.gradients, length * length);
    for (let r = 0; r < length; r++) {
      roots[r * (length + 1)] = total > 0 ? Math.sqrt(this.weights[r] / total) : 0;
    }
    return product([units, length, length], this.gradients, roots, out, { transposeLeft: true });
  }

  private get totalShare(): number {
    return this.shares.reduce((sum, share) => sum + share, 0);
  }

  /** w_r g_rj^2 */
  weightOf(row: number, unit: number): number {
    const total = this.totalShare;
    return total > 0 ? (this.weights[row] / total) * this.gradients[row * this.units + unit] ** 2 : 0;
  }

  restart(): void {
    for (const array of [this.inputs, this.gradients, this.weights, this.shares]) array.fill(0);
  }

  /** Live arrays, by name. */
  state(): Record<string, FloatArray> {
    const { inputs, gradients, weights, shares, position } = this;
    return { inputs, gradients, weights, shares, position };
  }

  get bytes(): number {
    return this.inputs.byteLength + this.gradients.byteLength;
  }
}
