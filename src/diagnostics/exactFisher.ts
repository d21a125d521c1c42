import type * as tf from '@tensorflow/tfjs';

import { NatgradError, requireKeys } from '../errors';
import { backwardVectors, type HeadValues } from '../fisher/estimator';
import { headValues, likelihoodHeads, type LikelihoodHead } from '../fisher/heads';
import { fisherSettings, type FisherOption } from '../fisher/options';
import { divergence } from '../fisher/outputProducts';
import { randomStream } from '../fisher/random';
import { host } from '../host/currentHost';
import { eigh } from '../linalg/eigh';
import type { FloatArray } from '../linalg/jobs';
import type { NamedVectors } from '../optimizer/curvatureView';
import { withTape } from '../tape/record';
import type { Recording } from '../tape/types';
import { withoutSideEffects } from '../tape/withoutSideEffects';
import { innerProduct } from './vectors';

/** What the Fisher matrix of a loss is of. */
export interface FisherOfOptions {
  /** As the option `fisher` of the optimizers; its estimator plays no part. Default: the distribution that the loss is recognised as. */
  fisher?: FisherOption;
  /** Default: all trainable variables that the loss depends on. */
  variables?: tf.Variable[];
}

/**
 * The exact Fisher matrix of a batch at the weights as they were, F = (1/N) sum over examples of J'H J, from its rows B'J: one reverse walk
 * over the tape each. For the distributions of this package it is the generalised Gauss-Newton matrix too. It is for networks that are
 * small enough: the rows take N C p floats, with C the number of columns of B (the outputs).
 */
export class ExactFisher {
  /** N: how many terms the loss averages over. */
  readonly examples: number;
  /** Names of the variables. */
  readonly names: readonly string[];
  /** B'J, one row per example and column of B. */
  readonly rows: readonly NamedVectors[];
  private spectrum: { values: Float64Array; vectors: Float64Array } | undefined;

  /**
   * @param loss a scalar of which the predictive distribution is recognised, or named by `fisher`
   * @throws NatgradError ERR_NATGRAD_LIKELIHOOD if it is not, ERR_NATGRAD_ARGUMENT for an unknown option
   */
  constructor(loss: () => tf.Scalar, options: FisherOfOptions = {}) {
    const { fisher, variables } = requireFisherOf(options);
    const found = withTape(loss, variables, (recording) => {
      const heads = headsOf(recording, fisher);
      const trained = recording.layers.flatMap((layer) => layer.variables);
      return { examples: recording.examples, trained, rows: fisherRows(recording, heads, trained) };
    });
    const isReached = ({ name }: tf.Variable) => found.rows.some((row) => name in row);
    const own = variables ? found.trained : found.trained.filter(isReached);
    this.examples = found.examples;
    this.names = own.map(({ name }) => name);
    this.rows = found.rows.map((row) =>
      Object.fromEntries(own.map(({ name, size }) => [name, row[name] ?? new Float32Array(size)])),
    );
  }

  /** F v, in float64. */
  multiply(vector: NamedVectors): NamedVectors {
    return this.combine(this.rows.map((row) => innerProduct(row, vector) / this.examples));
  }

  /** The KL divergence of a step to second order, averaged over the examples: 1/2 v'F v. */
  divergence(step: NamedVectors): number {
    return this.rows.reduce((sum, row) => sum + innerProduct(row, step) ** 2, 0) / (2 * this.examples);
  }

  /**
   * The part of F of some variables, [p, p] row-major and full, over their elements one variable after the other.
   *
   * @throws NatgradError ERR_NATGRAD_ARGUMENT for a variable that F is not of
   */
  dense(names: readonly string[] = this.names): Float64Array {
    const missing = names.find((name) => !this.names.includes(name));
    if (missing !== undefined) {
      throw new NatgradError(
        'ERR_NATGRAD_ARGUMENT',
        `names has '${missing}', which this Fisher matrix is not of; it is of ${this.names.join(', ')}.`,
      );
    }
    const rows = this.rows.map((row) => Float64Array.from(names.flatMap((name) => [...row[name]])));
    const size = rows[0].length;
    const matrix = new Float64Array(size * size);
    for (const row of rows) {
      for (let i = 0; i < size; i++) {
        const factor = row[i] / this.examples;
        if (factor !== 0) for (let j = 0; j < size; j++) matrix[i * size + j] += factor * row[j];
      }
    }
    return matrix;
  }

  /**
   * The exact natural gradient (F + damping I)^-1 gradient. With F = U'U, and U U' = V diag(s) V' in the space of the rows,
   *
   *     (g - U' V diag(1 / (s + damping)) V' U g) / damping.
   *
   * @param damping positive
   */
  naturalGradient(gradient: NamedVectors, damping: number): NamedVectors {
    if (!(damping > 0)) {
      throw new NatgradError('ERR_NATGRAD_ARGUMENT', `damping is ${damping}; give a positive number.`);
    }
    const { values, vectors } = this.decomposed();
    const n = this.rows.length;
    const projected = this.rows.map((row) => innerProduct(row, gradient) / Math.sqrt(this.examples));
    const solved = new Float64Array(n);
    for (let k = 0; k < n; k++) {
      const along = projected.reduce((sum, value, i) => sum + vectors[i * n + k] * value, 0);
      for (let i = 0; i < n; i++) solved[i] += (vectors[i * n + k] * along) / (values[k] + damping);
    }
    const seen = this.combine(Array.from(solved, (value) => value / Math.sqrt(this.examples)));
    return Object.fromEntries(
      this.names.map((name) => [
        name,
        Float64Array.from(gradient[name], (value, at) => (value - seen[name][at]) / damping),
      ]),
    );
  }

