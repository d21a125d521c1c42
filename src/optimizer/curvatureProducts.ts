/** Vectors over the variables of a step, given one by one, multiplied by the curvature or its inverse, block by block. */
import type * as tf from '@tensorflow/tfjs';

import { variableSizes, type CurvatureBlock, type RowGradient } from '../curvature/block';
import { multiplyAll, preconditionAll, type BlockVectors } from '../curvature/curvature';
import { runPhases, type Computer } from '../curvature/phases';
import { allocate, type Precision } from '../curvature/shared/factor';
import type { Membership } from './estimation';
import type { RowGradients } from './rowGradients';
import { inPrecision } from './statistics';

/** What is made of one variable's gradient. */
export interface Preconditioned {
  variable: tf.Variable;
  /** Of the objective. */
  gradient: Float32Array;
  /** Id of the tensor that holds the gradient; undefined where it is in none as it is. */
  tensor: number | undefined;
  /** Where the direction goes. */
  direction: Float32Array;
  /** Whether the direction is the gradient itself, whatever the block. */
  plain: boolean;
}

export class CurvatureProducts {
  constructor(
    private readonly computer: Computer,
    private readonly precision: Precision,
    private readonly membership: (variable: tf.Variable) => Membership | undefined,
    private readonly rowGradients: RowGradients,
  ) {}

  /**
   * Fills directions with (F + damping)^-1 gradient; a variable without a ready block keeps its gradient as direction. Returns the inner
   * products of gradients and directions.
   */
  precondition(entries: readonly Preconditioned[]): number[] {
    const single = this.precision === 'float32';
    const blocks = new BlockEntries(this.precision);
    const dots: number[] = [];
    const inBlocks: { direction: Float32Array; vectors: BlockVectors; index: number }[] = [];
    for (const { variable, gradient, direction, plain } of entries) {
      const member = this.membership(variable);
      if (!member?.block.ready || plain) {
        direction.set(gradient);
        dots.push(gradient.reduce((sum, value) => sum + value * value, 0));
        continue;
      }
      const vectors = blocks.of(member.block);
      vectors.input[member.index] = inPrecision(gradient, this.precision);
      vectors.output[member.index] = single ? direction : new Float64Array(direction.length);
      inBlocks.push({ direction, vectors, index: member.index });
    }
    for (const vectors of blocks.all) vectors.rows = this.rowsOf(vectors.block, entries);
    const products = preconditionAll(blocks.completed());
    dots.push(...products.dots(runPhases(this.computer, products.phases)));
    if (!single) {
      for (const { direction, vectors, index } of inBlocks) direction.set(vectors.output[index]);
    }
    return dots;
  }

  /** The rows whose product the gradients of a block are, if they are known. */
  private rowsOf(block: CurvatureBlock, entries: readonly Preconditioned[]): RowGradient | undefined {
    const tensors: (number | undefined)[] = [];
    for (const { variable, tensor } of entries) {
      const member = this.membership(variable);
      if (member?.block === block) tensors[member.index] = tensor;
    }
    return this.rowGradients.of(block, tensors);
  }

  /** `delta' F delta` over the variables that have a ready block. */
  square(deltas: readonly { variable: tf.Variable; delta: Float32Array }[]): number {
    const blocks = new BlockEntries(this.precision);
    for (const { variable, delta } of deltas) {
      const member = this.membership(variable);
      if (!member?.block.ready) continue;
      blocks.of(member.block).input[member.index] = inPrecision(delta, this.precision);
    }
    const products = multiplyAll(blocks.completed());
    return products.dots(runPhases(this.computer, products.phases)).reduce((sum, dot) => sum + dot, 0);
  }
}

/** The vectors of each block, made at its first use. */
class BlockEntries {
  private readonly entries = new Map<CurvatureBlock, BlockVectors>();

  constructor(private readonly precision: Precision) {}

  get all(): Iterable<BlockVectors> {
    return this.entries.values();
  }

  of(block: CurvatureBlock): BlockVectors {
    let vectors = this.entries.get(block);
    if (!vectors) this.entries.set(block, (vectors = { block, input: [], output: [] }));
    return vectors;
  }

  /** With zeros for variables of the blocks that take no part in this step. */
  completed(): BlockVectors[] {
    for (const { block, input, output } of this.all) {
      variableSizes(block.shape).forEach((size, i) => {
        input[i] ??= allocate(this.precision, size);
        output[i] ??= allocate(this.precision, size);
      });
    }
    return [...this.all];
  }
}
