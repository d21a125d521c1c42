import type { LowRankScoresJob, Report } from '../jobs';
import { allFinite, multiply, transpose } from './dense';
import { failure, report } from './report';
import { scores } from './scores';
import { symmetricEigen } from './symmetricEigen';

/** Per example the score S, and of the smaller of S'S and SS' the leading eigenvectors, on which S is projected. */
export function lowRankScores(job: LowRankScoresJob): Report {
  const { activation, outputGradient, examples, rank, left, right } = job;
  if (!allFinite(activation.data) || !allFinite(outputGradient.data)) return failure('notFinite');
  if (examples === 0 || rank === 0) return report();
  const [rows, columns] = [left.length / (examples * rank), outputGradient.columns];
  const out = new Float64Array(examples * rows * columns);
  scores({ ...job, op: 'scores', keep: 0, out });
  for (let n = 0; n < examples; n++) {
    const score = out.subarray(n * rows * columns, (n + 1) * rows * columns);
    const transposed = transpose(score, rows, columns);
    const byColumns = columns < rows;
    const size = Math.min(rows, columns);
    const moment = byColumns
      ? multiply(transposed, score, columns, rows, columns)
      : multiply(score, transposed, rows, columns, rows);
    if (!allFinite(moment)) return failure('notFinite');
    const eigen = symmetricEigen(moment, size);
    if (!eigen) return failure('notConverged');
    const leading = eigen.rows.subarray((size - rank) * size);
    const projected = byColumns
      ? multiply(leading, transposed, rank, columns, rows)
      : multiply(leading, score, rank, rows, columns);
    left.set(byColumns ? projected : leading, n * rank * rows);
    right.set(byColumns ? leading : projected, n * rank * columns);
  }
  return report();
}
