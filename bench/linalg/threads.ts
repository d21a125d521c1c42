import { inverse, inverseRoot, kernels, updateFactor } from '../../src/linalg';
import { speedUp, time, type Row } from '../figures';
import { interleave, synchronous } from '../interleave';
import { positiveDefinite, uniform } from '../matrices';
import type { Measure } from './suite';

/** The factors of a few networks together: every matrix is one thread's, so what counts is how they are shared out. */
const mixed = [785, 80, 81, 80, 81, 10, 64, 128, 256, 512, 577, 1024];

/** Two threads against one over matrices of mixed sizes in one call. */
export const twoThreads: Measure = async (suite) => {
  const sizes = suite.quick ? mixed.filter((size) => size <= 600) : mixed;
  const batch = 256;
  const matrices = sizes.map((n) => positiveDefinite(n, 1e3));
  const out = matrices.map((matrix) => new Float32Array(matrix.length));
  const inputs = sizes.map((n) => ({ data: uniform(batch * n), columns: n }));
  const factors = matrices.map((matrix) => new Float32Array(matrix.length));
  const works = {
    'factor update': () => updateFactor(factors, inputs),
    inverse: () => inverse(matrices, { out }),
    'inverse square root': () => inverseRoot(matrices, { damping: 1e-3, out }),
  };
  const rows: Row[] = [];
  for (const [name, work] of Object.entries(works)) {
    const [one, two] = await interleave(
      [1, 2].map((count) => synchronous(`${count}`, work, () => (kernels().threads = count))),
      suite.effort,
    );
    const figures = {
      'one thread': time(one),
      'two threads': time(two),
      'speed-up': speedUp(two, one, { atLeast: 1.7 }),
    };
    rows.push({ case: name, figures });
  }
  kernels().threads = 1;
  return { title: `threads, ${sizes.length} matrices of mixed sizes`, rows };
};
