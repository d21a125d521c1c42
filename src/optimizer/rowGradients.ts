/**
 * Gradients as the products that they are of the rows of a batch, kept from the tape until they are applied. A block multiplies its
 * inverses by few rows with less work than by the gradient of a wide layer, and by the inputs among them while tfjs is still computing
 * the gradients.
 */
import type * as tf from '@tensorflow/tfjs';

import type { CurvatureBlock, RowGradient, Rows } from '../curvature/block';
import { allocate } from '../curvature/shared/factor';
import { layRows } from '../curvature/shared/rowCopies';
import type { Host } from '../host/host';
import type { ResolvedConfig } from './config';
import type { Placement, Submitted } from './placement';
import type { LayerBlock } from './statistics';

interface Kept {
  rows: RowGradient;
  variables: tf.Variable[];
  /** Ids of the gradient tensors that are this product, one per variable; null until they are known, and once they are other ones. */
  gradients: (number | undefined)[] | null;
  /** Whether the rows are those of the gradients that are claimed next. */
  fresh: boolean;
  /** The product of the inputs with an inverse, if it was begun early. */
  begun: Submitted | null;
}

export class RowGradients {
  private readonly kept = new Map<CurvatureBlock, Kept>();

  constructor(
    private readonly config: ResolvedConfig,
    private readonly placement: Placement,
  ) {}

  /** Whether there is a layer whose gradient is better taken as a product. One that is clipped, or has L2 added, is none. */
  concern(blocks: readonly LayerBlock[]): boolean {
    const { clipNorm, clipValue, l2 } = this.config;
    return clipNorm === null && clipValue === null && l2 === 0 && blocks.some(isWorthKeeping);
  }

  /**
   * Keeps copies of the inputs of those layers.
   *
   * @param early whether the inverses are those of the step to come, so that the inputs may be multiplied by them at once, on a thread of the
   *   linear algebra
   * @returns the outputs of the layers, whose gradients `keep` wants to be given
   */
  begin(blocks: readonly LayerBlock[], host: Host, early: boolean): tf.Tensor[] {
    return blocks.filter(isWorthKeeping).map(({ block, layers }) => {
      const [{ inputSize, outputSize, variables, uses }] = layers;
      const [{ activation, output, rows }] = uses;
      const previous = this.kept.get(block);
      // It reads the array that is filled again here.
      previous?.begun?.wait();
      const width = inputSize + variables.length - 1;
      const inputs = this.room(previous?.rows.inputs, rows, width);
      const outputGradients = this.room(previous?.rows.outputGradients, rows, outputSize);
      layRows(host.read(activation!), inputSize, inputs);
      const begun = early && block.ready ? this.placement.submitSoon([[block.beginRows!(inputs)]]) : null;
      this.kept.set(block, {
        rows: { inputs, outputGradients },
        variables,
        gradients: null,
        fresh: false,
        begun,
      });
      return output;
    });
  }

  /** Keeps copies of the gradients of the loss at those outputs. */
  keep(
    blocks: readonly LayerBlock[],
    gradientOf: (target: tf.Tensor) => tf.Tensor | null | undefined,
    host: Host,
  ): void {
    for (const { block, layers } of blocks.filter(isWorthKeeping)) {
      const kept = this.kept.get(block);
      const gradient = gradientOf(layers[0].uses[0].output);
      if (!kept || !gradient) continue;
      kept.rows.outputGradients.data.set(host.read(gradient));
      kept.fresh = true;
    }
  }

  /**
   * Says which tensors are the gradients of the loss that rows were kept of. Rows that were not kept anew since the last time, as a batch of
   * more rows is not worth it, belong to other gradients than these.
   */
  claim(gradients: tf.NamedTensorMap): void {
    for (const kept of this.kept.values()) {
      kept.gradients = kept.fresh ? kept.variables.map(({ name }) => gradients[name]?.id) : null;
      kept.fresh = false;
    }
  }

  /** The rows of a block's gradient if it is made of these tensors, which nobody has replaced by others; ids are never given twice. */
  of(block: CurvatureBlock, gradients: readonly (number | undefined)[]): RowGradient | undefined {
    const kept = this.kept.get(block);
    if (!kept?.gradients?.every((id, i) => id !== undefined && id === gradients[i])) return undefined;
    const reports = kept.begun?.wait();
    kept.begun = null;
    // What could not be computed early can be computed now.
    const isUsable = !reports || reports.flat().every(({ status }) => status === 'ok');
    return isUsable ? kept.rows : { ...kept.rows, inputs: { ...kept.rows.inputs } };
  }

  /** Rows of ones, or with the array of the previous batch if it has the length: its last column is that of the bias then too. */
  private room(previous: Rows | undefined, rows: number, columns: number): Rows {
    const length = rows * columns;
    const data =
      previous?.data.length === length ? previous.data : allocate(this.config.precision, length).fill(1);
    return { data, rows, columns };
  }
}

function isWorthKeeping({ block, layers }: LayerBlock): boolean {
  const [layer] = layers;
  return (
    layers.length === 1 &&
    layer.gradientIsProduct === true &&
    block.prefersRows?.(layer.uses[0].rows) === true
  );
}
