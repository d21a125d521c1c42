import {
  inverse,
  inverseRoot,
  kernels,
  kroneckerMultiply,
  updateFactor,
  type BackendChoice,
  type CudaChoice,
  type CudaPrecision,
} from '../../src/linalg';
import { fixed, speedUp, time, type Row, type Section } from '../figures';
import { interleave, synchronous, type Effort } from '../interleave';
import { positiveDefinite, relativeError, uniform } from '../matrices';

const precisions: CudaPrecision[] = ['fp32', 'tf32', 'fp64'];
const damping = 1e-3;

/** One call of `natgrad/linalg` with arrays of its own. */
interface Call {
  arrays: Float32Array[];
  out: Float32Array;
  run(backend: BackendChoice): void;
}

const calls: Record<string, (n: number) => Call> = {
  'factor update, k 4096': (n) => {
    const data = uniform(4096 * n);
    const out = new Float32Array(n * n);
    return {
      arrays: [data],
      out,
      run: (backend) => updateFactor(out, { data, columns: n }, { decay: 0, backend }),
    };
  },
  inverse: (n) => {
    const matrix = positiveDefinite(n, 1e3);
    const out = new Float32Array(n * n);
    return { arrays: [matrix], out, run: (backend) => inverse(matrix, { damping, out, backend }) };
  },
  'inverse square root': (n) => {
    const matrix = positiveDefinite(n, 1e3);
    const out = new Float32Array(n * n);
    return { arrays: [matrix], out, run: (backend) => inverseRoot(matrix, { p: 2, damping, out, backend }) };
  },
  precondition: (n) => {
    const factor = positiveDefinite(n, 1e3);
    const gradient = uniform(n * n);
    const out = new Float32Array(n * n);
    return {
      arrays: [factor, gradient],
      out,
      run: (backend) => kroneckerMultiply(factor, gradient, factor, { out, backend }),
    };
  },
};

/**
 * Calls on a CUDA device against the same calls on the processor: with matrices that come from host memory and go back there ('cuda'), and
 * with matrices that are kept on the device. The relative difference of the results is in the Frobenius norm.
 */
export async function deviceCalls(sizes: number[], effort: Effort): Promise<Section[]> {
  const sections: Section[] = [];
  for (const [title, prepare] of Object.entries(calls)) {
    for (const precision of precisions) {
      const rows: Row[] = [];
      for (const n of sizes) rows.push(await compare(prepare, n, { name: 'cuda', precision }, effort));
      sections.push({ title: `${title}, ${precision}`, rows });
    }
  }
  return sections;
}

async function compare(
  prepare: (n: number) => Call,
  n: number,
  device: CudaChoice,
  effort: Effort,
): Promise<Row> {
  const [onHost, fromHost, onDevice] = [prepare(n), prepare(n), prepare(n)];
  const { memory } = kernels(device);
  if (!memory) throw new Error('the CUDA back end has no memory of its own');
  const kept = [...onDevice.arrays, onDevice.out].map((array) => memory.keep(array));
  try {
    const [cpu, cuda, keptCuda] = await interleave(
      [
        synchronous('cpu', () => onHost.run('cpu')),
        synchronous('cuda', () => fromHost.run(device)),
        synchronous('cuda, kept', () => onDevice.run(device)),
      ],
      effort,
    );
    kept.forEach((copy) => copy.fetch());
    return {
      case: `n ${n}`,
      figures: {
        cuda: time(cuda),
        'cuda, kept': time(keptCuda),
        cpu: time(cpu),
        'vs cpu': speedUp(cuda, cpu),
        'kept vs cpu': speedUp(keptCuda, cpu),
        'relative difference': fixed(relativeError(onDevice.out, onHost.out)),
      },
    };
  } finally {
    kept.forEach((copy) => copy.release());
  }
}
