import type { DenseRows } from '../../linalg/jobs';
import { explicitRows } from '../../linalg/reference/rows';
import type { RowsOrPatches } from '../block';
import { allocate, type Precision } from './factor';

/** Input rows or patches as one matrix, with a 1 appended to each row if homogeneous: the given one where that is it. */
export function rowMatrix(input: RowsOrPatches, homogeneous: boolean, precision: Precision): DenseRows {
  const { values, rows, columns } = explicitRows(input);
  if (!homogeneous && !('geometry' in input)) return input;
  const width = columns + Number(homogeneous);
  const data = allocate(precision, rows * width);
  for (let r = 0; r < rows; r++) {
    data.set(values.subarray(r * columns, (r + 1) * columns), r * width);
    if (homogeneous) data[r * width + columns] = 1;
  }
  return { data, rows, columns: width };
}
