import { bernoulli } from '../../src/fisher/bernoulli';
import { categorical } from '../../src/fisher/categorical';
import { backwardVectors, type BackwardVectors, type HeadValues } from '../../src/fisher/estimator';
import { gaussian } from '../../src/fisher/gaussian';
import { gaussianWithVariance } from '../../src/fisher/gaussianWithVariance';
import type { Likelihood } from '../../src/fisher/likelihood';
import { randomStream } from '../../src/fisher/random';
import { errorWithCode } from '../errorWithCode';

const wave = (size: number): Float32Array =>
  Float32Array.from({ length: size }, (_, i) => 1.2 * Math.cos(0.5 + 1.7 * i));

const heads: HeadValues[] = [
  { likelihood: categorical, parameters: wave(6), rows: 2, columns: 3 },
  { likelihood: bernoulli, parameters: wave(8), rows: 4, columns: 2, scale: 0.5 },
  { likelihood: gaussian(), parameters: wave(2), rows: 1, columns: 2 },
  // Means, then variances; the second row is masked, the third counts twice.
  {
    likelihood: gaussianWithVariance,
    parameters: Float32Array.of(0.5, -1, 0.3, 2, 0, 1, 0.7, 0.7, 3, 1, 1.5, 0.5),
    rows: 3,
    columns: 4,
    weights: Float32Array.of(1, 0, 2),
  },
];

/** Weighted sum over the passes of u u' of one row, u being the vectors of two heads. */
function secondMoment(passes: BackwardVectors[], row: number, [a, b]: [number, number]): Float64Array {
  const [m, n] = [heads[a].columns, heads[b].columns];
  const sum = new Float64Array(m * n);
  for (const { vectors, weight } of passes) {
    const [u, v] = [vectors[a], vectors[b]];
    if (!u || !v) continue;
    for (let k = 0; k < sum.length; k++) {
      sum[k] += weight * u[row * m + Math.floor(k / n)] * v[row * n + (k % n)];
    }
  }
  return sum;
}

const expected = (head: HeadValues, row: number): Float64Array =>
  head.likelihood
    .outputFisher(head, row)
    .map((value) => value * (head.scale ?? 1) * (head.weights?.[row] ?? 1));

function expectClose(actual: Float64Array, wanted: Float64Array, relative: number, absolute: number): void {
  wanted.forEach((value, i) => {
    expect(Math.abs(actual[i] - value)).toBeLessThanOrEqual(relative * Math.abs(value) + absolute);
  });
}

describe.each(['exact', 'gaussNewton'] as const)('backwardVectors, %s', (estimator) => {
  const passes = [...backwardVectors(estimator, heads, randomStream(0, 0))];

  it('makes one pass per column of the factors, with weights that add up to 1', () => {
    expect(passes).toHaveLength(3 + 2 + 2 + 4);
    expect(passes.reduce((sum, { weight }) => sum + weight, 0)).toBeCloseTo(1, 12);
  });

  it('starts each pass from one head only', () => {
    for (const { vectors } of passes) expect(vectors.filter((vector) => vector !== null)).toHaveLength(1);
  });

  it('has the scaled Fisher matrix of every row as its weighted second moment, without noise', () => {
    heads.forEach((head, at) => {
      for (let row = 0; row < head.rows; row++) {
        // Rounding of the float32 vectors only.
        expectClose(secondMoment(passes, row, [at, at]), expected(head, row), 1e-6, 1e-6);
      }
    });
  });

  it('gives rows random signs, so that the rows do not add up to anything', () => {
    // Oracle: E[(sum_r u_r)(sum_r u_r)'] = sum_r u_r u_r' for independent signs; without them the cross terms would stay.
    const head = { likelihood: gaussian({ variance: 1 }), rows: 64, columns: 1 };
    const squares = Array.from({ length: 2000 }, (_, step) => {
      const [{ vectors }] = [...backwardVectors('exact', [head], randomStream(3, step))];
      return vectors[0]!.reduce((sum, value) => sum + value, 0) ** 2;
    });
    const mean = squares.reduce((sum, square) => sum + square, 0) / squares.length;
    // Standard error of the mean of 64 chi-square(1): 64 sqrt(2 / 2000) = 2.
    expect(Math.abs(mean - 64)).toBeLessThan(8);
  });
});

