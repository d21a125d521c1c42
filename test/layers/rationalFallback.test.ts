import { nativeKernels } from '../../src/accelerate/native';
import { differentiateRational, evaluateRational } from '../../src/layers/rationalArrays';
import { loadAddon } from '../../src/linalg/loader';
import { rationalVersions } from '../../src/linalg/reference/rational';
import { randomInputs } from '../support/denseNet';
import { relativeError } from '../support/matrices';
import { someCoefficients, versions } from '../support/rationals';

jest.mock('../../src/linalg/loader', () => {
  const actual = jest.requireActual<typeof import('../../src/linalg/loader')>('../../src/linalg/loader');
  return { ...actual, loadAddon: jest.fn(() => ({ addon: undefined, help: 'there is none' })) };
});

const shapes = [
  { rows: 30, groups: 1, inner: 1 },
  { rows: 5, groups: 11, inner: 1 },
  { rows: 3, groups: 4, inner: 9 },
];

// Oracle: the addon, called directly.
describe.each(versions)('rational activations in TypeScript, version %s', (version) => {
  it.each(shapes)('are those of the addon for $rows x $groups x $inner', ({ rows, groups, inner }) => {
    const coefficients = someCoefficients(version, groups);
    const [numerator, denominator] = [coefficients.numerator, coefficients.denominator].map((values) =>
      Float32Array.from(values),
    );
    const [numeratorSize, denominatorSize] = [4, denominator.length / groups];
    const layout = { version, rows, groups, inner, numeratorSize, denominatorSize };
    const size = rows * groups * inner;
    const x = Float32Array.from(randomInputs(size, 1, 3));
    const dy = Float32Array.from(randomInputs(size, 1, 4));
    const made = () =>
      [size, size, numerator.length, denominator.length].map((length) => new Float32Array(length));

    const [y, dx, dNumerator, dDenominator] = made();
    evaluateRational({ layout, x, numerator, denominator }, y);
    differentiateRational({ layout, x, numerator, denominator }, dy, { dx, dNumerator, dDenominator });
    expect(loadAddon).toHaveBeenCalled();

    const expected = made();
    const native = nativeKernels();
    const sizes = [
      rationalVersions.indexOf(version),
      rows,
      groups,
      inner,
      numeratorSize,
      denominatorSize,
    ] as const;
    native.rational(...sizes, x, numerator, denominator, expected[0]);
    native.rationalGradient(...sizes, x, dy, numerator, denominator, expected[1], expected[2], expected[3]);
    [y, dx, dNumerator, dDenominator].forEach((values, i) => {
      expect(relativeError(values, expected[i])).toBeLessThan(2e-6);
    });
  });
});
