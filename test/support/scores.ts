/** Batches of (a, g) for one layer with the scores of their examples written out in float64: the oracle of structures that see scores. */
import type { Activation, CurvatureBlock, Rows } from '../../src/curvature/block';
import type { ConvGeometry, FloatArray, Kernels } from '../../src/linalg/jobs';
import { multiplyBy, precondition, refresh, type Batch } from './blocks';
import { randomInputs } from './denseNet';
import { addOuterProduct, plusDiagonal, relativeError, solve } from './matrices';

/** A batch with the rows of its examples: per example pairs of [a; 1] (or a) and g, over positions and uses. */
export interface RowBatch extends Batch {
  activations: Activation[];
  outputGradients: Rows[];
  pairs: { a: number[]; g: number[] }[][];
}

export interface LayerSizes {
  inputSize: number;
  outputSize: number;
  bias: boolean;
  transposed?: boolean;
}

/** Options of a block of one layer. */
export function blockOptions(sizes: LayerSizes, precision: 'float32' | 'float64' = 'float64') {
  const { inputSize, outputSize, bias, transposed } = sizes;
  const kernel = transposed ? [outputSize, inputSize] : [inputSize, outputSize];
  const shape = {
    names: bias ? ['kernel', 'bias'] : ['kernel'],
    shapes: bias ? [kernel, [outputSize]] : [kernel],
  };
  return { shape, ...sizes, precision };
}

/** Statistics of the inputs of the first batch with two backward passes that count half each, and the second pass as a batch of its own. */
export function twoPasses(first: RowBatch, second: RowBatch, gradientScale: number) {
  const passes = [first, second].map(({ outputGradients }) => ({
    weight: 0.5,
    gradientScale,
    outputGradients,
  }));
  const pairs = first.pairs.map((rows, n) => [{ a: rows[0].a, g: second.pairs[n][0].g }]);
  return {
    statistics: { examples: first.examples, activations: first.activations, passes },
    other: { ...first, pairs },
  };
}

/** A dense layer that is used `uses` times with `positions` rows per example each. */
export function denseBatch(
  { inputSize, outputSize, bias }: LayerSizes,
  {
    examples,
    positions = 1,
    uses = 1,
    seed,
  }: { examples: number; positions?: number; uses?: number; seed: number },
): RowBatch {
  const rows = examples * positions;
  const parts = Array.from({ length: uses }, (_, use) => ({
    a: randomInputs(rows, inputSize, seed + 2 * use),
    g: randomInputs(rows, outputSize, seed + 2 * use + 1),
  }));
  const row = (data: Float64Array, size: number, r: number) => [...data.subarray(r * size, (r + 1) * size)];
  return {
    examples,
    activations: parts.map(({ a }) => ({ data: a, rows, columns: inputSize })),
    outputGradients: parts.map(({ g }) => ({ data: g, rows, columns: outputSize })),
    pairs: Array.from({ length: examples }, (_, n) =>
      parts.flatMap(({ a, g }) =>
        Array.from({ length: positions }, (__, t) => ({
          a: [...row(a, inputSize, n * positions + t), ...(bias ? [1] : [])],
          g: row(g, outputSize, n * positions + t),
        })),
      ),
    ),
  };
}

/** A 2 x 2 convolution with stride 1 over images of 3 x 4, and padding at the top. */
export function convolutionBatch(
  channels: number,
  outputSize: number,
  examples: number,
  seed: number,
): RowBatch {
  const geometry: ConvGeometry = {
    batch: examples, inHeight: 3, inWidth: 4, channels, kernelHeight: 2, kernelWidth: 2, strideHeight: 1, strideWidth: 1,
    dilationHeight: 1, dilationWidth: 1, padTop: 1, padLeft: 0, outHeight: 3, outWidth: 3,
  }; // prettier-ignore
  const images = randomInputs(examples * 12, channels, seed);
  const g = randomInputs(examples * 9, outputSize, seed + 1);
  const pixel = (n: number, y: number, x: number, c: number) =>
    y < 0 ? 0 : images[((n * 3 + y) * 4 + x) * channels + c];
  const pairs = Array.from({ length: examples }, (_, n) =>
    Array.from({ length: 9 }, (__, t) => {
      const [y, x] = [Math.floor(t / 3) - 1, t % 3];
      const patch = [0, 1].flatMap((dy) =>
        [0, 1].flatMap((dx) => Array.from({ length: channels }, (___, c) => pixel(n, y + dy, x + dx, c))),
      );
      const row = n * 9 + t;
      return { a: [...patch, 1], g: [...g.subarray(row * outputSize, (row + 1) * outputSize)] };
    }),
  );
  return {
    examples,
    activations: [{ data: images, geometry }],
    outputGradients: [{ data: g, rows: examples * 9, columns: outputSize }],
    pairs,
  };
}

