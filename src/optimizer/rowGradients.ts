/**
 * Gradients as the products that they are of the rows of a batch, kept from the tape until they are applied. A block multiplies its
 * inverses by few rows with less work than by the gradient of a wide layer.
 */
import type * as tf from '@tensorflow/tfjs';

import type { CurvatureBlock, RowGradient } from '../curvature/block';
import { allocate, type Precision } from '../curvature/shared/factor';
import type { Host } from '../host/host';
import type { LayerBlock } from './statistics';

interface Kept {
  rows: RowGradient;
  variables: tf.Variable[];
  /** Ids of the gradient tensors that are this product, one per variable; null until they are known, and once they are other ones. */
  gradients: (number | undefined)[] | null;
  /** Whether the rows are those of the gradients that are claimed next. */
  fresh: boolean;
}

export class RowGradients {
  private readonly kept = new Map<CurvatureBlock, Kept>();

  constructor(private readonly precision: Precision) {}

  /** The tensors whose gradients `keep` wants to be given: the outputs of layers whose gradient is better taken as a product. */
  targets(blocks: readonly LayerBlock[]): tf.Tensor[] {
    return blocks.filter(isWorthKeeping).map(({ layers: [{ uses }] }) => uses[0].output);
  }

  /** Keeps copies of the rows of those layers. `gradientOf` are gradients of the loss. */
  keep(
    blocks: readonly LayerBlock[],
    gradientOf: (target: tf.Tensor) => tf.Tensor | null | undefined,
    host: Host,
  ): void {
    for (const { block, layers } of blocks.filter(isWorthKeeping)) {
      const [{ inputSize, outputSize, variables, uses }] = layers;
      const [{ activation, output, rows }] = uses;
      const gradient = gradientOf(output);
      if (!gradient) continue;
      const width = inputSize + variables.length - 1;
      const inputs = { data: this.room(block, 'inputs', rows * width).fill(1), rows, columns: width };
      const values = host.read(activation!);
      for (let r = 0; r < rows; r++) {
        inputs.data.set(values.subarray(r * inputSize, (r + 1) * inputSize), r * width);
      }
      const data = this.room(block, 'outputGradients', rows * outputSize);
      data.set(host.read(gradient));
      const outputGradients = { data, rows, columns: outputSize };
      this.kept.set(block, { rows: { inputs, outputGradients }, variables, gradients: null, fresh: true });
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
    return kept?.gradients?.every((id, i) => id !== undefined && id === gradients[i]) ? kept.rows : undefined;
  }

  /** The array of the previous batch if it has the length. */
  private room(block: CurvatureBlock, which: keyof RowGradient, length: number): Float32Array | Float64Array {
    const previous = this.kept.get(block)?.rows[which].data;
    return previous?.length === length ? previous : allocate(this.precision, length);
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
