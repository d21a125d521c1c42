import * as tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-wasm';
import { accelerate } from '../../src/accelerate';
import { catalogue } from '../../src/accelerate/catalogue';
import type { BackendName } from '../../src/accelerate/memory';

export const backends: BackendName[] = ['cpu', 'wasm'];

/** Numbers in [-1, 1) that are the same in every run (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2147483648 - 1;
  };
}

/** A tensor of such numbers. */
export function randomTensor(shape: number[], seed: number): tf.Tensor {
  const next = randomNumbers(seed);
  return tf.tensor(Float32Array.from({ length: tf.util.sizeFromShape(shape) }, next), shape, 'float32');
}

export interface Result {
  shape: number[];
  values: Float32Array;
}

/** What `compute` returns on a backend, read back. */
export async function evaluate(
  backend: BackendName,
  compute: () => tf.Tensor | tf.Tensor[],
): Promise<Result[]> {
  await tf.setBackend(backend);
  return tf.tidy(() =>
    [compute()].flat().map((tensor) => ({
      shape: tensor.shape,
      values: Float32Array.from(tensor.dataSync()),
    })),
  );
}

/** Calls a tfjs kernel by its name on whatever backend is set. */
export function runKernel(name: string, inputs: Record<string, tf.Tensor>, attrs: object = {}): tf.Tensor {
  return tf.engine().runKernel<tf.Tensor>(name, inputs, attrs as tf.NamedAttrMap);
}

/** Largest difference, relative to the largest expected magnitude; Infinity where NaNs or infinities do not agree. */
export function relativeError(actual: Float32Array, expected: Float32Array): number {
  const scale = expected.reduce(
    (most, value) => Math.max(most, Number.isFinite(value) ? Math.abs(value) : 0),
    1e-30,
  );
  return actual.reduce((most, value, i) => {
    if (Object.is(value, expected[i]) || value === expected[i]) return most;
    const difference = Math.abs(value - expected[i]);
    return Math.max(most, Number.isNaN(difference) ? Infinity : difference / scale);
  }, 0);
}

export function expectClose(actual: Result[], expected: Result[], tolerance: number): void {
  expect(actual.map(({ shape }) => shape)).toEqual(expected.map(({ shape }) => shape));
  actual.forEach(({ values }, i) => {
    expect(relativeError(values, expected[i].values)).toBeLessThanOrEqual(tolerance);
  });
}

/**
 * Checks that `compute` gives the same on the accelerated backends as on tfjs's own cpu backend, by native kernels alone: no call of it
 * may end in a kernel that was replaced, but for those in `left`, which are tfjs's on purpose.
 */
export async function expectSameAsPlainCpu(
  compute: () => tf.Tensor | tf.Tensor[],
  { tolerance = 1e-5, left = [] }: { tolerance?: number; left?: string[] } = {},
): Promise<void> {
  const expected = await evaluate('cpu', compute);
  const watched = watchOriginals();
  const restore = accelerate();
  try {
    for (const backend of backends) {
      expectClose(await evaluate(backend, compute), expected, tolerance);
      expect(watched.calls.filter((name) => !left.includes(name))).toEqual([]);
    }
  } finally {
    restore();
    watched.restore();
  }
}

/** Registers, for every kernel that accelerate() replaces, one that does the same and notes that it was called. */
export function watchOriginals(): { calls: string[]; restore: () => void } {
  const calls: string[] = [];
  const exchanged: tf.KernelConfig[] = [];
  for (const backend of backends) {
    for (const kernelName of catalogue[backend].keys()) {
      const original = tf.getKernel(kernelName, backend) as tf.KernelConfig | undefined;
      if (original === undefined) continue;
      exchanged.push(original);
      tf.unregisterKernel(kernelName, backend);
      tf.registerKernel({
        ...original,
        kernelFunc: (call) => {
          calls.push(kernelName);
          return original.kernelFunc(call);
        },
      });
    }
  }
  return {
    calls,
    restore: () => {
      for (const original of exchanged) {
        tf.unregisterKernel(original.kernelName, original.backendName);
        tf.registerKernel(original);
      }
    },
  };
}
