import { eigh, inverseRoot, kernels } from '../../src/linalg';
import { fixed, time, timeRatio, type Row } from '../figures';
import { interleave, synchronous } from '../interleave';
import { positiveDefinite, relativeError } from '../matrices';
import { sizesOf, type Measure } from './suite';

/** Unit roundoff of float32. */
const eps = 2 ** -24;

/**
 * Inverse square root of a damped float32 matrix by the default method, against the time of the eigendecomposition alone, which every
 * spectral method needs. Errors are relative to the root by a float64 eigendecomposition, in units of eps times the condition of the
 * damped matrix; beside ours, that of the root by float32 eigendecomposition.
 */
export const squareRoot: Measure = async (suite) => {
  kernels().threads = 1;
  const rows: Row[] = [];
  for (const n of sizesOf(suite, [64, 128, 256, 512, 1024])) {
    for (const condition of suite.quick ? [1e4] : [1e2, 1e4, 1e6]) {
      const damping = 1 / condition;
      const matrix = positiveDefinite(n, condition);
      const out = new Float32Array(n * n);
      const work = () => inverseRoot(matrix, { p: 2, damping, out });
      const { lapack } = suite;
      const [ours, double, single] = await interleave(
        [
          synchronous('natgrad', work),
          ...(lapack
            ? [lapack.competitor('dsyevd', 'dsyevd', n, 1), lapack.competitor('ssyevd', 'ssyevd', n, 1)]
            : []),
        ],
        suite.effort,
      );
      const figures: Row['figures'] = { natgrad: time(ours) };
      if (double && single) {
        figures.dsyevd = time(double);
        figures['of dsyevd'] = timeRatio(ours, double, n >= 64 ? { atMost: 0.8 } : undefined);
        figures['of ssyevd'] = timeRatio(ours, single);
      }
      work();
      const exact = rootByEigh(Float64Array.from(matrix), n, damping);
      const unit = eps * exact.condition;
      figures['error/(eps cond)'] = fixed(relativeError(out, exact.root) / unit, { atMost: 30 });
      figures['by ssyevd'] = fixed(relativeError(rootByEigh(matrix, n, damping).root, exact.root) / unit);
      rows.push({ case: `n ${n}, cond ${condition.toExponential(0)}`, figures });
    }
  }
  return { title: 'inverse square root', rows };
};

/** (M + damping I)^(-1/2) = V diag((w + damping)^(-1/2)) V', with V and w in the precision of the matrix and the rest in float64. */
function rootByEigh(
  matrix: Float32Array | Float64Array,
  n: number,
  damping: number,
): { root: Float64Array; condition: number } {
  const { values, vectors } = eigh(matrix);
  const weights = Float64Array.from(values, (value) => (value + damping) ** -0.5);
  const root = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let k = 0; k < n; k++) sum += weights[k] * vectors[i * n + k] * vectors[j * n + k];
      root[i * n + j] = root[j * n + i] = sum;
    }
  }
  return { root, condition: (values[n - 1] + damping) / (values[0] + damping) };
}