/** The sum of a g' over some rows, in the order of the variables: [a~, out], or [out, in] for a kernel that is used transposed. */
export function scoreOf(rows: { a: number[]; g: number[] }[], transposed = false): Float64Array {
  const total = new Float64Array(rows[0].a.length * rows[0].g.length);
  for (const { a, g } of rows) {
    const [left, right] = transposed ? [g, a] : [a, g];
    left.forEach((x, i) => right.forEach((y, j) => (total[i * right.length + j] += x * y)));
  }
  return total;
}

/** 1/N sum_n s_n s_n', dense. With `independentRows` every row has a score of its own. */
export function fisherOf(
  batch: RowBatch,
  { transposed = false, independentRows = false } = {},
): Float64Array {
  const scores = batch.pairs.flatMap((rows) =>
    independentRows ? rows.map((row) => scoreOf([row], transposed)) : [scoreOf(rows, transposed)],
  );
  const dense = new Float64Array(scores[0].length ** 2);
  for (const score of scores) addOuterProduct(dense, score, 1 / batch.examples);
  return dense;
}

/** The batch with its arrays in float32, and with the pairs rounded like them. */
export function single<B extends RowBatch>(batch: B): B {
  const round = (values: number[]) => values.map(Math.fround);
  return {
    ...batch,
    activations: batch.activations.map((input) => ({
      ...input,
      data: Float32Array.from((input as Rows).data),
    })),
    outputGradients: batch.outputGradients.map((rows) => ({ ...rows, data: Float32Array.from(rows.data) })),
    pairs: batch.pairs.map((rows) => rows.map(({ a, g }) => ({ a: round(a), g: round(g) }))),
  };
}

/** A vector over all variables of a block as one array per variable, in the dtype of the block. */
export function split(block: CurvatureBlock, vector: Float64Array): FloatArray[] {
  const [some] = Object.values(block.state());
  const double = some instanceof Float64Array;
  let begin = 0;
  return block.shape.shapes.map((shape) => {
    const size = shape.reduce((product, n) => product * n, 1);
    const part = vector.slice(begin, (begin += size));
    return double ? part : Float32Array.from(part);
  });
}

export function joined(arrays: FloatArray[]): Float64Array {
  return Float64Array.from(arrays.flatMap((array) => [...array]));
}

export function times(dense: Float64Array, vector: ArrayLike<number>): Float64Array {
  const n = vector.length;
  return Float64Array.from({ length: n }, (_, i) => {
    let sum = 0;
    for (let j = 0; j < n; j++) sum += dense[i * n + j] * vector[j];
    return sum;
  });
}

/** Errors of a block's product, and of its solution after a refresh, against its own dense matrix plus lambda. */
export function errorsAgainstDense(
  kernel: Kernels,
  block: CurvatureBlock,
  lambda: number,
  damped = (dense: Float64Array) => plusDiagonal(dense, lambda),
): { product: number; solution: number; dot: number } {
  const n = block.shape.shapes.reduce(
    (sum, shape) => sum + shape.reduce((product, length) => product * length, 1),
    0,
  );
  const vector = Float64Array.from(randomInputs(n, 1, 77), (value) => Math.fround(value));
  const before = block.toDense();
  const product = relativeError(
    joined(multiplyBy(kernel, block, split(block, vector))),
    times(before, vector),
  );
  expect(refresh(kernel, block, lambda)).toMatchObject({ failures: 0, overflowed: false });
  const direction = joined(precondition(kernel, block, split(block, vector)));
  const solution = relativeError(direction, solve(damped(block.toDense()), vector));
  return { product, solution, dot: dotError(kernel, block, vector) };
}

/** How far the `dot`s of the last phase are from the inner product of gradient and direction. */
function dotError(kernel: Kernels, block: CurvatureBlock, vector: Float64Array): number {
  const input = split(block, vector);
  const output = input.map((array) => array.slice());
  let reports = 0;
  for (const { jobs, then } of block.preconditionPhases(input, output)) {
    const [results] = kernel.run([jobs]);
    then?.(results);
    reports = results.reduce((sum, { dot }) => sum + dot, 0);
  }
  const [u, v] = [joined(input), joined(output)];
  const expected = u.reduce((sum, value, i) => sum + value * v[i], 0);
  return Math.abs(reports / expected - 1);
}
