import { inverse, kernels } from '../../src/linalg';
import { speedUp, time, type Row } from '../figures';
import { interleave, spread, synchronous, type Measurement } from '../interleave';
import { positiveDefinite } from '../matrices';
import { sizesOf, type Measure } from './suite';

const pythonOperations = ['numpy.inv', 'scipy.inv', 'torch.inv', 'torch.cholesky_inverse'];

/** Inverse of one symmetric positive definite matrix, against LAPACK in our own BLAS and against the fastest of the Python peers. */
export const singleInverse: Measure = async (suite) => {
  kernels().threads = 1;
  const rows: Row[] = [];
  for (const n of sizesOf(suite, [64, 128, 256, 512, 1024])) {
    const matrix = positiveDefinite(n, 1e3);
    const out = new Float32Array(n * n);
    const { lapack, python } = suite;
    const [ours, ...others] = await interleave(
      [
        synchronous('natgrad', () => inverse(matrix, { out })),
        ...(lapack ? [lapack.competitor('potrf+potri', 'potri', n, 1)] : []),
        ...(python ? pythonOperations.map((name) => python.competitor(name, name, n, 1)) : []),
      ],
      suite.effort,
    );
    const figures: Row['figures'] = { natgrad: time(ours) };
    for (const other of others) figures[other.name] = time(other);
    if (lapack) figures['vs LAPACK'] = speedUp(ours, others[0]);
    const peers = others.filter(({ name }) => pythonOperations.includes(name));
    if (peers.length > 0)
      figures['vs best peer'] = speedUp(ours, fastest(peers), n >= 64 ? { atLeast: 2 } : undefined);
    rows.push({ case: `n ${n}`, figures });
  }
  return { title: 'inverse', rows };
};

function fastest(measurements: Measurement[]): Measurement {
  const median = ({ rounds }: Measurement) => spread(rounds).median;
  return measurements.reduce((a, b) => (median(b) < median(a) ? b : a));
}

/**
 * Inverses of 256 small matrices in one call, as a stack and as an array, against a loop over LAPACK; LAPACK gives one triangle, we the
 * whole matrix.
 */
export const batchInverse: Measure = async (suite) => {
  kernels().threads = 1;
  const count = 256;
  const rows: Row[] = [];
  for (const n of sizesOf(suite, [8, 16, 32, 48, 64], (size) => size <= 64)) {
    const matrices = Array.from({ length: count }, () => positiveDefinite(n, 1e3));
    const outs = matrices.map(() => new Float32Array(n * n));
    const stack = new Float32Array(count * n * n);
    matrices.forEach((matrix, i) => stack.set(matrix, i * n * n));
    const out = new Float32Array(stack.length);
    const { lapack } = suite;
    const [stacked, separate, loop] = await interleave(
      [
        synchronous('stack', () => inverse(stack, { size: n, out })),
        synchronous('array', () => inverse(matrices, { out: outs })),
        ...(lapack ? [lapack.competitor('LAPACK loop', 'potri', n, count)] : []),
      ],
      suite.effort,
    );
    for (const ours of [stacked, separate]) {
      const figures: Row['figures'] = { natgrad: time(ours) };
      if (loop) {
        figures['LAPACK loop'] = time(loop);
        const target = ours === stacked && n <= 32 ? { atLeast: 4 } : undefined;
        figures['vs loop'] = speedUp(ours, loop, target);
      }
      rows.push({ case: `${ours.name} of ${count}, n ${n}`, figures });
    }
  }
  return { title: 'batched inverse', rows };
};

/**
 * What a call costs besides the work: the inverse of a 1 by 1 matrix, and of each of 256 in one call. At small sizes it is part of every
 * other figure here.
 */
export const callOverhead: Measure = async (suite) => {
  kernels().threads = 1;
  const rows: Row[] = [];
  for (const count of [1, 256]) {
    const matrices = Array.from({ length: count }, () => Float32Array.of(1));
    const out = matrices.map(() => new Float32Array(1));
    const [ours] = await interleave([synchronous('natgrad', () => inverse(matrices, { out }))], suite.effort);
    const each = { ...ours, rounds: ours.rounds.map((seconds) => seconds / count) };
    rows.push({ case: `${count} of n 1`, figures: { natgrad: time(ours), 'per matrix': time(each) } });
  }
  return { title: 'call overhead', rows };
};
