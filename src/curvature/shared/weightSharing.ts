/**
 * Layers that are applied to several rows per example: positions of an image or a sequence, time steps.
 *
 * - 'expand': every row is an example of its own, `A = mean of a~ a~'`, `G = sum over rows of g g'`. Exact for deep linear networks whose loss
 *   is a sum over the rows, as for language models.
 * - 'reduce': an example is the mean of its inputs and the sum of its gradients, `a~_n = 1/R sum_r a~_{n,r}`, `g_n = sum_r g_{n,r}`. Exact for
 *   deep linear networks that average over the rows before the loss, as for vision transformers with pooling.
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
  const summed = (uses: RowsOrPatches[], columns: number, scale: number): Rows => {
    const data = allocate(precision, examples * columns);
    uses.forEach((use, i) => phases[i].jobs.push(sumJob(use, examples, scale, data, precision)));
    return { data, rows: examples, columns };
  };
  const input = isEmbedded(activations!)
    ? rootMeanSquareCounts(activations, examples, perExample, inputSize, precision)
    : summed(activations as RowsOrPatches[], inputSize, 1 / perExample);
  const reducedPasses = passes.map(({ outputGradients, ...pass }) => {
    const rows = outputGradients!.map(gradientRows);
    return { ...pass, outputGradients: [summed(rows, outputSize, 1)] };
  });
  return { phases, statistics: { ...rest, examples: terms, activations: [input], passes: reducedPasses } };
}

/** `out[n] += scale * sum of the rows of example n`. */
function sumJob(
  activation: RowsOrPatches,
  examples: number,
  scale: number,
  out: FloatArray,
  precision: Precision,
): Job {
  const outputGradient = ones(rowsOf(activation), precision);
  return { op: 'scores', activation, outputGradient, examples, homogeneous: false, scale, keep: 1, out };
}

function isEmbedded(activations: Activation[]): activations is { indices: Int32Array }[] {
  return 'indices' in activations[0];
}

/** One row `sqrt(1/N sum_n (count of index i in example n / R)^2)`. */
function rootMeanSquareCounts(
  activations: { indices: Int32Array }[],
  examples: number,
  perExample: number,
  size: number,
  precision: Precision,
): Rows {
  const data = allocate(precision, size);
  for (let n = 0; n < examples; n++) {
    const counts = new Map<number, number>();
    for (const { indices } of activations) {
      const length = indices.length / examples;
      for (const index of indices.subarray(n * length, (n + 1) * length)) {
        counts.set(index, (counts.get(index) ?? 0) + 1);
      }
    }
    for (const [index, count] of counts) data[index] += (count / perExample) ** 2 / examples;
  }
  for (let i = 0; i < size; i++) data[i] = Math.sqrt(data[i]);
  return { data, rows: 1, columns: size };
}
