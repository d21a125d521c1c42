/**
 * The direction of a layer whose gradient V = X~' D is a product of fewer rows than the layer is wide: with the inverses of both factors,
 * which are symmetric,
 *
 *     A^-1 V G^-1 = (X~ A^-1)' (D G^-1).
 *
 * The right side multiplies the inverses by the rows of a batch, the left one by all columns of the gradient. They differ by rounding
 * only, which both have in proportion to |X~|' |D|, as V itself does.
 */
import type { FloatArray } from '../../linalg/jobs';
import type { RowGradient } from '../block';
import { dotPhase, type Phase } from '../phases';
import { product } from '../shared/productJob';
import type { Scratch } from '../shared/scratch';

/** Below this many multiplications the gradient itself is multiplied: one job takes less time than the four here. */
const worthwhile = 4e6;

/** Whether the right side is at least a fifth less work than the left one. */
export function rowsArePreferable(rows: number, inputSize: number, outputSize: number): boolean {
  const byColumns = inputSize * outputSize * (inputSize + outputSize);
  const byRows = rows * (inputSize * inputSize + outputSize * outputSize + inputSize * outputSize);
  return byColumns >= worthwhile && byRows <= 0.8 * byColumns;
}

/**
 * @param inverses A^-1 and G^-1, full
 * @param gradients V, one array per variable, @param directions as many, for the result
 */
export function rowProductPhases(
  { inputs, outputGradients }: RowGradient,
  [inverseA, inverseG]: [FloatArray, FloatArray],
  gradients: FloatArray[],
  directions: FloatArray[],
  scratch: Scratch,
): Phase[] {
  const { rows, columns: inputSize } = inputs;
  const { columns: outputSize } = outputGradients;
  // A^-1 X~', whose last row, that of the bias, lies by itself.
  const left = scratch.array('left', inputSize * rows);
  const right = scratch.array('right', rows * outputSize);
  let begin = 0;
  const products = directions.map((direction) => {
    const size = direction.length / outputSize;
    const part = left.subarray(begin * rows, (begin += size) * rows);
    return product([size, rows, outputSize], part, right, direction);
  });
  return [
    {
      jobs: [
        product([inputSize, inputSize, rows], inverseA, inputs.data, left, { transposeRight: true }),
        product([rows, outputSize, outputSize], outputGradients.data, inverseG, right),
      ],
    },
    { jobs: products },
    dotPhase(gradients, directions),
  ];
}
