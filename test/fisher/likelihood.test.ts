import { bernoulli } from '../../src/fisher/bernoulli';
import { categorical } from '../../src/fisher/categorical';
import { gaussian } from '../../src/fisher/gaussian';
import { gaussianWithVariance } from '../../src/fisher/gaussianWithVariance';
import type { Likelihood, Outputs } from '../../src/fisher/likelihood';
import { randomStream } from '../../src/fisher/random';
import { errorWithCode } from '../errorWithCode';

/** What the distributions are checked against: -log p(y|f) of one row, in float64 and straight from the definition. */
interface Oracle {
  name: string;
  likelihood: Likelihood;
  negativeLogLikelihood: (f: number[], y: number[]) => number;
  /** Every y the distribution can give; a few examples where there are infinitely many. */
  targets: number[][];
}

const oneHot = (columns: number): number[][] =>
  Array.from({ length: columns }, (_, i) => Array.from({ length: columns }, (__, j) => (i === j ? 1 : 0)));

const squares = (f: number[], y: number[]): number =>
  f.reduce((sum, value, i) => sum + (value - y[i]) ** 2, 0);

const COLUMNS = 3;
const oracles: Oracle[] = [
  {
    name: 'categorical',
    likelihood: categorical,
    negativeLogLikelihood: (f, y) =>
      Math.log(f.reduce((sum, value) => sum + Math.exp(value), 0)) -
      f.reduce((sum, value, i) => sum + value * y[i], 0),
    targets: oneHot(COLUMNS),
  },
  {
    name: 'bernoulli',
    likelihood: bernoulli,
    negativeLogLikelihood: (f, y) =>
      f.reduce((sum, value, i) => sum + Math.log(1 + Math.exp(value)) - y[i] * value, 0),
    targets: Array.from({ length: 2 ** COLUMNS }, (_, bits) =>
      Array.from({ length: COLUMNS }, (__, i) => (bits >> i) & 1),
    ),
  },
  {
    name: 'gaussian as tfjs meanSquaredError (mean of the squared errors)',
    likelihood: gaussian(),
    negativeLogLikelihood: (f, y) => squares(f, y) / f.length,
    targets: [
      [0.3, -0.1, 1],
      [0, 0, 0],
    ],
  },
  {
    name: 'gaussian of variance 1 (half squared error)',
    likelihood: gaussian({ variance: 1 }),
    negativeLogLikelihood: (f, y) => squares(f, y) / 2,
    targets: [[0.3, -0.1, 1]],
  },
];

const ROWS = 4;
const logits = Float32Array.from({ length: ROWS * COLUMNS }, (_, i) => 1.5 * Math.sin(1 + 2.3 * i));
const outputs: Outputs = { parameters: logits, rows: ROWS, columns: COLUMNS };

function withProbabilities(likelihood: Likelihood): Outputs {
  const probabilities = Float32Array.from(logits, (x) => 1 / (1 + Math.exp(-x)));
  if (likelihood === categorical) {
    for (let row = 0; row < ROWS; row++) {
      const e = Array.from(logits.subarray(row * COLUMNS, (row + 1) * COLUMNS), Math.exp);
      const total = e.reduce((a, b) => a + b, 0);
      e.forEach((value, i) => (probabilities[row * COLUMNS + i] = value / total));
    }
  }
  return { ...outputs, probabilities };
}

const rowOf = (values: ArrayLike<number>, row: number): number[] =>
  Array.from({ length: COLUMNS }, (_, i) => values[row * COLUMNS + i]);

/** Central second differences. With step h = 1e-4 the error is about h^2 + 1e-16 / h^2 = 1e-8. */
function hessian(value: (f: number[]) => number, at: number[]): number[] {
  const h = 1e-4;
  const shifted = (i: number, di: number, j: number, dj: number): number => {
    const f = [...at];
    f[i] += di;
    f[j] += dj;
    return value(f);
  };
  return Array.from({ length: at.length ** 2 }, (_, k) => {
    const [i, j] = [Math.floor(k / at.length), k % at.length];
    return (
      (shifted(i, h, j, h) - shifted(i, h, j, -h) - shifted(i, -h, j, h) + shifted(i, -h, j, -h)) /
      (4 * h * h)
    );
  });
}

function gradient(value: (f: number[]) => number, at: number[]): number[] {
  const h = 1e-5;
  return at.map((_, i) => {
    const shifted = (d: number): number => value(at.map((f, j) => (i === j ? f + d : f)));
    return (shifted(h) - shifted(-h)) / (2 * h);
  });
}

function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void {
  expect(actual.length).toBe(expected.length);
  for (let i = 0; i < expected.length; i++) expect(Math.abs(actual[i] - expected[i])).toBeLessThan(tolerance);
}

