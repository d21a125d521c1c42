/**
 * Scores of single examples for layers whose parameters fall into small groups, such as the channels of a depthwise convolution: what the
 * Fisher matrix of each group is the second moment of.
 */
import type { FloatArray, Job } from '../../linalg/jobs';
import type { Activation, Rows, Statistics } from '../block';
import { allocate, type Precision } from './factor';

/** How the elements of a layer's variables fall into groups of equal size, and how scores are made of (a, g). */
export interface ScoreGroups {
  count: number;
  size: number;
  /** For every element of every group, group by group: its place among the elements of the variables, one variable after the other. */
  elements: Int32Array;
  /** Adds the scores of one use in one pass to those of `target`: at once, or by the jobs that it returns. */
  add(use: ScoredUse, target: ScoreTarget): Job[];
}

export interface ScoredUse {
  activation?: Activation;
  gradient: Rows;
  /** How many examples share its rows evenly. */
  examples: number;
  precision: Precision;
}

/** Where scores go: the rows from `begin` on in every group of [groups, rows, size], multiplied by `scale`. */
export interface ScoreTarget {
  scores: FloatArray;
  rows: number;
  begin: number;
  scale: number;
}

/** The scores of a batch: every example in every pass is one row. */
export interface Scores {
  /** One phase per use, because uses add up. */
  phases: Job[][];
  /** [groups, rows, size], once they have run. */
  data: FloatArray;
  rows: number;
}

/**
 * The score of every example in every pass, summed over uses and rows. Each is multiplied by sqrt(weight) * gradientScale of its pass, so
 * that the plain sum of the rows' outer products is the one that counts.
 */
export function scoresOf(
  groups: ScoreGroups,
  { examples: terms, activations, passes }: Statistics,
  precision: Precision,
): Scores {
  const uses = passes[0].outputGradients!.map(({ rows }) => rows);
  const examples = examplesAmong(terms, uses);
  const rows = examples * passes.length;
  const data = allocate(precision, groups.count * rows * groups.size);
  const phases = uses.map((_, use) =>
    passes.flatMap(({ weight, gradientScale, outputGradients }, pass) =>
      groups.add(
        { activation: activations?.[use], gradient: outputGradients![use], examples, precision },
        { scores: data, rows, begin: pass * examples, scale: Math.sqrt(weight) * gradientScale },
      ),
    ),
  );
  return { phases, data, rows };
}

/**
 * Among how many examples the rows of all uses are shared evenly: the greatest number that divides the terms of the loss and the rows. Any
 * such number serves, because the scores that come of different rows of the outputs are uncorrelated; the greatest is the least noisy.
 */
export function examplesAmong(terms: number, rows: number[]): number {
  return rows.reduce(greatestCommonDivisor, terms);
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/** Rows of a single element that is 1: with them, a `scores` job adds up the rows of an example. */
export function ones(rows: number, precision: Precision): Rows {
  return { data: allocate(precision, rows).fill(1), rows, columns: 1 };
}
