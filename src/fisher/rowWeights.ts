/**
 * What the rows of a layer count, from what the rows of the outputs count: statistics of rows that have no weight in the loss, such as the
 * padding of a sequence, must not enter a mean over rows.
 */

/** The weights of the rows of every output, [rows] each; undefined for an output without. */
export type OutputWeights = readonly (Float32Array | undefined)[];

/** Whether there are weights, and none of any output is above zero. */
export function areAllMasked(outputs: OutputWeights): boolean {
  return outputs.length > 0 && outputs.every((weights) => weights?.every((weight) => weight === 0));
}

/**
 * The weights of `rows` rows of a layer, [rows], or undefined where all of them count alike. Rows follow the examples on both sides: where
 * an output has as many rows or fewer, each row of the layer has the weight of the output row it belongs to; where an output has more (a
 * sequence that is predicted from one row), the mean weight of those; of several outputs again the mean, 1 for one without weights.
 */
export function rowWeights(outputs: OutputWeights, rows: number): Float32Array | undefined {
  if (outputs.length === 0) return undefined;
  const sums = new Float32Array(rows);
  for (const weights of outputs) {
    const examples = greatestCommonDivisor(weights?.length ?? rows, rows);
    const [own, others] = [rows / examples, (weights?.length ?? rows) / examples];
    for (let n = 0; n < examples; n++) {
      let mean = 0;
      for (let r = 0; r < others; r++) mean += (weights?.[n * others + r] ?? 1) / others;
      for (let r = 0; r < own; r++) sums[n * own + r] += mean / outputs.length;
    }
  }
  return sums.some((sum) => sum !== sums[0]) ? sums : undefined;
}

/** How many of the rows, if they counted alike, would tell as much: `(mean w)^2 / mean w^2`, the share that a mask leaves. */
export function effectiveShare(outputs: OutputWeights): number {
  const [mean, squares] = meanMoments(outputs);
  return squares === 0 ? 0 : mean ** 2 / squares;
}

/**
 * What gradients of a loss with these weights are multiplied with for their second moment to be the empirical Fisher matrix,
 * `1/N sum_n w_n s_n s_n'`. They are w_n s_n, so that the weight stands in their second moment twice; of weights that are zero or equal, as
 * those of a mask are, `mean w^2 / mean w` is the one too many.
 */
export function empiricalScale(outputs: OutputWeights): number {
  const [mean, squares] = meanMoments(outputs);
  return squares === 0 ? 1 : Math.sqrt(mean / squares);
}

/** Mean and mean square of the weights of all outputs that have any; ones if none has. */
function meanMoments(outputs: OutputWeights): [mean: number, squares: number] {
  const all = outputs.flatMap((weights) => [...(weights ?? [])]);
  if (all.length === 0) return [1, 1];
  const mean = (power: number) => all.reduce((sum, weight) => sum + weight ** power, 0) / all.length;
  return [mean(1), mean(2)];
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
