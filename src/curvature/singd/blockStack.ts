import type { FloatArray, Job } from '../../linalg/jobs';
import { product } from '../shared/productJob';

/** Blocks of the same size along the diagonal, one after the other in memory. */
export interface BlockGroup {
  /** Place of its first element in the arrays, and of its first row in the matrix. */
  begin: number;
  firstRow: number;
  size: number;
  count: number;
}

/**
 * How arrays hold the blocks along the diagonal of a `size` by `size` matrix: all of `blockSize` but the last one, which is what is left. One
 * block is the whole matrix, blocks of 1 are its diagonal.
 */
export class BlockStack {
  readonly groups: readonly BlockGroup[];
  /** How many elements an array has. */
  readonly length: number;

  constructor(
    readonly size: number,
    blockSize: number,
  ) {
    const count = Math.floor(size / blockSize);
    const rest = size % blockSize;
    const last = { begin: count * blockSize ** 2, firstRow: count * blockSize, size: rest, count: 1 };
    this.groups = [{ begin: 0, firstRow: 0, size: blockSize, count }, last].filter(
      (group) => group.count > 0 && group.size > 0,
    );
    this.length = this.groups.reduce((sum, group) => sum + group.count * group.size ** 2, 0);
  }

  /** Whether the blocks are the whole matrix. */
  get isWhole(): boolean {
    return this.groups.length === 1 && this.groups[0].count === 1;
  }

  /** The part of an array that is a group. */
  part(array: FloatArray, { begin, size, count }: BlockGroup): FloatArray {
    return array.subarray(begin, begin + count * size * size);
  }

  /** Jobs for `out = left right`, block by block. */
  productJobs(
    left: FloatArray,
    right: FloatArray,
    out: FloatArray,
    transposed: { transposeLeft?: boolean; transposeRight?: boolean } = {},
  ): Job[] {
    return this.groups.map((group): Job => {
      const { size, count } = group;
      const [a, b, c] = [left, right, out].map((array) => this.part(array, group));
      return product([size, size, size], a, b, c, { count, ...transposed });
    });
  }

  /** Writes the identity over zeros. */
  addIdentity(array: FloatArray): FloatArray {
    for (const { begin, size, count } of this.groups) {
      for (let row = 0; row < count * size; row++) array[begin + row * size + (row % size)] = 1;
    }
    return array;
  }

  /** Copies the blocks to where they belong in a whole matrix. */
  expand(array: FloatArray, whole: FloatArray): FloatArray {
    for (const { begin, firstRow, size, count } of this.groups) {
      for (let row = 0; row < count * size; row++) {
        const from = begin + row * size;
        const column = firstRow + row - (row % size);
        whole.set(array.subarray(from, from + size), (firstRow + row) * this.size + column);
      }
    }
    return whole;
  }

  /** Where element (i, j) of the matrix is in an array, or undefined if it is in no block. */
  placeOf(i: number, j: number): number | undefined {
    const { begin, firstRow, size } = this.groups.findLast((group) => i >= group.firstRow)!;
    const [row, column] = [i - firstRow, j - firstRow];
    if (column < 0 || Math.floor(row / size) !== Math.floor(column / size)) return undefined;
    return begin + row * size + (column % size);
  }

  /** e.g. '26 of 30 x 30, 5 x 5'. */
  get dimensions(): string {
    return this.groups
      .map(({ size, count }) => `${count > 1 ? `${count} of ` : ''}${size} x ${size}`)
      .join(', ');
  }
}
