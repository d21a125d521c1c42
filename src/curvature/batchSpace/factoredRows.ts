/**
 * Scores that are never formed: the inputs X (N R rows) and the output gradients D (K N R rows, K passes) of a layer stand for them.
 *
 * With one row per example the score is an outer product, and so the Gram matrix is a Hadamard product,
 *
 *     (U U')_{nm} = (x~_n . x~_m) (d_n . d_m),     x~_n . x~_m = x_n . x_m + 1 with a bias
 *
 * (Soori et al., "TENGraD: Time-Efficient Natural Gradient Descent with Exact Fisher-Block Inversion", 2021, equation 11); with R rows
 * per example it is the sum of that over their pairs of rows. Likewise
 *
 *     (U v)_n = sum_r x~_{n,r}' V d_{n,r},     U'c = sum_n c_n sum_r x~_{n,r} d_{n,r}'.
 *
 * D holds the scale that makes `F = U'U`.
 */
import type { FloatArray, Job, ProductJob } from '../../linalg/jobs';
import type { RowsOrPatches, Statistics } from '../block';
import { inputsOf, scoreScale, type ScoredLayer } from '../scores/exampleScores';
import { allocate, type Precision } from '../shared/factor';
import type { Phase } from '../phases';
import { copyJob, rowCount, type RowCounts, type ScoreRows } from '../scores/scoreRows';
import type { Scratch } from '../shared/scratch';

export interface FactoredCounts extends RowCounts {
  positions: number;
}

/** Matrices of rows in the place of X and D: themselves, or some of their columns, with what the products of two rows then count for. */
export interface Measure {
  inputs: FloatArray;
  inputSize: number;
  gradients: FloatArray;
  outputSize: number;
  /** What inner products of two rows of `inputs`, of `gradients`, are multiplied with. */
  inputWeight: number;
  gradientWeight: number;
}

export class FactoredRows implements ScoreRows {
  readonly examples: number;
  readonly passes: number;
  readonly positions: number;
  readonly arrays: Record<'inputs' | 'gradients', FloatArray>;

  constructor(
    protected readonly layer: ScoredLayer,
    counts: FactoredCounts,
    protected readonly precision: Precision,
  ) {
    this.examples = counts.examples;
    this.passes = counts.passes;
    this.positions = counts.positions;
    this.arrays = {
      inputs: allocate(precision, this.inputRows * layer.inputSize),
      gradients: allocate(precision, this.gradientRows * layer.outputSize),
    };
  }

  protected get inputRows(): number {
    return this.examples * this.positions;
  }

  protected get gradientRows(): number {
    return this.passes * this.inputRows;
  }

  /** What `gram` and `project` are computed from. */
  protected get measure(): Measure {
    return this.whole;
  }

  private get whole(): Measure {
    const { inputSize, outputSize } = this.layer;
    return { ...this.arrays, inputSize, outputSize, inputWeight: 1, gradientWeight: 1 };
  }

  /** Copies the rows, by the job that forms scores: that of a row alone with the gradient 1 is the row. */
  fill(statistics: Statistics, batch: number): Phase[] {
    const [input] = inputsOf(this.layer, statistics);
    const ones = allocate(this.precision, this.inputRows).fill(1);
    const copy = (activation: RowsOrPatches, scale: number, out: FloatArray): Job => ({
      op: 'scores',
      activation,
      outputGradient: { data: ones, rows: this.inputRows, columns: 1 },
      examples: this.inputRows,
      homogeneous: false,
      scale,
      keep: 0,
      out,
    });
    const length = this.inputRows * this.layer.outputSize;
    const gradients = statistics.passes.map((pass, k) =>
      copy(
        pass.outputGradients![0],
        scoreScale(pass, statistics),
        this.arrays.gradients.subarray(k * length, (k + 1) * length),
      ),
    );
    return [{ jobs: [copy(input, 1, this.arrays.inputs), ...gradients] }, ...this.measurePhases(batch)];
  }

  /** What `measure` takes of rows that have just been filled in; `batch` says how many batches there were before. */
  measurePhases(_batch: number): Phase[] {
    return [];
  }

