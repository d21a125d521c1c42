/**
 * A whole approximate Fisher matrix, made of one block per layer that is independent of the others: what an optimizer talks to.
 *
 * Work comes as phases of jobs (see linalg/jobs): the blocks' jobs of one phase run together.
 */
import type { FloatArray, Job, Report } from '../linalg/jobs';
import { least, type AverageStep, type CurvatureBlock, type RefreshOutcome } from './block';

/** A block with vectors to multiply by it or by its inverse. */
export interface BlockVectors {
  block: CurvatureBlock;
  /** One array per variable of the block. */
  input: FloatArray[];
  output: FloatArray[];
}

/**
 * Weights of the moving average over batches that carries its own weight, so that the first batch counts fully and there is no bias
 * towards the start: `w <- decay w + 1`, `F <- F + (F_batch - F) / w`.
 */
export class WeightedAverage {
  weight = 0;

  /** The step for the next batch: `F <- (1 - 1/w) F + (1/w) F_batch`. */
  advance(decay: number): AverageStep {
    this.weight = decay * this.weight + 1;
    return { decay: 1 - 1 / this.weight, scale: 1 / this.weight };
  }
}

/** A refresh that was described as jobs: what is to run, and how its reports get to the blocks. */
export interface Refresh {
  phases: Job[][];
  /** Installs the results in their blocks. `reports` are those of `phases`. */
  install(reports: Report[][]): Omit<RefreshOutcome, 'overflowed'> & { overflowed: CurvatureBlock[] };
}

export function planRefresh(blocks: readonly CurvatureBlock[], lambda: number): Refresh {
  const jobs = blocks.map((block) => block.refreshJobs(lambda));
  return {
    phases: [jobs.flat()],
    install([reports]) {
      const total = { failures: 0, retries: 0, minEigenvalue: NaN, overflowed: [] as CurvatureBlock[] };
      let begin = 0;
      blocks.forEach((block, i) => {
        const outcome = block.install(reports.slice(begin, (begin += jobs[i].length)));
        total.failures += outcome.failures;
        total.retries += outcome.retries;
        total.minEigenvalue = least(total.minEigenvalue, outcome.minEigenvalue);
        if (outcome.overflowed) total.overflowed.push(block);
      });
      return total;
    },
  };
}

export function preconditionPhases(entries: BlockVectors[]): Job[][] {
  return [entries.flatMap(({ block, input, output }) => block.preconditionJobs(input, output))];
}

export function multiplyPhases(entries: BlockVectors[]): Job[][] {
  return [entries.flatMap(({ block, input, output }) => block.multiplyJobs(input, output))];
}
