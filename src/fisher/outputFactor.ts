/** The factor B of H = B B' for a likelihood that only tells H. */
import { NatgradError } from '../errors';
import { symmetricEigen } from '../linalg/reference/symmetricEigen';
import type { Likelihood, Outputs } from './likelihood';

type Factor = Pick<Likelihood, 'factorColumns' | 'factorColumn'>;

/** How far below zero, relative to the largest, rounding may take an eigenvalue. */
const tolerance = 1e-6;

/**
 * `B = V diag(sqrt(values))` of the eigendecomposition of every row's H, with a column per eigenvalue.
 *
 * @throws NatgradError ERR_NATGRAD_SHAPE, when used, if `outputFisher` gives no square matrix of the outputs, ERR_NATGRAD_LIKELIHOOD if it
 *   gives one that has a negative eigenvalue
 */
export function factorFromFisher(likelihood: Pick<Likelihood, 'outputFisher'>): Factor {
  const factors = new WeakMap<Outputs, Float64Array>();
  return {
    factorColumns: (columns) => columns,
    factorColumn(outputs, column, out) {
      let factor = factors.get(outputs);
      if (!factor) factors.set(outputs, (factor = factorsOf(likelihood, outputs)));
      const { rows, columns } = outputs;
      const size = rows * columns;
      for (let i = 0; i < size; i++) out[i] = factor[column * size + i];
    },
  };
}

/** [column of B, row, element]. */
function factorsOf(likelihood: Pick<Likelihood, 'outputFisher'>, outputs: Outputs): Float64Array {
  const { rows, columns } = outputs;
  const factors = new Float64Array(columns * rows * columns);
  for (let row = 0; row < rows; row++) {
    const fisher = Float64Array.from(likelihood.outputFisher(outputs, row));
    if (fisher.length !== columns * columns) {
      throw new NatgradError(
        'ERR_NATGRAD_SHAPE',
        `outputFisher gave ${fisher.length} elements for row ${row}; ${columns} outputs need a matrix of ${columns} x ${columns}.`,
      );
    }
    const eigen = fisher.every(Number.isFinite) ? symmetricEigen(fisher, columns) : null;
    if (eigen && eigen.values[0] < -tolerance * Math.abs(eigen.values[columns - 1])) {
      throw new NatgradError(
        'ERR_NATGRAD_LIKELIHOOD',
        `outputFisher gave a matrix with the eigenvalue ${eigen.values[0]} for row ${row}; a Fisher matrix has none below zero.`,
      );
    }
    for (let column = 0; column < columns; column++) {
      const root = eigen ? Math.sqrt(Math.max(eigen.values[column], 0)) : NaN;
      const to = (column * rows + row) * columns;
      for (let i = 0; i < columns; i++)
        factors[to + i] = eigen ? root * eigen.rows[column * columns + i] : NaN;
    }
  }
  return factors;
}
