/**
 * Online natural gradient of a layer (see `onlineLowRank`): the rows x~ = [x; 1] that go into it and the gradients g at its outputs are each
 * multiplied by an inverse of low rank, and scaled back to their norm. The gradient of the layer being V = sum x~ g', that is
 *
 *     gamma_x gamma_g (I - W_x' W_x) V (I - W_g' W_g)
 *
 * with the W of before the batch whose rows give the gammas. `alpha` does what damping does elsewhere; the damping of the optimizer does not
 * enter.
 */
import type { FloatArray } from '../../linalg/jobs';
import {
  rowsOf,
  type Activation,
  type AverageStep,
  type BackwardPass,
  type BlockShape,
  type BlockSummary,
  type CurvatureBlock,
  type RefreshOutcome,
  type Statistics,
} from '../block';
import { combineJob } from '../shared/elementwiseJobs';
import { byWeight, effectiveRows, totalWeight } from '../shared/rowWeights';
import { allocate, type Precision } from '../shared/factor';
import { copyJob } from '../shared/layerMatrix';
import { product } from '../shared/productJob';
import { summaryOf } from '../shared/summary';
import { dotPhase, type Phase } from '../phases';
import { OnlineLowRank, type RowSource } from './onlineLowRank';
import { ONLINE_DEFAULTS, type OnlineNaturalGradientOptions } from './onlineOptions';

export interface OnlineNaturalGradientBlockOptions extends Omit<OnlineNaturalGradientOptions, 'form'> {
  shape: BlockShape;
  /** Length of an input row or patch, without the homogeneous coordinate. */
  inputSize: number;
  outputSize: number;
  /** Whether the second variable is the bias. */
  bias: boolean;
  precision?: Precision;
}

export class OnlineNaturalGradientBlock implements CurvatureBlock {
  readonly structure = 'online natural gradient';
  readonly shape: BlockShape;
  readonly needs = [{ activations: true, outputGradients: true }];
  ready = false;

  private readonly precision: Precision;
  private readonly bias: boolean;
  private readonly input: OnlineLowRank;
  private readonly output: OnlineLowRank;

  constructor({
    shape,
    inputSize,
    outputSize,
    bias,
    precision = 'float32',
    ...own
  }: OnlineNaturalGradientBlockOptions) {
    const options = { ...ONLINE_DEFAULTS, ...own };
    this.shape = shape;
    this.precision = precision;
    this.bias = bias;
    this.input = new OnlineLowRank(inputSize + (bias ? 1 : 0), options, precision);
    this.output = new OnlineLowRank(outputSize, options, precision);
  }

  /** The moving average is Kaldi's own, over rows; that of the optimizer does not enter. */
  updatePhases([{ activations, passes }]: Statistics[], _: AverageStep): Phase[] {
    const sides = [
      this.input.updatePhases(this.inputRows(activations!)),
      this.output.updatePhases(this.outputRows(passes, activations!)),
    ];
    return sides.flat();
  }

  /**
   * The rows [x; 1] of all uses, or their second moment where they are patches. Of rows that do not count alike, those of so many that would
   * tell as much.
   */
  private inputRows(activations: Activation[]): RowSource {
    const { size } = this.input;
    const count = effectiveRows(activations);
    const share = count / totalWeight(activations);
    const parts = activations.flatMap(byWeight);
    if (activations.some((activation) => 'geometry' in activation)) {
      const moment = allocate(this.precision, size * size);
      const inputs = parts.map(({ rows, weight }) => ({
        ...(rows as Exclude<Activation, { indices: Int32Array }>),
        scale: share * weight,
      }));
      return {
        moment,
        count,
        compute: { op: 'factor', inputs, homogeneous: this.bias, decay: 0, factor: moment, size },
      };
    }
    const all = parts.reduce((sum, part) => sum + rowsOf(part.rows), 0);
    const rows = allocate(this.precision, all * size);
    let at = 0;
    for (const { rows: part, weight } of parts) {
      const { data, rows: length, columns } = part as Extract<Activation, { rows: number }>;
      const root = Math.sqrt(share * weight);
      for (let r = 0; r < length; r++, at += size) {
        for (let i = 0; i < columns; i++) rows[at + i] = root * data[r * columns + i];
        if (this.bias) rows[at + columns] = root;
      }
    }
    return { rows, count };
  }

