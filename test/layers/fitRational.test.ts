import { fitRational } from '../../src/layers';
import { initialCoefficients, type RationalFunctionName } from '../../src/layers/rationalInitializers';
import type { RationalType, RationalVersion } from '../../src/layers';
import { errorWithCode } from '../errorWithCode';
import { rationalValue } from '../support/rationals';

function errors(
  name: RationalFunctionName,
  f: (x: number) => number,
  type: RationalType,
  version: RationalVersion,
  end: number,
): { largest: number; at: number[]; rms: number } {
  const { numerator, denominator } = initialCoefficients(name, type, version);
  const x = Array.from({ length: 401 }, (_, i) => (end * (i - 200)) / 200);
  const differences = x.map((point) =>
    Math.abs(rationalValue(version, numerator, denominator, point) - f(point)),
  );
  const largest = Math.max(...differences);
  return {
    largest,
    at: x.filter((_, i) => differences[i] > 0.99 * largest && differences[i] > largest - 2e-4),
    rms: Math.sqrt(differences.reduce((sum, d) => sum + d * d, 0) / x.length),
  };
}

const relu = (x: number) => Math.max(x, 0);
const leakyRelu = (x: number) => (x < 0 ? 0.01 * x : x);

describe('coefficients by name', () => {
  // Oracle: the largest error on [-1, 1] of the published type (3, 2) coefficients is 0.02189, at 0, 1 and -1 (near equi-oscillation).
  it.each(['B', 'C', 'D', 'N', 'boulle'] as const)(
    'are those of Boulle et al. for the ReLU in version %s',
    (version) => {
      const { largest, at } = errors('relu', relu, [3, 2], version, 1);
      expect(largest).toBeCloseTo(0.02189, 5);
      for (const extreme of [-1, 0, 1]) expect(at.some((x) => Math.abs(x - extreme) < 0.02)).toBe(true);
    },
  );

  // Oracle: the errors on [-3, 3] that were measured of the published coefficients, 0.0300 and 0.114, both at 0.
  it('are the published fits of version A', () => {
    const ofRelu = errors('relu', relu, [5, 4], 'A', 3);
    expect(ofRelu.largest).toBeCloseTo(0.03, 3);
    const ofLeaky = errors('leakyRelu', leakyRelu, [3, 2], 'A', 3);
    expect(ofLeaky.largest).toBeCloseTo(0.114, 3);
    expect(Math.min(...ofLeaky.at.map(Math.abs))).toBeLessThan(0.01);
  });

  it('begin version A with no coefficient of 0, whose gradient would be 0 for ever', () => {
    for (const name of ['relu', 'leakyRelu', 'tanh', 'sigmoid', 'swish', 'gelu'] as const) {
      const { denominator } = initialCoefficients(name, [3, 2], 'A');
      expect(Math.min(...denominator.map(Math.abs))).toBeGreaterThan(0);
    }
  });

  it('are refused where they do not fit', () => {
    expect(() => initialCoefficients('sine' as 'relu', [3, 2], 'A')).toThrow(
      errorWithCode('ERR_NATGRAD_ARGUMENT'),
    );
    expect(() => initialCoefficients(null as unknown as 'relu', [3, 2], 'A')).toThrow(
      errorWithCode('ERR_NATGRAD_ARGUMENT'),
    );
    expect(() => initialCoefficients({ numerator: [1, 2], denominator: [1, 2] }, [3, 2], 'A')).toThrow(
      errorWithCode('ERR_NATGRAD_SHAPE'),
    );
  });
});

describe('fitRational', () => {
  // Oracle: a rational function is its own best fit, with no error.
  it.each(['A', 'B', 'C', 'D', 'N', 'boulle'] as const)(
    'finds a function of its own type in version %s',
    (version) => {
      const b = version === 'C' || version === 'boulle' ? [1, 0.2, 0.7] : [0.2, 0.7];
      const f = (x: number) => rationalValue(version, [0.3, -0.5, 0.2, 0.4], b, x);
      const fit = fitRational(f, { type: [3, 2], version, interval: [-2, 3] });
      expect(fit.maxError).toBeLessThan(1e-6);
      expect(rationalValue(version, fit.numerator, fit.denominator, 0.77)).toBeCloseTo(f(0.77), 6);
    },
  );

  // Oracle: the published fits of version A are of the same type, so the best fit in least squares is at least as good.
  it.each([
    ['relu', relu, [5, 4]],
    ['leakyRelu', leakyRelu, [3, 2]],
  ] as const)('is at least as good as the published fit of %s', (name, f, type) => {
    const published = errors(name, f, [...type], 'A', 3).rms;
    const fit = fitRational(f, { type: [...type], version: 'A' });
    expect(fit.rmsError).toBeLessThan(1.001 * published);
  });

  it('tells its errors', () => {
    const fit = fitRational(Math.tanh, { type: [5, 4], version: 'B', interval: [-4, 4] });
    const differences = Array.from({ length: 401 }, (_, i) => {
      const x = (i - 200) / 50;
      return Math.abs(rationalValue('B', fit.numerator, fit.denominator, x) - Math.tanh(x));
    });
    expect(fit.maxError).toBeCloseTo(Math.max(...differences), 9);
    expect(fit.maxError).toBeLessThan(0.02);
    expect(fit.rmsError).toBeLessThan(fit.maxError);
  });

  it('has no pole on the interval in versions N and boulle', () => {
    for (const version of ['N', 'boulle'] as const) {
      for (const f of [relu, Math.tanh, Math.sin]) {
        const { numerator, denominator } = fitRational(f, { type: [3, 2], version });
        expect(denominator.length).toBe(version === 'N' ? 2 : 3);
        for (let x = -3; x <= 3; x += 0.01) {
          expect(1 / rationalValue(version, [1], denominator, x)).toBeGreaterThan(0);
          expect(Math.abs(rationalValue(version, numerator, denominator, x) - f(x))).toBeLessThan(0.5);
        }
      }
    }
  });

  it('refuses what cannot be fitted', () => {
    const code = (run: () => unknown, expected: Parameters<typeof errorWithCode>[0]) =>
      expect(run).toThrow(errorWithCode(expected));
    code(() => fitRational(3 as unknown as () => number), 'ERR_NATGRAD_TYPE');
    code(() => fitRational(Math.sqrt), 'ERR_NATGRAD_NOT_FINITE');
    code(() => fitRational(Math.sin, { interval: [1, 1] }), 'ERR_NATGRAD_ARGUMENT');
    code(() => fitRational(Math.sin, { type: [0, 2] }), 'ERR_NATGRAD_ARGUMENT');
    code(() => fitRational(Math.sin, { type: [3, 17] }), 'ERR_NATGRAD_ARGUMENT');
    code(() => fitRational(Math.sin, { version: 'E' as 'A' }), 'ERR_NATGRAD_ARGUMENT');
  });
});
