/** How a batch enters the factors A and G of a Kronecker-factored block; see `kroneckerFactored.ts` for what they are. */
import { gradientRows, type AverageStep, type Statistics } from '../block';
import type { Moment, Precision } from '../shared/factor';
import type { Phase } from '../phases';
import { totalWeight } from '../shared/rowWeights';
import { reduceRows, type WeightSharing } from '../shared/weightSharing';

export interface KroneckerMoments {
  input: Moment;
  output: Moment;
  /** Whether a 1 is appended to the input rows. */
  bias: boolean;
  weightSharing: WeightSharing;
  precision: Precision;
}

/** Phases for `A = decay A + scale mean of a~ a~'` and `G = decay G + scale / N sum of g g'`. */
export function momentPhases(
  moments: KroneckerMoments,
  statistics: Statistics,
  average: AverageStep,
): Phase[] {
  const { input, output, bias, weightSharing, precision } = moments;
  if (weightSharing === 'expand') return averagePhases(moments, statistics, average);
  const reduced = reduceRows(statistics, input.size - (bias ? 1 : 0), output.size, precision);
  return [...reduced.phases, ...averagePhases(moments, reduced.statistics, average)];
}

function averagePhases(
  { input, output, bias }: KroneckerMoments,
  { examples, activations, passes }: Statistics,
  { decay, scale }: AverageStep,
): Phase[] {
  const phases = passes.map(({ weight, gradientScale, outputGradients }, pass): Phase => {
    const share = (scale * weight * gradientScale ** 2) / examples;
    const average = { decay: pass === 0 ? decay : 1, scale: share };
    return { jobs: output.updateJobs(outputGradients!.map(gradientRows), false, average) };
  });
  const average = { decay, scale: scale / totalWeight(activations!) };
  phases[0].jobs.push(...input.updateJobs(activations!, bias, average));
  return phases;
}
