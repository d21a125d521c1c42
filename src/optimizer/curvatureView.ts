/** What an optimizer knows of the Fisher matrix, to look at and to multiply with; for diagnostics and for steps of the user's own. */
import { variableSizes, type BlockSummary, type CurvatureBlock } from '../curvature/block';
import { multiplyAll, preconditionAll, type BlockVectors, type Products } from '../curvature/curvature';
import { allocate, type Precision } from '../curvature/shared/factor';
import { runPhases, type Computer } from '../curvature/phases';
import { NatgradError } from '../errors';
import type { FloatArray } from '../linalg/jobs';

/** One array per variable, by the variable's name, row-major. */
export type NamedVectors = Record<string, FloatArray>;

/** One block of the approximate Fisher matrix. */
export interface BlockView {
  /** Names of the variables, in the order in which their elements follow one another in `toDense()`. */
  readonly names: readonly string[];
  /** How many elements each of them has. */
  readonly sizes: readonly number[];
  /** See `optimizer.summary()`. */
  summary(): BlockSummary;
  /**
   * The block without damping, [p, p] row-major and full, with p the sum of `sizes`.
   *
   * @throws NatgradError ERR_NATGRAD_STATE before there are statistics
   */
  toDense(): Float64Array;
  /** The block's arrays by name, live: 'A' and 'G' are the factors of one that is Kronecker factored. */
  state(): Record<string, FloatArray>;
}

/** The approximate Fisher matrix of an optimizer, with the inverses that are in use. */
export interface CurvatureView {
  readonly blocks: readonly BlockView[];
  /**
   * `(F + damping)^-1 vectors`: what turns the gradient into the direction of the optimizer. A variable that no block covers keeps its
   * vector.
   *
   * @returns by name, in the optimizer's precision
   * @throws NatgradError ERR_NATGRAD_SHAPE if a vector has not the length of its variable; ERR_NATGRAD_STATE if a block has no inverse yet
   */
  precondition(vectors: NamedVectors): NamedVectors;
  /**
   * `F vectors`, without damping. A variable that no block covers gets zeros.
   *
   * @throws NatgradError ERR_NATGRAD_SHAPE if a vector has not the length of its variable
   */
  multiply(vectors: NamedVectors): NamedVectors;
}

/** The view of these blocks, whose arrays must be on the host, and no work on them under way, when it is used. */
export function curvatureView(
  blocks: readonly CurvatureBlock[],
  computer: Computer,
  precision: Precision,
): CurvatureView {
  const multiplied = (
    vectors: NamedVectors,
    plan: (entries: BlockVectors[]) => Products,
    uncovered: (vector: FloatArray) => FloatArray,
  ): NamedVectors => {
    const entries = blocks
      .filter(({ shape }) => shape.names.some((name) => vectors[name] !== undefined))
      .map((block) => entryOf(block, vectors, precision));
    runPhases(computer, plan(entries).phases);
    const found = new Map(
      entries.flatMap(({ block, output }) => block.shape.names.map((name, i) => [name, output[i]] as const)),
    );
    return Object.fromEntries(
      Object.entries(vectors).map(([name, vector]) => [name, found.get(name) ?? uncovered(vector)]),
    );
  };
  return {
    blocks: blocks.map((block) => ({
      names: block.shape.names,
      sizes: variableSizes(block.shape),
      summary: () => block.summary(),
      toDense: () => block.toDense(),
      state: () => block.state(),
    })),
    precondition(vectors) {
      requireReady(blocks);
      return multiplied(vectors, preconditionAll, (vector) => inPrecision(vector, precision));
    },
    multiply: (vectors) => multiplied(vectors, multiplyAll, (vector) => allocate(precision, vector.length)),
  };
}

/** A block with its part of the vectors, zeros for variables that have none. */
function entryOf(block: CurvatureBlock, vectors: NamedVectors, precision: Precision): BlockVectors {
  const sizes = variableSizes(block.shape);
  const input = block.shape.names.map((name, i) => {
    const vector = vectors[name];
    if (vector === undefined) return allocate(precision, sizes[i]);
    if (vector.length === sizes[i]) return inPrecision(vector, precision);
    throw new NatgradError(
      'ERR_NATGRAD_SHAPE',
      `vectors['${name}'] has ${vector.length} elements; give ${sizes[i]}, as the variable has.`,
    );
  });
  return { block, input, output: sizes.map((size) => allocate(precision, size)) };
}

function requireReady(blocks: readonly CurvatureBlock[]): void {
  const unready = blocks.find(({ ready }) => !ready);
  if (blocks.length > 0 && !unready) return;
  const what = unready ? unready.shape.names.join(', ') : 'any variable';
  throw new NatgradError(
    'ERR_NATGRAD_STATE',
    `There is no inverse for ${what} yet; gather statistics with optimizer.computeGradients(f) first.`,
  );
}

/** A copy in the given precision. */
function inPrecision(vector: FloatArray, precision: Precision): FloatArray {
  return precision === 'float32' ? Float32Array.from(vector) : Float64Array.from(vector);
}
