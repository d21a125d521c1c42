/** Copies of the rows of a batch that outlive the call they came with, for jobs that are submitted without their inputs being copied. */
import type { FloatArray } from '../../linalg/jobs';
import type { Activation, Rows } from '../block';

/** The rows as a new array, with a 1 appended to each if `homogeneous`. */
export function copyRows({ data, rows, columns }: Rows, homogeneous = false): Rows {
  if (!homogeneous) return { data: data.slice(0, rows * columns), rows, columns };
  const copy = { data: like(data, rows * (columns + 1)).fill(1), rows, columns: columns + 1 };
  layRows(data, columns, copy);
  return copy;
}

/** Lays rows of so many columns over the first columns of others; what these have beyond stays as it is. */
export function layRows(from: FloatArray, columns: number, to: Rows): void {
  for (let r = 0; r < to.rows; r++) {
    to.data.set(from.subarray(r * columns, (r + 1) * columns), r * to.columns);
  }
}

/** An array of so many ones, in the dtype of another. */
export function onesLike(array: FloatArray, length: number): FloatArray {
  return like(array, length).fill(1);
}

/** A zero-filled array in the dtype of another. */
export function like(array: FloatArray, length: number): FloatArray {
  return array instanceof Float32Array ? new Float32Array(length) : new Float64Array(length);
}

/** The images or rows `begin` to `end` of an activation whose rows are grouped into `groups` examples. */
export function examplesOf<A extends Exclude<Activation, { indices: Int32Array }>>(
  activation: A,
  groups: number,
  begin: number,
  end: number,
): A {
  if ('geometry' in activation) {
    const { data, geometry } = activation;
    const perGroup = geometry.batch / groups;
    const image = geometry.inHeight * geometry.inWidth * geometry.channels * perGroup;
    const part = { ...geometry, batch: (end - begin) * perGroup };
    return { ...activation, data: data.subarray(begin * image, end * image), geometry: part };
  }
  const { data, rows, columns } = activation;
  const perGroup = rows / groups;
  return {
    ...activation,
    data: data.subarray(begin * perGroup * columns, end * perGroup * columns),
    rows: (end - begin) * perGroup,
  };
}
