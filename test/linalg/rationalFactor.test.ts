import type { RationalFactorJob } from '../../src/linalg/jobs';
import { kernels } from '../../src/linalg/kernels';
import { noise, randomInputs } from '../support/denseNet';
import { relativeError } from '../support/matrices';
import { someCoefficients } from '../support/rationals';

function job(groups: number, inner: number, rows = 12): RationalFactorJob {
  const { numerator, denominator } = someCoefficients('A', groups);
  const size = rows * groups * inner;
  const next = noise(2);
  return {
    op: 'rationalFactor',
    version: 'A',
    groups,
    inner,
    numeratorSize: 4,
    denominatorSize: 2,
    inputs: [1, 2].map((seed) => ({
      activation: randomInputs(size, 1, seed),
      gradient: randomInputs(size, 1, seed + 2),
      numerator: numerator.slice(),
      denominator: denominator.slice(),
      noise: Float64Array.from({ length: 6 * groups }, () => 1 + 0.1 * next()),
    })),
    examples: 4,
    decay: 0.5,
    scale: 0.25,
    factors: new Float64Array(36 * groups).fill(0.1),
  };
}

describe('rationalFactor', () => {
  const native = kernels('cpu');

  // Oracle: the reference; tests of the block hold both against central differences.
  it('gives the same with the addon and in TypeScript', () => {
    for (const [groups, inner] of [
      [1, 1],
      [1, 7],
      [8, 1],
      [21, 1],
      [3, 10],
    ]) {
      const [one, other] = [job(groups, inner), job(groups, inner)];
      native.run([[one]]);
      kernels('reference').run([[other]]);
      expect(relativeError(one.factors, other.factors)).toBeLessThan(1e-12);
    }
  });

  it('copies its inputs when it is submitted', () => {
    const [expected, given] = [job(3, 40, 400), job(3, 40, 400)];
    native.run([[expected]]);
    // Other work keeps the thread busy while the inputs are overwritten.
    const matrix = new Float64Array(300 * 300);
    for (let i = 0; i < 300; i++) matrix[301 * i] = 2;
    const busy = { op: 'inverse', matrix, size: 300, damping: 0, out: matrix.slice() } as const;
    const pending = native.submit([[busy], [given]]);
    for (const input of given.inputs) {
      for (const values of Object.values(input)) values.fill(NaN);
    }
    expect(pending.wait()[1][0].status).toBe('ok');
    expect(given.factors).toEqual(expected.factors);
  });

  it('leaves the factors as they are where an input is not finite', () => {
    for (const backend of ['cpu', 'reference'] as const) {
      const given = job(2, 2);
      given.inputs[1].gradient[5] = Infinity;
      const [[report]] = kernels(backend).run([[given]]);
      expect(report.status).toBe('notFinite');
      expect(given.factors.every((value) => value === 0.1)).toBe(true);
    }
  });
});