  /** The eigenvalues of F, ascending: as many as there are rows; all others are 0. Of more rows than weights, the surplus is 0. */
  eigenvalues(): Float64Array {
    return this.decomposed().values.map((value) => Math.max(value, 0));
  }

  private decomposed(): { values: Float64Array; vectors: Float64Array } {
    if (this.spectrum) return this.spectrum;
    const n = this.rows.length;
    const gram = new Float64Array(n * n);
    for (let i = 0; i < n; i++) {
      for (let j = 0; j <= i; j++) {
        gram[i * n + j] = innerProduct(this.rows[i], this.rows[j]) / this.examples;
        gram[j * n + i] = gram[i * n + j];
      }
    }
    return (this.spectrum = eigh(gram));
  }

  /** The sum of the rows with these coefficients. */
  private combine(coefficients: number[]): NamedVectors {
    return Object.fromEntries(
      this.names.map((name) => {
        const total = new Float64Array(this.rows[0][name].length);
        this.rows.forEach((row, r) =>
          row[name].forEach((value, at) => (total[at] += coefficients[r] * value)),
        );
        return [name, total];
      }),
    );
  }
}

/**
 * How far the predictions move when the weights do: KL(before || after), averaged over the examples and measured on the distributions
 * themselves, which `ExactFisher.divergence` is the second order of. The weights are put back.
 *
 * @param step what is added to the weights, by variable name; the minus sign of a descent is in it
 * @throws NatgradError ERR_NATGRAD_LIKELIHOOD as the constructor of `ExactFisher`, ERR_NATGRAD_SHAPE if an array of `step` does not fit
 */
export function measuredDivergence(
  loss: () => tf.Scalar,
  step: NamedVectors,
  options: FisherOfOptions = {},
): number {
  const { fisher, variables } = requireFisherOf(options);
  const look = (): { values: HeadValues[]; examples: number; moved: tf.Variable[] } =>
    withoutSideEffects(() =>
      withTape(loss, variables, (recording) => ({
        values: headValues(recording, headsOf(recording, fisher), host()),
        examples: recording.examples,
        moved: recording.layers.flatMap((layer) => layer.variables).filter(({ name }) => step[name]),
      })),
    );
  const { values, examples, moved } = look();
  const originals = moved.map((variable) => host().read(variable).slice());
  const move = (change: (original: number, step: number) => number): void =>
    host().update(moved, (weights) =>
      moved.forEach(({ name, size }, i) => {
        requireLength(step[name], size, name);
        originals[i].forEach((original, at) => (weights[i][at] = change(original, step[name][at])));
      }),
    );
  move((original, by) => original + by);
  try {
    const after = look().values;
    return values.reduce((sum, before, i) => sum + divergence(before, after[i]), 0) / examples;
  } finally {
    move((original) => original);
  }
}

function requireFisherOf(options: FisherOfOptions): FisherOfOptions {
  requireKeys(options, ['fisher', 'variables'], 'options');
  return options;
}

function requireLength(vector: FloatArray, size: number, name: string): void {
  if (vector.length === size) return;
  throw new NatgradError(
    'ERR_NATGRAD_SHAPE',
    `step['${name}'] has ${vector.length} elements; give ${size}, as the variable has.`,
  );
}

/** The predictive distributions of a recorded loss. */
export function headsOf(recording: Recording, fisher: FisherOption | undefined): LikelihoodHead[] {
  const heads = likelihoodHeads(recording, fisherSettings(fisher));
  if (heads.length > 0) return heads;
  throw new NatgradError(
    'ERR_NATGRAD_LIKELIHOOD',
    'No predictive distribution is recognised in the loss; name the distribution and the output with `fisher: {distribution, output}`, or ' +
      'mark the output with `observe` in the loss.',
  );
}

/** Every row of every column of B by itself, sent back; without the variables that it does not reach. */
function fisherRows(recording: Recording, heads: LikelihoodHead[], variables: tf.Variable[]): NamedVectors[] {
  const current = host();
  const values = headValues(recording, heads, current);
  // Signs, which rows get at random, make no difference to F.
  const passes = [...backwardVectors('exact', values, randomStream(0, 0))];
  return passes.flatMap(({ vectors, weight }) =>
    heads.flatMap(({ parameters: { id, shape }, rows, columns }, head) => {
      const vector = vectors[head];
      if (!vector) return [];
      return Array.from({ length: rows }, (_, row) => {
        const begin = row * columns;
        const seed = current.create(shape, (out) => {
          for (let at = begin; at < begin + columns; at++) out[at] = Math.sqrt(weight) * vector[at];
        });
        const gradients = recording.backward(new Map([[id, seed]]), variables);
        const found = variables.flatMap(({ id: variable, name }) => {
          const gradient = gradients.get(variable);
          return gradient ? [[name, current.read(gradient).slice()] as const] : [];
        });
        seed.dispose();
        gradients.forEach((gradient) => gradient.dispose());
        return Object.fromEntries(found);
      });
    }),
  );
}