describe.each(['sampled', 'curvaturePropagation'] as const)('backwardVectors, %s', (estimator) => {
  it('converges to the scaled Fisher matrix of every row', () => {
    const passes = [...backwardVectors(estimator, heads, randomStream(1, 0), 25_000)];
    heads.forEach((head, at) => {
      // The fourth moments of a predicted variance's score need more draws: see the test of that likelihood.
      if (estimator === 'sampled' && head.likelihood === gaussianWithVariance) return;
      for (let row = 0; row < head.rows; row++) {
        const fisher = expected(head, row);
        const largest = Math.max(...fisher);
        const actual = secondMoment(passes, row, [at, at]);
        fisher.forEach((value, i) => {
          const scale = value === 0 ? largest : Math.abs(value);
          expect(Math.abs(actual[i] - value)).toBeLessThan(5e-2 * scale + 5e-4);
        });
      }
    });
  });

  it('draws the heads independently: their cross moments vanish', () => {
    const draws = 25_000;
    const passes = [...backwardVectors(estimator, heads, randomStream(2, 0), draws)];
    const [a, b] = [expected(heads[0], 0), expected(heads[1], 0)];
    secondMoment(passes, 0, [0, 1]).forEach((value, k) => {
      // Five standard errors of a mean of products of independent numbers with variances H_ii and H_jj.
      const [i, j] = [Math.floor(k / 2), k % 2];
      expect(Math.abs(value)).toBeLessThan(5 * Math.sqrt((a[i * 4] * b[j * 3]) / draws));
    });
  });

  it('seeds all heads in every pass and weighs the draws equally', () => {
    const passes = [...backwardVectors(estimator, heads, randomStream(3, 0), 4)];
    expect(passes.map(({ weight }) => weight)).toEqual([0.25, 0.25, 0.25, 0.25]);
    for (const { vectors } of passes) expect(vectors.map((vector) => vector?.length)).toEqual([6, 8, 2, 12]);
    expect(passes[0].vectors[0]).not.toEqual(passes[1].vectors[0]);
  });

  it('gives the same vectors for the same seed and step, and arrays of their own', () => {
    const [once, again] = [1, 2].map(() => [...backwardVectors(estimator, heads, randomStream(4, 5))]);
    expect(again).toEqual(once);
    expect(again[0].vectors[0]).not.toBe(once[0].vectors[0]);
  });
});

describe('backwardVectors', () => {
  const call = (head: Partial<HeadValues>, draws = 1) =>
    backwardVectors('sampled', [{ ...heads[0], ...head }], randomStream(0, 0), draws);

  it('refuses arrays that do not hold rows x columns elements, before anything is drawn', () => {
    const error = errorWithCode('ERR_NATGRAD_SHAPE');
    expect(() => call({ parameters: wave(5) })).toThrow(error);
    expect(() => call({ probabilities: wave(7) })).toThrow(error);
  });

  it('says what to do where the values that a likelihood needs were released', () => {
    const gone = { parameters: undefined };
    expect(() => call(gone)).toThrow(errorWithCode('ERR_NATGRAD_LIKELIHOOD'));
    expect(() => call({ ...gone, likelihood: { ...gaussian(), needs: undefined } })).toThrow(/observe\(/);
    expect([...call({ ...gone, probabilities: new Float32Array(6).fill(1 / 3) })]).toHaveLength(1);
    expect([...call({ ...gone, likelihood: gaussian() })]).toHaveLength(1);
  });

  it('refuses weights that are not one number per row, or negative', () => {
    expect(() => call({ weights: new Float32Array(3) })).toThrow(errorWithCode('ERR_NATGRAD_SHAPE'));
    expect(() => call({ weights: Float32Array.of(1, -1) })).toThrow(/negative/);
  });

  it('names the method that a likelihood of the user lacks', () => {
    const own = { distribution: 'own', sample: () => undefined } as unknown as Likelihood;
    expect(() => backwardVectors('exact', [{ ...heads[0], likelihood: own }], randomStream(0, 0))).toThrow(
      /factorColumns/,
    );
    expect([...call({ likelihood: own })]).toHaveLength(1);
  });

  it('refuses an empty list of heads, and bad draws and scales', () => {
    expect(() => backwardVectors('sampled', [], randomStream(0, 0))).toThrow(
      errorWithCode('ERR_NATGRAD_LIKELIHOOD'),
    );
    expect(() => call({}, 0)).toThrow(/draws is 0/);
    expect(() => call({ scale: 0 })).toThrow(/scale is 0/);
  });
});

describe('curvature propagation', () => {
  it('has no noise where a row has one output', () => {
    // Oracle: (B v)^2 = B^2 = H for every sign v.
    const head = { likelihood: bernoulli, parameters: wave(5), rows: 5, columns: 1 };
    const [{ vectors }] = [...backwardVectors('curvaturePropagation', [head], randomStream(0, 0))];
    vectors[0]!.forEach((value, row) => {
      expect(Math.abs(value ** 2 - bernoulli.outputFisher(head, row)[0])).toBeLessThan(1e-7);
    });
  });
});
