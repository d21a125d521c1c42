import { kernels, updateFactor } from '../../src/linalg';
import { speedUp, time, type Row } from '../figures';
import { interleave, perRound, synchronous, type Measurement } from '../interleave';
import { uniform } from '../matrices';
import { sizesOf, type Measure } from './suite';

/**
 * The moving average of X'X against the same product by one general matrix multiplication, and against the peak of the processor: of the
 * symmetric product only one triangle counts, n (n + 1) k operations.
 */
export const factorUpdate: Measure = async (suite) => {
  kernels().threads = 1;
  const rows: Row[] = [];
  for (const n of sizesOf(suite, [64, 128, 256, 512, 1024, 2048])) {
    for (const k of suite.quick ? [256] : [128, 512, 2048]) {
      const data = uniform(k * n);
      const factor = new Float32Array(n * n);
      const ours = synchronous('natgrad', () => updateFactor(factor, { data, columns: n }));
      const others = suite.lapack
        ? [suite.lapack.competitor('gemm', 'gemm', n, k), suite.lapack.competitor('peak', 'peak', n, k)]
        : [];
      const [measured, gemm, peak] = await interleave([ours, ...others], suite.effort);
      const figures: Row['figures'] = { natgrad: time(measured) };
      if (gemm && peak) {
        const share = (operations: number, measurement: Measurement) =>
          perRound((seconds, peakOfGiga) => (operations / 1e9) * (peakOfGiga / seconds), measurement, peak);
        figures.gemm = time(gemm);
        figures['gemm of peak'] = { ...share(2 * n * n * k, gemm), unit: '%' };
        figures['vs gemm'] = speedUp(measured, gemm, n >= 64 ? { atLeast: 1.6 } : undefined);
        const target = n >= 256 ? { atLeast: 0.8 } : undefined;
        figures['of peak'] = { ...share(n * (n + 1) * k, measured), unit: '%', target };
      }
      rows.push({ case: `n ${n}, k ${k}`, figures });
    }
  }
  return { title: 'factor update', rows };
};
