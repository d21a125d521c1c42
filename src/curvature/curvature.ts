/**
 * A whole approximate Fisher matrix, made of blocks that are independent of one another: what an optimizer talks to.
 *
 * Work comes as phases: those of all blocks run side by side.
 */
import type { FloatArray, Report } from '../linalg/jobs';
import { least, type AverageStep, type CurvatureBlock, type RefreshOutcome, type RowGradient } from './block';
import { merge, type Phase } from './phases';

/** A block with vectors to multiply by it or by its inverse. */
export interface BlockVectors {
  block: CurvatureBlock;
  /** One array per variable of the block. */
  input: FloatArray[];
  output: FloatArray[];
  /** What the input is a product of, where that is known and the block prefers it. */
  rows?: RowGradient;
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

/** A refresh that was described as phases: what is to run, and how its reports get to the blocks. */
export interface Refresh {
  phases: Phase[];
  /** Installs the results in their blocks. `reports` are those of `phases`. */
  install(reports: Report[][]): Omit<RefreshOutcome, 'overflowed'> & { overflowed: CurvatureBlock[] };
}

export function planRefresh(blocks: readonly CurvatureBlock[], lambda: number): Refresh {
  const { phases, split } = merge(blocks.map((block) => block.refreshPhases(lambda)));
  return {
    phases,
    install(reports) {
      const total = { failures: 0, retries: 0, minEigenvalue: NaN, overflowed: [] as CurvatureBlock[] };
      split(reports).forEach((own, i) => {
        const outcome = blocks[i].install(own);
        total.failures += outcome.failures;
        total.retries += outcome.retries;
        total.minEigenvalue = least(total.minEigenvalue, outcome.minEigenvalue);
        if (outcome.overflowed) total.overflowed.push(blocks[i]);
      });
      return total;
    },
  };
}

/** What `preconditionAll` and `multiplyAll` describe: phases, and from their reports the inner product of input and output. */
export interface Products {
  phases: Phase[];
  /** One per block. */
  dots(reports: Report[][]): number[];
}

export function preconditionAll(entries: BlockVectors[]): Products {
  return products(
    entries.map(({ block, input, output, rows }) =>
      rows ? block.preconditionRows!(rows, input, output) : block.preconditionPhases(input, output),
    ),
  );
}

export function multiplyAll(entries: BlockVectors[]): Products {
  return products(entries.map(({ block, input, output }) => block.multiplyPhases(input, output)));
}

function products(plans: Phase[][]): Products {
  const { phases, split } = merge(plans);
  return {
    phases,
    dots: (reports) =>
      split(reports).map((own, i) => {
        const last = plans[i].at(-1)?.jobs.length ?? 0;
        return own.slice(own.length - last).reduce((sum, { dot }) => sum + dot, 0);
      }),
  };
}