/** Sum over c of b_c b_c' for one row, with the columns the likelihood gives. */
function squaredFactor(likelihood: Likelihood, values: Outputs, row: number): Float64Array {
  const sum = new Float64Array(COLUMNS ** 2);
  const column = new Float32Array(ROWS * COLUMNS);
  for (let c = 0; c < likelihood.factorColumns(COLUMNS); c++) {
    likelihood.factorColumn(values, c, column);
    const b = rowOf(column, row);
    for (let k = 0; k < sum.length; k++) sum[k] += b[Math.floor(k / COLUMNS)] * b[k % COLUMNS];
  }
  return sum;
}

describe.each(oracles)('$name', ({ likelihood, negativeLogLikelihood, targets }) => {
  it('has the Hessian of -log p as its Fisher matrix, whatever the target', () => {
    for (const y of targets) {
      for (let row = 0; row < ROWS; row++) {
        const expected = hessian((f) => negativeLogLikelihood(f, y), rowOf(logits, row));
        expectClose(likelihood.outputFisher(outputs, row), expected, 1e-7);
      }
    }
  });

  it('has columns whose outer products add up to the Fisher matrix', () => {
    for (const values of [outputs, withProbabilities(likelihood)]) {
      for (let row = 0; row < ROWS; row++) {
        // The columns are float32.
        expectClose(squaredFactor(likelihood, values, row), likelihood.outputFisher(values, row), 1e-6);
      }
    }
  });

  it('gives the same Fisher matrix from parameters as from probabilities', () => {
    const values = withProbabilities(likelihood);
    for (let row = 0; row < ROWS; row++) {
      expectClose(likelihood.outputFisher(values, row), likelihood.outputFisher(outputs, row), 1e-6);
    }
  });

  it('samples vectors whose second moments are the Fisher matrix and whose mean is zero', () => {
    const draws = 25_000;
    const random = randomStream(11, 0);
    const sample = new Float32Array(ROWS * COLUMNS);
    const first = new Float64Array(ROWS * COLUMNS);
    const second = new Float64Array(ROWS * COLUMNS ** 2);
    for (let draw = 0; draw < draws; draw++) {
      likelihood.sample(outputs, random, sample);
      for (let row = 0; row < ROWS; row++) {
        for (let i = 0; i < COLUMNS; i++) {
          const s = sample[row * COLUMNS + i];
          first[row * COLUMNS + i] += s / draws;
          for (let j = 0; j < COLUMNS; j++) {
            second[(row * COLUMNS + i) * COLUMNS + j] += (s * sample[row * COLUMNS + j]) / draws;
          }
        }
      }
    }
    for (let row = 0; row < ROWS; row++) {
      const fisher = likelihood.outputFisher(outputs, row);
      const largest = Math.max(...fisher);
      for (let i = 0; i < COLUMNS; i++) {
        // Five standard errors of a mean of `draws` samples.
        const bound = 5 * Math.sqrt(fisher[i * COLUMNS + i] / draws);
        expect(Math.abs(first[row * COLUMNS + i])).toBeLessThan(bound);
        for (let j = 0; j < COLUMNS; j++) {
          const expected = fisher[i * COLUMNS + j];
          const actual = second[(row * COLUMNS + i) * COLUMNS + j];
          // Zero entries have only the absolute part, so theirs is relative to the largest entry of the row.
          const scale = expected === 0 ? largest : Math.abs(expected);
          expect(Math.abs(actual - expected)).toBeLessThan(5e-2 * scale + 5e-4);
        }
      }
    }
  });
});

describe.each(oracles.slice(0, 2))('$name samples', ({ likelihood, negativeLogLikelihood, targets }) => {
  it('are the gradient of -log p at a target that the distribution can give', () => {
    const random = randomStream(12, 0);
    const sample = new Float32Array(ROWS * COLUMNS);
    likelihood.sample(outputs, random, sample);
    for (let row = 0; row < ROWS; row++) {
      const distances = targets.map((y) => {
        const expected = gradient((f) => negativeLogLikelihood(f, y), rowOf(logits, row));
        return Math.max(...expected.map((value, i) => Math.abs(value - sample[row * COLUMNS + i])));
      });
      expect(Math.min(...distances)).toBeLessThan(1e-6);
    }
  });
});

describe.each([categorical, bernoulli])('$distribution', (likelihood) => {
  it('needs the probabilities only', () => {
    const { probabilities, rows, columns } = withProbabilities(likelihood);
    const values: Outputs = { probabilities, rows, columns };
    for (let row = 0; row < ROWS; row++) {
      expectClose(likelihood.outputFisher(values, row), likelihood.outputFisher(outputs, row), 1e-6);
    }
  });
});