  gram(other: FactoredRows, out: FloatArray, scratch: Scratch): Phase[] {
    const [mine, its] = [this.measure, other.measure];
    const [rows, columns] = [this.gradientRows, other.gradientRows];
    const summed = this.positions > 1;
    let inputs = scratch.array('input products', this.inputRows * other.inputRows);
    const gradients = summed ? scratch.array('gradient products', rows * columns) : out;
    const phases: Phase[] = [
      {
        jobs: [
          rowProducts(
            mine.inputs,
            its.inputs,
            this.inputRows,
            mine.inputSize,
            other.inputRows,
            mine.inputWeight,
            inputs,
          ),
          rowProducts(
            mine.gradients,
            its.gradients,
            rows,
            mine.outputSize,
            columns,
            mine.gradientWeight,
            gradients,
          ),
        ],
      },
    ];
    // The inputs are the same in every pass: their products are repeated as often, by products with stacked identities.
    if (this.passes > 1) {
      const repeated = scratch.array('rows repeated', rows * other.inputRows);
      const left = this.repetition(scratch);
      const sizes = { rows, inner: this.inputRows, columns: other.inputRows };
      phases.push({
        jobs: [{ op: 'product', left, right: inputs, ...sizes, scale: 1, keep: 0, out: repeated }],
      });
      inputs = repeated;
    }
    if (other.passes > 1) {
      const repeated = scratch.array('columns repeated', rows * columns);
      const right = other.repetition(scratch);
      const sizes = { rows, inner: other.inputRows, columns, transposeRight: true };
      phases.push({
        jobs: [{ op: 'product', left: inputs, right, ...sizes, scale: 1, keep: 0, out: repeated }],
      });
      inputs = repeated;
    }
    phases.push({
      jobs: [
        {
          op: 'elementwise',
          how: 'multiply',
          left: gradients,
          right: inputs,
          offset: Number(this.layer.bias),
          out: gradients,
        },
      ],
    });
    return summed ? [...phases, ...this.sumsOverPositions(other, gradients, out, scratch)] : phases;
  }

  /** `out[n][m]` = the sum of the block of products that belongs to the examples n and m. */
  private sumsOverPositions(
    other: FactoredRows,
    products: FloatArray,
    out: FloatArray,
    scratch: Scratch,
  ): Phase[] {
    const [rows, columns, r] = [rowCount(this), rowCount(other), this.positions];
    const halfway = scratch.array('sums of columns', rows * r * columns);
    const within: Job = {
      op: 'product',
      left: products,
      right: scratch.ones(r),
      rows: rows * r * columns,
      inner: r,
      columns: 1,
      scale: 1,
      keep: 0,
      out: halfway,
    };
    const across: Job = {
      op: 'product',
      left: scratch.ones(rows * r),
      right: halfway,
      rows: 1,
      inner: r,
      columns,
      count: rows,
      scale: 1,
      keep: 0,
      out,
    };
    return [{ jobs: [within] }, { jobs: [across] }];
  }

  /** As many identities on top of each other as there are passes. */
  private repetition(scratch: Scratch): FloatArray {
    const n = this.inputRows;
    const stacked = scratch.array(`identity of ${n}, ${this.passes} times`, this.gradientRows * n);
    for (let row = 0; row < this.gradientRows; row++) stacked[row * n + (row % n)] = 1;
    return stacked;
  }

  times(vectors: FloatArray[], out: FloatArray, scratch: Scratch): Phase[] {
    return this.timesMeasured(this.whole, vectors, out, scratch);
  }

  project(vectors: FloatArray[], out: FloatArray, scratch: Scratch): Phase[] {
    return this.timesMeasured(this.measure, vectors, out, scratch);
  }

  private timesMeasured(
    { inputs, inputSize, gradients, outputSize, inputWeight, gradientWeight }: Measure,
    vectors: FloatArray[],
    out: FloatArray,
    scratch: Scratch,
  ): Phase[] {
    const n = this.inputRows;
    const forward = scratch.array('forward', n * outputSize);
    const products = scratch.array('products', this.gradientRows * outputSize);
    const kernel: Job = {
      op: 'product',
      left: inputs,
      right: vectors[0],
      rows: n,
      inner: inputSize,
      columns: outputSize,
      scale: inputWeight,
      keep: 0,
      out: forward,
    };
    const bias = (vector: FloatArray): Job => ({
      op: 'product',
      left: scratch.ones(n),
      right: vector,
      rows: n,
      inner: 1,
      columns: outputSize,
      scale: 1,
      keep: 1,
      out: forward,
    });
    const perPass = slices(products, this.passes).map((product, k): Job => {
      const right = slices(gradients, this.passes)[k];
      return { op: 'elementwise', how: 'multiply', left: forward, right, offset: 0, out: product };
    });
    const sum: Job = {
      op: 'product',
      left: products,
      right: scratch.ones(this.positions * outputSize),
      rows: rowCount(this),
      inner: this.positions * outputSize,
      columns: 1,
      scale: gradientWeight,
      keep: 0,
      out,
    };
    return [
      { jobs: [kernel] },
      ...(this.layer.bias ? [{ jobs: [bias(vectors[1])] }] : []),
      { jobs: perPass },
      { jobs: [sum] },
    ];
  }

