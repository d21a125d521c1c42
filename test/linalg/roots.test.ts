import { inverseRoot, type RootMethod } from '../../src/linalg';
import { eigenvalueBound } from '../../src/linalg/reference/dense';
import { newtonSchulz } from '../../src/linalg/reference/iterations';
import { cast, difference, epsilon, frobenius, poisoned, product, spectra, withSpectrum } from './matrices';
import { Random } from './random';

const methods: RootMethod[] = [
  'auto',
  'denmanBeavers',
  'eigen',
  'newtonSchulzMinimax',
  'newtonSchulz',
  'coupledNewton',
  'contour',
];

describe.each(['cpu', 'reference'] as const)('inverse roots on %s', (backend) => {
  const cases = Object.keys(spectra).flatMap((spectrum) =>
    [10, 1e3, 1e4].flatMap((cond) => [2, 4].map((p) => [spectrum, cond, p] as [string, number, 2 | 4])),
  );

  it.each(cases)(
    'satisfy X^p A = I to 1e-8 for the %s spectrum of condition %f, p = %i',
    (spectrum, cond, p) => {
      const n = 24;
      // The smallest eigenvalue is given as damping, which is what the iterations take their lower bound from.
      const random = new Random(p + cond);
      const matrix = withSpectrum(spectra[spectrum](n, cond, random), random);
      const damping = 1 / cond;
      const damped = matrix.map((value, k) => (k % (n + 1) === 0 ? value + damping : value));
      for (const method of methods) {
        const x = inverseRoot(poisoned(matrix, n), { p, method, damping, backend });
        let rest: Float64Array = damped;
        for (let i = 0; i < p; i++) rest = product(x, rest, n, n, n);
        const residual =
          frobenius(rest.map((value, k) => (k % (n + 1) === 0 ? value - 1 : value))) / Math.sqrt(n);
        expect([method, residual < 1e-8]).toEqual([method, true]);
      }
    },
  );

  it.each(methods)('by %s are the positive ones where an eigenvalue is above 3', (method) => {
    // Without scaling, Newton-Schulz goes to the negative branch here, with a residual of zero.
    const matrix = new Float64Array([3.1, 0, 0, 0.5]);
    const x = inverseRoot(matrix, { method, backend });
    expect(x[0]).toBeCloseTo(3.1 ** -0.5, 8);
    expect(x[3]).toBeCloseTo(0.5 ** -0.5, 8);
  });

  it.each(['float32', 'float64'] as const)('of p = 1 are the inverse, in %s', (dtype) => {
    const x = inverseRoot(cast(Float64Array.of(2, NaN, 1, 2), dtype), { p: 1, backend });
    const error = frobenius(difference(x, Float64Array.of(2 / 3, -1 / 3, -1 / 3, 2 / 3)));
    expect(error).toBeLessThanOrEqual(8 * epsilon[dtype]);
  });

  it.each(methods.slice(3))('by %s tell when the iterations allowed were too few', (method) => {
    const matrix = withSpectrum(spectra.geometric(8, 1e4, new Random(1)), new Random(2));
    const options = { method, damping: 1e-4, maxIterations: 2, backend } as const;
    expect(() => inverseRoot(matrix, options)).toThrow(
      expect.objectContaining({ code: 'ERR_NATGRAD_NOT_CONVERGED' }) as Error,
    );
    const { reports } = inverseRoot(matrix, { ...options, onFailure: 'report' });
    expect(reports[0]).toMatchObject({ status: 'notConverged', converged: false, iterations: 2 });
  });
});

describe('the reference iterations', () => {
  it.each([1e1, 1e2, 1e4, 1e6])(
    'take as many steps as their eigenvalues do one by one, at condition %f',
    (cond) => {
      const n = 32;
      const limit = 1e-6;
      const random = new Random(4);
      const spectrum = spectra.logUniform(n, cond, random);
      const matrix = withSpectrum(spectrum, random);
      const { iterations } = newtonSchulz(matrix, n, { tolerance: limit, maxIterations: 60 });
      // Every eigenvalue e of Z Y goes to e (3 - e)^2 / 4, starting from its share of the norm bound.
      const bound = eigenvalueBound(matrix, n);
      let e = spectrum.map((value) => value / bound);
      let steps = 0;
      while (Math.sqrt(e.reduce((sum, value) => sum + (value - 1) ** 2, 0) / n) > limit) {
        e = e.map((value) => (value * (3 - value) ** 2) / 4);
        steps++;
      }
      expect(iterations).toBe(steps);
    },
  );
});
