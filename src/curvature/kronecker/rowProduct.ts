/**
 * The direction of a layer whose gradient V = X~' D is a product of fewer rows than the layer is wide: with the inverses of both factors,
 * which are symmetric,
 *
 *     A^-1 V G^-1 = (X~ A^-1)' (D G^-1).
 *
 * The right side multiplies the inverses by the rows of a batch, the left one by all columns of the gradient. They differ by rounding
 * only, which both have in proportion to |X~|' |D|, as V itself does. Where there is no factor G, D is taken as it is.
 */
import type { FloatArray, ProductJob } from '../../linalg/jobs';
import type { RowGradient, Rows } from '../block';
import { dotPhase, type Phase } from '../phases';
import { product } from '../shared/productJob';
import type { Precision } from '../shared/factor';
import { Scratch } from '../shared/scratch';

/** Below this many multiplications the gradient itself is multiplied: one job takes less time than the four here. */
const worthwhile = 4e6;

/** Whether the right side is at least a fifth less work than the left one. `withOutputFactor` says whether there is a G. */
export function rowsArePreferable(
  rows: number,
  inputSize: number,
  outputSize: number,
  withOutputFactor = true,
): boolean {
  const outputs = withOutputFactor ? outputSize : 0;
  const byColumns = inputSize * outputSize * (inputSize + outputs);
  const byRows = rows * (inputSize * inputSize + outputs * outputs + inputSize * outputSize);
  return byColumns >= worthwhile && byRows <= 0.8 * byColumns;
}

/** The rows of a block's gradients on their way through its inverses. */
export class RowProduct {
  /** X~ A^-1, if it was begun before the rest. */
  private begun: { inputs: Rows; job: ProductJob } | null = null;
  private readonly scratch: Scratch;

  constructor(precision: Precision) {
    this.scratch = new Scratch(precision);
  }

  /** Computes X~ A^-1, which the inputs alone determine, for the next `phases` to use. */
  begin(inputs: Rows, inverseA: FloatArray): ProductJob {
    const job = this.left(inputs, inverseA);
    this.begun = { inputs, job };
    return job;
  }

  /**
   * The rest, or all of it if nothing was begun with the same inputs (the same object, as arrays are filled again) and the same inverse.
   *
   * @param inverses A^-1 and, where there is a G, G^-1, full
   * @param gradients V, one array per variable, @param directions as many, for the result
   */
  phases(
    { inputs, outputGradients }: RowGradient,
    [inverseA, inverseG]: [FloatArray, FloatArray?],
    gradients: FloatArray[],
    directions: FloatArray[],
  ): Phase[] {
    const { rows, columns: inputSize } = inputs;
    const { columns: outputSize } = outputGradients;
    const { begun } = this;
    this.begun = null;
    const isBegun = begun?.inputs === inputs && begun.job.right === inverseA;
    const left = isBegun ? begun.job : this.left(inputs, inverseA);
    const right = inverseG ? this.scratch.array('right', rows * outputSize) : outputGradients.data;
    const [direction, outLast] = directions;
    return [
      {
        jobs: [
          ...(isBegun ? [] : [left]),
          ...(inverseG
            ? [product([rows, outputSize, outputSize], outputGradients.data, inverseG, right)]
            : []),
        ],
      },
      {
        jobs: [
          product([inputSize, rows, outputSize], left.out, right, direction, {
            transposeLeft: true,
            outLast,
          }),
        ],
      },
      dotPhase(gradients, directions),
    ];
  }

  private left({ data, rows, columns }: Rows, inverseA: FloatArray): ProductJob {
    return product([rows, columns, columns], data, inverseA, this.scratch.array('left', rows * columns));
  }
}
