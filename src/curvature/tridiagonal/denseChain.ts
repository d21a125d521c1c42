/**
 * The block over a chain of layers as a dense matrix. Its blocks (i, i) and (i, i + 1) are Kronecker products of moments and of cross
 * moments; those further out are each the regression of its layer on the next times the block below it, on both sides:
 *
 *     A_ij = Psi^A_i,i+1 A_i+1,j,    G_ij = Psi^G_i,i+1 G_i+1,j        j > i + 1
 */
import type { ChainSide } from './chainSide';

/** [p, p] row-major and full, over the elements of the layers' matrices one after the other. */
export function denseChain(input: ChainSide, output: ChainSide): Float64Array {
  const lengths = input.sizes.map((rows, i) => rows * output.sizes[i]);
  const begins = lengths.map((_, i) => lengths.slice(0, i).reduce((sum, length) => sum + length, 0));
  const total = lengths.reduce((sum, length) => sum + length, 0);
  const dense = new Float64Array(total * total);
  for (let j = 0; j < lengths.length; j++) {
    for (let i = 0; i <= j; i++) {
      const [a, g] = [factorBetween(input, i, j), factorBetween(output, i, j)];
      const [width, otherWidth] = [output.sizes[i], output.sizes[j]];
      for (let row = 0; row < lengths[i]; row++) {
        for (let column = 0; column < lengths[j]; column++) {
          const value =
            a(Math.floor(row / width), Math.floor(column / otherWidth)) * g(row % width, column % otherWidth);
          dense[(begins[i] + row) * total + begins[j] + column] = value;
          dense[(begins[j] + column) * total + begins[i] + row] = value;
        }
      }
    }
  }
  return dense;
}

/** One side's factor of block (i, j), i <= j, by element. */
function factorBetween(side: ChainSide, i: number, j: number): (k: number, l: number) => number {
  if (i === j) return (k, l) => side.momentAt(i, k, l);
  const width = side.sizes[j];
  let block = Float64Array.from(side.crosses[j - 1]);
  for (let above = j - 2; above >= i; above--) {
    const [rows, inner] = [side.sizes[above], side.sizes[above + 1]];
    const regression = side.current.regressions[above];
    const next = new Float64Array(rows * width);
    for (let k = 0; k < rows; k++) {
      for (let m = 0; m < inner; m++) {
        for (let l = 0; l < width; l++) {
          next[k * width + l] += regression[k * inner + m] * block[m * width + l];
        }
      }
    }
    block = next;
  }
  return (k, l) => block[k * width + l];
}
