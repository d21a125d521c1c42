import { inverse, kernels, kroneckerFactor, updateFactor } from '../../src/linalg';
import { fixed, time, timeRatio, type Row } from '../figures';
import { interleave, synchronous } from '../interleave';
import { uniform } from '../matrices';
import { sizesOf, type Measure } from './suite';

/** Moving averages of second moments, as K-FAC has them: decay, rows of a batch, and batches between two refreshes. */
const averages = [
  { decay: 0.95, rows: 256, batches: 1 },
  { decay: 0.95, rows: 256, batches: 10 },
  { decay: 0.99, rows: 64, batches: 10 },
  { decay: 0.95, rows: 64, batches: 50 },
];

/** Rows that went through a rectifier, with a last column of ones. */
function rectified(rows: number, columns: number, seed: number) {
  const data = uniform(rows * columns, 7919 * seed).map((value) => Math.max(value, 0));
  for (let row = 0; row < rows; row++) data[(row + 1) * columns - 1] = 1;
  return { data, columns };
}

/** Inverse from that of the previous refresh, by Newton's iteration, against Cholesky. A step of the iteration has 4 n^3 operations. */
export const earlierInverse: Measure = async (suite) => {
  kernels().threads = 1;
  const rows: Row[] = [];
  for (const n of sizesOf(suite, [256, 512])) {
    for (const { decay, rows: each, batches } of averages) {
      let seed = 0;
      const matrix = kroneckerFactor(rectified(4 * n, n, ++seed));
      const update = () =>
        updateFactor(matrix, rectified(each, n, ++seed), { decay, scale: (1 - decay) / each });
      for (let batch = 0; batch < 3 / (1 - decay); batch++) update();
      const damping = 1e-3;
      const start = inverse(matrix, { damping });
      for (let batch = 0; batch < batches; batch++) update();
      const out = new Float32Array(n * n);
      const { reports } = inverse([matrix], { damping, start: [start], out: [out], onFailure: 'report' });
      const [cholesky, newton] = await interleave(
        [
          synchronous('Cholesky', () => inverse(matrix, { damping, out })),
          synchronous('Newton', () => inverse(matrix, { damping, start, out })),
        ],
        suite.effort,
      );
      rows.push({
        case: `n ${n}, decay ${decay}, after ${batches} x ${each} rows`,
        figures: {
          steps: fixed(reports[0].iterations),
          Cholesky: time(cholesky),
          Newton: time(newton),
          'of Cholesky': timeRatio(newton, cholesky),
        },
      });
    }
  }
  return { title: 'inverse from an earlier one', rows };
};