describe('categorical', () => {
  it('survives logits whose exponentials overflow', () => {
    const extreme: Outputs = { parameters: Float32Array.of(1000, 0, -1000), rows: 1, columns: 3 };
    const sample = new Float32Array(3);
    categorical.sample(extreme, randomStream(0, 0), sample);
    // softmax is (1, 0, 0), so that y is the first class and p - onehot(y) vanishes.
    expect([...sample].map(Math.abs)).toEqual([0, 0, 0]);
    expect([...categorical.outputFisher(extreme, 0)].every((value) => value === 0)).toBe(true);
  });

  it('never draws a class of probability zero', () => {
    const values: Outputs = {
      parameters: new Float32Array(4),
      probabilities: Float32Array.of(0, 0.5, 0.5, 0),
      rows: 1,
      columns: 4,
    };
    const random = randomStream(13, 0);
    const sample = new Float32Array(4);
    for (let draw = 0; draw < 2000; draw++) {
      categorical.sample(values, random, sample);
      expect([sample[0], sample[3]]).toEqual([0, 0]);
    }
    expect(() =>
      categorical.sample(values, { uniform: () => 1 - 2 ** -32, normal: () => 0 }, sample),
    ).not.toThrow();
    expect(sample[2]).toBe(-0.5);
  });

  it('keeps a row that is not a number from touching other rows', () => {
    const values: Outputs = { parameters: Float32Array.of(NaN, 0, 0, 0), rows: 2, columns: 2 };
    const sample = new Float32Array(4);
    categorical.sample(values, randomStream(0, 0), sample);
    expect([...sample.subarray(0, 2)]).toEqual([NaN, NaN]);
    expect([...sample.subarray(2)].map(Math.abs)).toEqual([0.5, 0.5]);
  });
});

describe('gaussian', () => {
  it('needs no values, only their number', () => {
    const sample = new Float32Array(4);
    gaussian().sample({ rows: 2, columns: 2 }, randomStream(0, 0), sample);
    expect(sample.every((value) => value !== 0)).toBe(true);
  });

  it.each([0, -1, NaN, Infinity])('refuses the variance %p', (variance) => {
    expect(() => gaussian({ variance })).toThrow(errorWithCode('ERR_NATGRAD_ARGUMENT'));
  });
});

describe('gaussianWithVariance', () => {
  const [mean, variance] = [0.4, 0.7];
  const values: Outputs = { parameters: Float32Array.of(mean, variance), rows: 1, columns: 2 };
  const negativeLogLikelihood = ([mu, v]: number[], y: number) => (mu - y) ** 2 / (2 * v) + Math.log(v) / 2;

  it('has the expected Hessian of -log p as its Fisher matrix', () => {
    // Oracle: E_y[Hessian] with y = mu + sqrt(v) e; it is linear in e and e^2, so e = +1 and -1 (mean 0, variance 1) give the expectation.
    const hessians = [1, -1].map((e) => {
      const y = mean + Math.sqrt(variance) * e;
      return hessian((f) => negativeLogLikelihood(f, y), [mean, variance]);
    });
    const expected = hessians[0].map((value, k) => (value + hessians[1][k]) / 2);
    expectClose(gaussianWithVariance.outputFisher(values, 0), expected, 1e-6);
  });

  it('has columns whose outer products add up to the Fisher matrix', () => {
    const sum = new Float64Array(4);
    const b = new Float32Array(2);
    for (let c = 0; c < gaussianWithVariance.factorColumns(2); c++) {
      gaussianWithVariance.factorColumn(values, c, b);
      for (let k = 0; k < 4; k++) sum[k] += b[Math.floor(k / 2)] * b[k % 2];
    }
    expectClose(sum, gaussianWithVariance.outputFisher(values, 0), 1e-6);
  });

  it('samples gradients of -log p, whose second moments are the Fisher matrix', () => {
    // Oracle: with e a given number the score is the gradient at y = mu + sqrt(v) e, by finite differences.
    const s = new Float32Array(2);
    gaussianWithVariance.sample(values, { uniform: () => 0, normal: () => 1.3 }, s);
    const y = mean + Math.sqrt(variance) * 1.3;
    expectClose(
      s,
      gradient((f) => negativeLogLikelihood(f, y), [mean, variance]),
      1e-6,
    );

    const draws = 150_000;
    const random = randomStream(14, 0);
    const second = new Float64Array(4);
    for (let draw = 0; draw < draws; draw++) {
      gaussianWithVariance.sample(values, random, s);
      for (let k = 0; k < 4; k++) second[k] += (s[Math.floor(k / 2)] * s[k % 2]) / draws;
    }
    // E[(1 - e^2)^4] = 60, so the relative standard error is sqrt(60 / 4 - 1) / sqrt(draws) = 1 %: five of them.
    const fisher = gaussianWithVariance.outputFisher(values, 0);
    expectClose(second, fisher, 5e-2 * Math.max(...fisher));
  });

  it('gives no number for a variance that is not positive, and refuses an odd number of columns', () => {
    const bad: Outputs = { parameters: Float32Array.of(0, -1), rows: 1, columns: 2 };
    expect([...gaussianWithVariance.outputFisher(bad, 0)].some(Number.isNaN)).toBe(true);
    const odd = { ...values, columns: 3 };
    expect(() => gaussianWithVariance.outputFisher(odd, 0)).toThrow(errorWithCode('ERR_NATGRAD_SHAPE'));
  });
});