  addTransposed(coefficients: FloatArray, scale: number, outs: FloatArray[], scratch: Scratch): Phase[] {
    const { inputSize, outputSize, bias } = this.layer;
    const { inputs, gradients } = this.arrays;
    const perRow = this.positions * outputSize;
    const scaled = scratch.array('scaled', gradients.length);
    const total = scratch.array('total', gradients.length / this.passes);
    const spread: Job = {
      op: 'product',
      left: coefficients,
      right: scratch.ones(perRow),
      rows: rowCount(this),
      inner: 1,
      columns: perRow,
      scale: 1,
      keep: 0,
      out: scaled,
    };
    const multiply: Job = {
      op: 'elementwise',
      how: 'multiply',
      left: scaled,
      right: gradients,
      offset: 0,
      out: scaled,
    };
    const terms = slices(scaled, this.passes).map((data) => ({ data, scale: 1 }));
    const n = this.inputRows;
    const add = (left: FloatArray, rows: number, out: FloatArray): ProductJob => ({
      op: 'product',
      left,
      right: total,
      rows,
      inner: n,
      columns: outputSize,
      transposeLeft: true,
      scale,
      keep: 1,
      out,
    });
    return [
      { jobs: [spread] },
      { jobs: [multiply] },
      { jobs: [{ op: 'combine', terms, out: total }] },
      {
        jobs: [add(inputs, inputSize, outs[0]), ...(bias ? [add(scratch.ones(n), 1, outs[1])] : [])],
      },
    ];
  }

  select(rows: readonly number[]): { selected: FactoredRows; jobs: Job[] } {
    const selected = this.likeThis({ examples: rows.length, passes: 1, positions: this.positions });
    const jobs = rows.flatMap((row, to) =>
      this.rowArrays(row % this.examples, row).map((data, i) => copyJob(data, selected.rowArrays(to, to)[i])),
    );
    return { selected, jobs };
  }

  protected likeThis(counts: FactoredCounts): FactoredRows {
    return new FactoredRows(this.layer, counts, this.precision);
  }

  /** The stretches of the arrays that belong to the inputs of an example, to the gradients of a row of U. */
  protected rowArrays(example: number, row: number): FloatArray[] {
    const { inputs, gradients } = this.arrays;
    return [slice(inputs, example, this.examples), slice(gradients, row, rowCount(this))];
  }

  toDense(): Float64Array {
    const { inputSize, outputSize, bias } = this.layer;
    const { inputs, gradients } = this.arrays;
    const size = (inputSize + Number(bias)) * outputSize;
    const dense = new Float64Array(rowCount(this) * size);
    for (let row = 0; row < this.gradientRows; row++) {
      const begin = Math.floor(row / this.positions) * size;
      const x = slice(inputs, row % this.inputRows, this.inputRows);
      const d = slice(gradients, row, this.gradientRows);
      for (let i = 0; i < inputSize + Number(bias); i++) {
        for (let j = 0; j < outputSize; j++) dense[begin + i * outputSize + j] += (x[i] ?? 1) * d[j];
      }
    }
    return dense;
  }
}

/** `out = scale left right'`. */
function rowProducts(
  left: FloatArray,
  right: FloatArray,
  rows: number,
  inner: number,
  columns: number,
  scale: number,
  out: FloatArray,
): ProductJob {
  return { op: 'product', left, right, rows, inner, columns, transposeRight: true, scale, keep: 0, out };
}

function slice(array: FloatArray, at: number, count: number): FloatArray {
  const length = array.length / count;
  return array.subarray(at * length, (at + 1) * length);
}

function slices(array: FloatArray, count: number): FloatArray[] {
  return Array.from({ length: count }, (_, at) => slice(array, at, count));
}