  /** The gradients of the un-averaged loss, of all uses and passes; a pass counts by its weight, and its rows as those of the inputs. */
  private outputRows(passes: BackwardPass[], activations: Activation[]): RowSource {
    const all = activations.reduce((sum, activation) => sum + rowsOf(activation), 0);
    const share = effectiveRows(activations) / all;
    const parts = passes.flatMap(({ weight, gradientScale, outputGradients }) =>
      outputGradients!.map(({ data, rows }) => ({
        data,
        rows,
        weight,
        scale: gradientScale * Math.sqrt(weight * share),
      })),
    );
    const rows = allocate(
      this.precision,
      parts.reduce((length, { data }) => length + data.length, 0),
    );
    let at = 0;
    for (const { data, scale } of parts) for (let i = 0; i < data.length; i++) rows[at++] = scale * data[i];
    return { rows, count: share * parts.reduce((sum, part) => sum + part.weight * part.rows, 0) };
  }

  refreshPhases(): Phase[] {
    return [];
  }

  install(): RefreshOutcome {
    this.ready = true;
    return { failures: 0, retries: 0, minEigenvalue: NaN, overflowed: false };
  }

  restart(): void {
    this.input.restart();
    this.output.restart();
  }

  preconditionPhases(gradients: FloatArray[], directions: FloatArray[]): Phase[] {
    const side = ({ weights }: OnlineLowRank) => ({ factor: weights, weighted: weights, keep: 1, scale: -1 });
    const scale = this.input.gamma[0] * this.output.gamma[0];
    return this.products(gradients, directions, side(this.input), side(this.output), scale);
  }

  multiplyPhases(vectors: FloatArray[], products: FloatArray[]): Phase[] {
    const side = ({ lowRank: { factor, weighted, rho } }: OnlineLowRank) => ({
      factor,
      weighted,
      keep: rho,
      scale: 1,
    });
    return this.products(vectors, products, side(this.input), side(this.output), 1);
  }

  /** `out = scale (keep_x I + scale_x factor_x' weighted_x) V (keep_g I + scale_g weighted_g' factor_g)` */
  private products(
    vectors: FloatArray[],
    out: FloatArray[],
    x: LowRankSide,
    g: LowRankSide,
    scale: number,
  ): Phase[] {
    const [n, m] = [this.input.size, this.output.size];
    const [p, q] = [this.input.rank, this.output.rank];
    const V = allocate(this.precision, n * m);
    const kernel = vectors[0].length;
    const split = [V.subarray(0, kernel), V.subarray(kernel)];
    const ofInput = allocate(this.precision, p * m);
    const ofOutput = allocate(this.precision, n * q);
    return [
      { jobs: vectors.map((vector, i) => copyJob(vector, split[i])) },
      { jobs: [product([p, n, m], x.weighted, V, ofInput)] },
      {
        jobs: [
          product([n, p, m], x.factor, ofInput, V, { transposeLeft: true, scale: x.scale, keep: x.keep }),
        ],
      },
      { jobs: [product([n, m, q], V, g.weighted, ofOutput, { transposeRight: true })] },
      { jobs: [product([n, q, m], ofOutput, g.factor, V, { scale: g.scale, keep: g.keep })] },
      { jobs: out.map((result, i) => combineJob([[scale, split[i]]], result)) },
      dotPhase(vectors, out),
    ];
  }

  toDense(): Float64Array {
    const [n, m] = [this.input.size, this.output.size];
    const size = n * m;
    return Float64Array.from({ length: size * size }, (_, at) => {
      const [row, column] = [Math.floor(at / size), at % size];
      return this.input.at(Math.floor(row / m), Math.floor(column / m)) * this.output.at(row % m, column % m);
    });
  }

  state(): Record<string, FloatArray> {
    const named = (name: string, side: OnlineLowRank) =>
      Object.entries(side.state()).map(([key, values]) => [`${name}/${key}`, values]);
    return Object.fromEntries([...named('input', this.input), ...named('output', this.output)]) as Record<
      string,
      FloatArray
    >;
  }

  upcoming(): Record<string, FloatArray> {
    return {};
  }

  loaded(ready: boolean): void {
    this.ready = ready;
  }

  summary(): BlockSummary {
    return summaryOf(this, {
      matrices: `${this.input.dimensions}, ${this.output.dimensions}`,
      bytes: this.input.bytes + this.output.bytes,
    });
  }
}

interface LowRankSide {
  factor: FloatArray;
  weighted: FloatArray;
  keep: number;
  scale: number;
}
