import { inverse, kernels, kroneckerFactor, updateFactor } from '../../src/linalg';
import type { FloatArray } from '../../src/linalg/jobs';
import { errorWithCode } from '../errorWithCode';
import { randomInputs } from '../support/denseNet';

const n = 90;
const rows = 60;

/** Second moments of random rows, and the same after five more batches. */
function movingAverage(Type: Float32ArrayConstructor | Float64ArrayConstructor) {
  const batch = (seed: number) => ({
    data: Type.from(randomInputs(rows, n, seed)) as Float32Array,
    columns: n,
  });
  const earlier = kroneckerFactor({
    ...batch(1),
    data: Type.from(randomInputs(8 * rows, n, 9)) as Float32Array,
  });
  const later = earlier.slice();
  for (let seed = 2; seed < 7; seed++) updateFactor(later, batch(seed), { decay: 0.95, scale: 0.05 / rows });
  return { earlier, later };
}

/** Largest element of |A X - I|, with A given by its lower triangle and `damping` on its diagonal. */
function residual(lower: FloatArray, damping: number, x: FloatArray): number {
  let most = 0;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      let sum = damping * x[i * n + j] - Number(i === j);
      for (let k = 0; k < n; k++) sum += lower[Math.max(i, k) * n + Math.min(i, k)] * x[k * n + j];
      most = Math.max(most, Math.abs(sum));
    }
  }
  return most;
}

describe('an inverse from an earlier one', () => {
  const damping = 0.05;

  // Oracle: the product with the matrix, in float64. The matrix has a condition number of about 50.
  it.each([
    [Float32Array, 1e-4],
    [Float64Array, 1e-12],
  ] as const)('is as good as one without, %p', (Type, bound) => {
    const { earlier, later } = movingAverage(Type);
    const start = inverse(earlier, { damping });
    const { value, reports } = inverse([later], { damping, start: [start], onFailure: 'report' });
    expect(reports[0]).toMatchObject({ status: 'ok', retries: 0, damping });
    expect(reports[0].iterations).toBeGreaterThan(0);
    expect(residual(later, damping, value[0])).toBeLessThan(bound);
    expect(inverse(later, { damping, start, overlapped: true }).wait()).toEqual(value[0]);
    expect(start).toEqual(inverse(earlier, { damping }));
    const reference = inverse(later, { damping, start, backend: 'reference' });
    expect(residual(later, damping, reference)).toBeLessThan(bound);
  });

  it('has the bits of one without where the start is of no use', () => {
    const { later } = movingAverage(Float32Array);
    const start = new Float32Array(n * n).fill(NaN);
    expect(inverse(later, { damping, start })).toEqual(inverse(later, { damping }));
  });

  it.each(['cpu', 'reference'] as const)('refuses a start that does not fit, %s', (backend) => {
    const matrix = Float32Array.of(1, 0, 0, 1);
    const call = (options: object) => () => inverse(matrix, { backend, ...options });
    expect(call({ start: new Float32Array(3) })).toThrow(errorWithCode('ERR_NATGRAD_SHAPE'));
    expect(call({ start: new Float64Array(4) })).toThrow(errorWithCode('ERR_NATGRAD_TYPE'));
    expect(call({ start: [matrix.slice(), matrix.slice()] })).toThrow(errorWithCode('ERR_NATGRAD_SHAPE'));
    expect(call({ start: matrix.slice(), size: 2 })).toThrow(errorWithCode('ERR_NATGRAD_ARGUMENT'));
    const out = matrix.slice();
    expect(call({ start: out, out })).toThrow(errorWithCode('ERR_NATGRAD_BUFFER'));
    const stack = {
      op: 'inverse' as const,
      matrix,
      size: 1,
      count: 4,
      damping: 0,
      start: matrix.slice(),
      out,
    };
    expect(() => kernels(backend).run([[stack]])).toThrow(errorWithCode('ERR_NATGRAD_ARGUMENT'));
  });
});
