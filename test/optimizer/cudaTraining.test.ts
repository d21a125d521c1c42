import { describeWithCuda, failureOf, run } from '../support/fakeCuda';

interface Outcome {
  runs: { weights: number[]; backend: string; failures: number }[];
  warnings: string[];
}

/** Largest difference of the weights of two runs. */
function apart([one, other]: Outcome['runs']): number {
  return Math.max(...one.weights.map((weight, i) => Math.abs(weight - other.weights[i])));
}

describeWithCuda('training over test doubles of the CUDA libraries', () => {
  const backends = ['cuda', 'cpu'];

  // Oracle: the processor. Rounding is all that differs, and in a few steps it does not grow to more than this.
  it.each(['kfac', 'ekfac', 'foof', 'shampoo', 'sngd', 'singd', 'blockTridiagonal', 'unitWise', 'tengrad'])(
    '%s goes the way that it goes on the processor',
    (preset) => {
      const config = { refreshPeriod: 3, refreshLag: 1 };
      const { runs, warnings } = run<Outcome>('train', { preset, config, backends, steps: 7 });
      expect(runs.map(({ backend }) => backend)).toEqual(backends);
      expect(runs.map(({ failures }) => failures)).toEqual([0, 0]);
      expect(apart(runs)).toBeLessThan(1e-4);
      expect(apart(runs)).toBeGreaterThan(0);
      expect(warnings).toEqual([]);
    },
  );

  it('computes in the precision that is asked for', () => {
    const config = { refreshPeriod: 2, precision: 'float64' };
    const { runs } = run<Outcome>('train', { preset: 'kfac', config, backends, steps: 5 });
    expect(apart(runs)).toBeLessThan(1e-6);
  });

  describe("by 'auto'", () => {
    // The layer is wide enough for 'auto' to take the device.
    const wide = { preset: 'kfac', config: { refreshPeriod: 1, refresh: 'immediate' }, steps: 3, width: 600 };
    const auto = { ...wide, backends: ['auto'] };

    it('takes the device', () => {
      expect(run<Outcome>('train', auto)).toMatchObject({
        runs: [{ backend: 'cuda', failures: 0 }],
        warnings: [],
      });
    });

    it.each([30, 80, 120, 200])('goes on without a device that is lost after %i calls', (calls) => {
      const found = run<Outcome>('train', auto, { FAKE_CUDA_LOST_AFTER: String(calls) });
      expect(found.runs).toMatchObject([{ backend: 'cpu', failures: 0 }]);
      expect(found.runs[0].weights.every((weight) => weight !== null)).toBe(true);
      // A device that is lost while it is opened was never there.
      if (calls > 30) expect(found.warnings.join()).toMatch(/The processor goes on.*was lost/);
    });

    it.each([1000, 45e6])('does without a device of %d bytes, and says who may have them', (bytes) => {
      const { runs, warnings } = run<Outcome>('train', auto, { FAKE_CUDA_MEMORY: String(bytes) });
      expect(runs).toMatchObject([{ backend: 'cpu', failures: 0 }]);
      expect(warnings.join()).toMatch(/The processor computes the curvature.*TF_FORCE_GPU_ALLOW_GROWTH=true/);
    });

    it('is an error where the device was asked for', () => {
      const asked = { ...wide, backends: ['cuda'] };
      expect(failureOf('train', asked, { FAKE_CUDA_LOST_AFTER: '200' }).code).toBe('ERR_NATGRAD_DEVICE');
      expect(failureOf('train', asked, { FAKE_CUDA_MEMORY: '1000' }).code).toBe('ERR_NATGRAD_NO_MEMORY');
    });
  });
});
