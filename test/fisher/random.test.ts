import { philox, randomStream } from '../../src/fisher/random';
import { errorWithCode } from '../errorWithCode';

const words = (...values: number[]): Uint32Array => Uint32Array.from(values);

function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i];
  return sum / values.length;
}

const draw = (count: number, next: () => number): Float64Array => Float64Array.from({ length: count }, next);

/** Correlation of two sequences of numbers that are uniform on [0, 1): mean 1/2, variance 1/12. */
const correlation = (x: Float64Array, y: Float64Array): number =>
  12 * mean(x.map((value, i) => (value - 0.5) * (y[i] - 0.5)));

describe('philox', () => {
  // The known answers for philox4x32 with 10 rounds that the authors publish with their library Random123 (kat_vectors).
  it.each([
    [words(0, 0, 0, 0), words(0, 0), words(0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8)],
    [
      words(0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff),
      words(0xffffffff, 0xffffffff),
      words(0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd),
    ],
    [
      words(0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344),
      words(0xa4093822, 0x299f31d0),
      words(0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1),
    ],
  ])('gives the published answer for counter %s and key %s', (counter, key, expected) => {
    const out = new Uint32Array(4);
    philox(counter, key, out);
    expect(out).toEqual(expected);
  });
});

describe('randomStream', () => {
  it('gives the same numbers for the same seed and step', () => {
    const [a, b] = [randomStream(7, 42), randomStream(7, 42)];
    for (let i = 0; i < 100; i++) {
      expect(a.uniform()).toBe(b.uniform());
      expect(a.normal()).toBe(b.normal());
    }
  });

  it('starts with the words of philox for counter (0, 0, step) and key (seed)', () => {
    const [seed, step] = [5 + 3 * 2 ** 32, 9 + 2 * 2 ** 32];
    const stream = randomStream(seed, step);
    const expected = new Uint32Array(8);
    philox(words(0, 0, 9, 2), words(5, 3), expected.subarray(0, 4));
    philox(words(1, 0, 9, 2), words(5, 3), expected.subarray(4));
    for (const word of expected) expect(stream.uniform()).toBe(word / 2 ** 32);
  });

  // Bounds are five standard errors of the estimate for n independent draws.
  const n = 100_000;

  it('gives uniform numbers in [0, 1) with the moments of the uniform distribution', () => {
    const u = draw(
      n,
      (
        (s) => () =>
          s.uniform()
      )(randomStream(1, 0)),
    );
    expect(u.every((x) => x >= 0 && x < 1)).toBe(true);
    expect(Math.abs(mean(u) - 1 / 2)).toBeLessThan(5 * Math.sqrt(1 / 12 / n));
    expect(Math.abs(mean(u.map((x) => x * x)) - 1 / 3)).toBeLessThan(5 * Math.sqrt(4 / 45 / n));
  });

  it('fills 100 equal bins evenly', () => {
    const bins = new Float64Array(100);
    const stream = randomStream(2, 0);
    for (let i = 0; i < n; i++) bins[Math.floor(100 * stream.uniform())]++;
    const chiSquared = bins.reduce((sum, count) => sum + (count - n / 100) ** 2 / (n / 100), 0);
    // 99 degrees of freedom: mean 99, standard deviation sqrt(198) = 14.1.
    expect(Math.abs(chiSquared - 99)).toBeLessThan(5 * Math.sqrt(198));
  });

  it('gives normal numbers with the first four moments of the standard normal distribution', () => {
    const z = draw(
      n,
      (
        (s) => () =>
          s.normal()
      )(randomStream(3, 0)),
    );
    const moment = (k: number): number => mean(z.map((x) => x ** k));
    // Variances of z, z^2, z^3, z^4: 1, 2, 15, 96.
    expect(Math.abs(moment(1))).toBeLessThan(5 * Math.sqrt(1 / n));
    expect(Math.abs(moment(2) - 1)).toBeLessThan(5 * Math.sqrt(2 / n));
    expect(Math.abs(moment(3))).toBeLessThan(5 * Math.sqrt(15 / n));
    expect(Math.abs(moment(4) - 3)).toBeLessThan(5 * Math.sqrt(96 / n));
  });

  it('gives normal numbers that are uncorrelated with the next one, as are their squares', () => {
    const z = draw(
      n + 1,
      (
        (s) => () =>
          s.normal()
      )(randomStream(9, 0)),
    );
    const product = (f: (x: number) => number): number =>
      mean(z.subarray(0, n).map((x, i) => f(x) * f(z[i + 1])));
    expect(Math.abs(product((x) => x))).toBeLessThan(5 / Math.sqrt(n));
    // The variance of z^2 - 1 is 2, so that of a product of two of them is 4.
    expect(Math.abs(product((x) => x * x - 1))).toBeLessThan(10 / Math.sqrt(n));
  });

  it.each([
    ['neighbouring steps', randomStream(4, 10), randomStream(4, 11)],
    ['neighbouring seeds', randomStream(4, 10), randomStream(5, 10)],
    ['seed and step exchanged', randomStream(4, 10), randomStream(10, 4)],
  ])('gives uncorrelated numbers for %s', (_, one, other) => {
    const x = draw(n, () => one.uniform());
    const y = draw(n, () => other.uniform());
    expect(Math.abs(correlation(x, y))).toBeLessThan(5 / Math.sqrt(n));
  });

  it.each([1, 2, 3, 4, 5])('gives numbers that are uncorrelated with those %i places later', (lag) => {
    const x = draw(
      n + lag,
      (
        (s) => () =>
          s.uniform()
      )(randomStream(6, 0)),
    );
    expect(Math.abs(correlation(x.subarray(0, n), x.subarray(lag)))).toBeLessThan(5 / Math.sqrt(n));
  });

  it('gives uncorrelated first numbers over consecutive steps', () => {
    const x = Float64Array.from({ length: n + 1 }, (_, step) => randomStream(8, step).uniform());
    expect(Math.abs(mean(x) - 1 / 2)).toBeLessThan(5 * Math.sqrt(1 / 12 / n));
    expect(Math.abs(correlation(x.subarray(0, n), x.subarray(1)))).toBeLessThan(5 / Math.sqrt(n));
  });

  it.each([-1, 0.5, NaN, 2 ** 53])('refuses %p as seed and as step', (value) => {
    expect(() => randomStream(value, 0)).toThrow(errorWithCode('ERR_NATGRAD_ARGUMENT'));
    expect(() => randomStream(0, value)).toThrow(/step is/);
  });
});
