/**
 * Layers that are applied to several rows per example: positions of an image or a sequence, time steps.
 *
 * - 'expand': every row is an example of its own, `A = mean of a~ a~'`, `G = sum over rows of g g'`. Exact for deep linear networks whose loss
 *   is a sum over the rows, as for language models.
 * - 'reduce': an example is the mean of its inputs and the sum of its gradients, `a~_n = 1/R sum_r a~_{n,r}`, `g_n = sum_r g_{n,r}`. Exact for
 *   deep linear networks that average over the rows before the loss, as for vision transformers with pooling. Of rows that do not count
 *   alike it is the mean by their weights, and an example counts as their mean does.
 *
 * R. Eschenhagen, A. Immer, R. Turner, F. Schneider and P. Hennig, "Kronecker-factored approximate curvature for modern neural network
 * architectures", 2023. Where the loss has a term per row the two are the same.
 */
import { NatgradError } from '../../errors';
import type { FloatArray, Job } from '../../linalg/jobs';
import {
  gradientRows,
  rowsOf,
  type Activation,
  type Rows,
  type RowsOrPatches,
  type Statistics,
} from '../block';
import { allocate, type Precision } from './factor';
import type { Phase } from '../phases';
import { examplesAmong, ones } from './scores';

/** What the rows of an example are to the factors: examples of their own, or parts of one. */
export type WeightSharing = 'expand' | 'reduce';

const weightSharings: readonly WeightSharing[] = ['expand', 'reduce'];

/** @throws NatgradError ERR_NATGRAD_ARGUMENT if it is none */
export function requireWeightSharing(value: unknown, name: string): void {
  if (weightSharings.includes(value as WeightSharing)) return;
  throw new NatgradError(
    'ERR_NATGRAD_ARGUMENT',
    `${name} is ${String(value)}; use ${weightSharings.map((sharing) => `'${sharing}'`).join(' or ')}.`,
  );
}

/**
 * Statistics with one row per example, as they are once the phases have run: mean inputs and summed output gradients. The mean of one-hot
 * inputs is none, so of an embedding the diagonal of their second moment remains, as one row of its roots.
 *
 * @param inputSize length of an input row or patch; of an embedding the number of its indices
 * @param outputSize length of a row or patch of the output gradients
 */
export function reduceRows(
  { examples: terms, activations, passes, ...rest }: Statistics,
  inputSize: number,
  outputSize: number,
  precision: Precision,
): { phases: Phase[]; statistics: Statistics } {
  const counts = activations!.map(rowsOf);
  const examples = examplesAmong(terms, counts);
  const perExample = counts.reduce((sum, count) => sum + count, 0) / examples;
  // A phase per use, because uses add up.
  const phases: Phase[] = counts.map(() => ({ jobs: [] }));
  const summed = (uses: RowsOrPatches[], columns: number, shares: Rows[]): Rows => {
    const data = allocate(precision, examples * columns);
    uses.forEach((use, i) => phases[i].jobs.push(sumJob(use, examples, shares[i], data)));
    return { data, rows: examples, columns };
  };
  const weighted = sharesOfRows(activations!, examples, perExample, precision);
  const inputs = isEmbedded(activations!)
    ? [rootMeanSquareCounts(activations, examples, weighted, inputSize, precision)]
    : stretches(summed(activations as RowsOrPatches[], inputSize, weighted.shares), weighted.weights);
  const reducedPasses = passes.map(({ outputGradients, ...pass }) => {
    const rows = outputGradients!.map(gradientRows);
    const whole = rows.map((use) => ones(rowsOf(use), precision));
    return { ...pass, outputGradients: [summed(rows, outputSize, whole)] };
  });
  return { phases, statistics: { ...rest, examples: terms, activations: inputs, passes: reducedPasses } };
}

interface Shares {
  /** Per use, for each row its share in the mean of its example. */
  shares: Rows[];
  /** What each example counts; undefined where all count alike. */
  weights?: Float32Array;
}

function sharesOfRows(
  activations: readonly Activation[],
  examples: number,
  perExample: number,
  precision: Precision,
): Shares {
  const shares = activations.map((activation) => ones(rowsOf(activation), precision));
  if (activations.every(({ weights }) => weights === undefined)) {
    for (const { data } of shares) data.fill(1 / perExample);
    return { shares };
  }
  const totals = new Float64Array(examples);
  const eachRow = (visit: (use: number, row: number, example: number, weight: number) => void) =>
    activations.forEach(({ weights }, use) => {
      const { rows } = shares[use];
      for (let r = 0; r < rows; r++) visit(use, r, Math.floor((r * examples) / rows), weights?.[r] ?? 1);
    });
  eachRow((_, __, example, weight) => (totals[example] += weight));
  eachRow((use, row, example, weight) => {
    shares[use].data[row] = totals[example] === 0 ? 0 : weight / totals[example];
  });
  return { shares, weights: Float32Array.from(totals, (total) => total / perExample) };
}

/** Rows as one activation per stretch of equal weights. They share the memory of the rows, which have yet to be computed. */
function stretches(rows: Rows, weights: Float32Array | undefined): Activation[] {
  if (!weights) return [rows];
  const { data, columns } = rows;
  const activations: Activation[] = [];
  for (let begin = 0, end = 0; begin < weights.length; begin = end) {
    while (end < weights.length && weights[end] === weights[begin]) end++;
    activations.push({
      data: data.subarray(begin * columns, end * columns),
      rows: end - begin,
      columns,
      weights: weights.subarray(begin, end),
    });
  }
  return activations;
}

/** `out[n] += sum over the rows r of example n of share_r x_r`. */
function sumJob(activation: RowsOrPatches, examples: number, shares: Rows, out: FloatArray): Job {
  return {
    op: 'scores',
    activation,
    outputGradient: shares,
    examples,
    homogeneous: false,
    scale: 1,
    keep: 1,
    out,
  };
}

function isEmbedded(activations: Activation[]): activations is { indices: Int32Array }[] {
  return 'indices' in activations[0];
}

/** One row `sqrt(1/N sum_n (share of index i in example n)^2)`, which is its count / R, and 1/N by weight. */
function rootMeanSquareCounts(
  activations: { indices: Int32Array }[],
  examples: number,
  { shares, weights }: Shares,
  size: number,
  precision: Precision,
): Rows {
  const data = allocate(precision, size);
  const total = weights?.reduce((sum, weight) => sum + weight, 0) ?? examples;
  for (let n = 0; n < examples; n++) {
    const parts = new Map<number, number>();
    activations.forEach(({ indices }, use) => {
      const length = indices.length / examples;
      for (let r = n * length; r < (n + 1) * length; r++) {
        parts.set(indices[r], (parts.get(indices[r]) ?? 0) + shares[use].data[r]);
      }
    });
    for (const [index, part] of parts) data[index] += (part ** 2 * (weights?.[n] ?? 1)) / total;
  }
  for (let i = 0; i < size; i++) data[i] = Math.sqrt(data[i]);
  return { data, rows: 1, columns: size };
}
