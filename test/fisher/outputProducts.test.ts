import { bernoulli } from '../../src/fisher/bernoulli';
import { categorical } from '../../src/fisher/categorical';
import type { HeadValues } from '../../src/fisher/estimator';
import { gaussian } from '../../src/fisher/gaussian';
import { gaussianWithVariance } from '../../src/fisher/gaussianWithVariance';
import type { Likelihood } from '../../src/fisher/likelihood';
import { divergence, factorTransposedProduct, fisherProduct } from '../../src/fisher/outputProducts';
import { errorWithCode } from '../errorWithCode';
import { noise } from '../support/denseNet';
import { relativeError } from '../support/matrices';

const ROWS = 4;
const COLUMNS = 4;

const vector = (seed: number) => Float64Array.from({ length: ROWS * COLUMNS }, noise(seed));

function head(likelihood: Likelihood, scale: number, seed = 1): HeadValues {
  const isVariance = (i: number) =>
    likelihood.distribution === 'gaussianWithVariance' && i % COLUMNS >= COLUMNS / 2;
  const parameters = Float32Array.from(vector(seed), (value, i) => (isVariance(i) ? 1.5 + value : 2 * value));
  // One row is masked.
  return {
    likelihood,
    parameters,
    rows: ROWS,
    columns: COLUMNS,
    scale,
    weights: Float32Array.of(1, 0, 2, 0.5),
  };
}

/** H u by the dense H of every row, which the tests of the likelihoods check against the definition. */
function denseProduct(of: HeadValues, u: Float64Array): Float64Array {
  const out = new Float64Array(u.length);
  for (let row = 0; row < ROWS; row++) {
    const fisher = of.likelihood.outputFisher(of, row);
    for (let i = 0; i < COLUMNS; i++) {
      for (let j = 0; j < COLUMNS; j++) {
        out[row * COLUMNS + i] +=
          of.scale! * of.weights![row] * fisher[i * COLUMNS + j] * u[row * COLUMNS + j];
      }
    }
  }
  return out;
}

const dot = (a: Float64Array, b: Float64Array) => a.reduce((sum, value, i) => sum + value * b[i], 0);

/** The same distribution with nothing but its factor's columns. */
const bare = (likelihood: Likelihood): Likelihood => ({
  ...likelihood,
  multiplyFactorTransposed: undefined,
  multiplyFisher: undefined,
  divergence: undefined,
});

const likelihoods: [string, Likelihood][] = [
  ['categorical', categorical],
  ['bernoulli', bernoulli],
  ['gaussian', gaussian({ variance: 0.3 })],
  ['gaussian with predicted variances', gaussianWithVariance],
];

describe.each(likelihoods)('products with the Fisher matrix of %s outputs', (_, likelihood) => {
  const [u, w] = [vector(2), vector(3)];

  test("H u is that of the dense matrix, and (B'u)'(B'w) is u'H w", () => {
    const values = head(likelihood, 0.5);
    const expected = denseProduct(values, u);
    expect(relativeError(fisherProduct(values, u), expected)).toBeLessThan(1e-12);
    const product = dot(factorTransposedProduct(values, u), factorTransposedProduct(values, w));
    expect(product).toBeCloseTo(dot(w, expected), 12);
  });

  test('a likelihood that has only the columns of B gives the same, to the float32 of its columns', () => {
    const [full, columns] = [head(likelihood, 0.5), head(bare(likelihood), 0.5)];
    expect(relativeError(fisherProduct(columns, u), fisherProduct(full, u))).toBeLessThan(1e-6);
    const difference = factorTransposedProduct(columns, u);
    expect(relativeError(difference, factorTransposedProduct(full, u))).toBeLessThan(1e-6);
  });

  test("the divergence is 1/2 u'H u to second order, 0 from itself and never negative", () => {
    const from = head(likelihood, 0.5);
    expect(divergence(from, from)).toBe(0);
    const step = 1e-2;
    const to = { ...from, parameters: from.parameters!.map((value, i) => value + step * u[i]) };
    const difference = Float64Array.from(to.parameters, (value, i) => value - from.parameters![i]);
    const quadratic = dot(difference, denseProduct(from, difference)) / 2;
    expect(divergence(from, to) / quadratic).toBeCloseTo(1, 2);
    expect(divergence(head(likelihood, 1), head(likelihood, 1, 9))).toBeGreaterThan(0);
  });
});

test('the divergence of categorical and bernoulli distributions is the sum of its definition', () => {
  const [f, g] = [head(categorical, 1), head(categorical, 1, 9)];
  const softmax = (x: Float64Array) => {
    const e = x.map(Math.exp);
    const total = e.reduce((a, b) => a + b);
    return e.map((value) => value / total);
  };
  let expected = 0;
  for (let row = 0; row < ROWS; row++) {
    const at = (head: HeadValues) =>
      softmax(Float64Array.from(head.parameters!.subarray(row * COLUMNS, (row + 1) * COLUMNS)));
    const [p, q] = [at(f), at(g)];
    p.forEach((value, i) => (expected += f.weights![row] * value * Math.log(value / q[i])));
  }
  expect(divergence(f, g)).toBeCloseTo(expected, 12);

  const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
  expected = 0;
  f.parameters!.forEach((x, i) => {
    const [p, q] = [sigmoid(x), sigmoid(g.parameters![i])];
    const weight = f.weights![Math.floor(i / COLUMNS)];
    expected += weight * (p * Math.log(p / q) + (1 - p) * Math.log((1 - p) / (1 - q)));
  });
  expect(divergence({ ...f, likelihood: bernoulli }, { ...g, likelihood: bernoulli })).toBeCloseTo(
    expected,
    12,
  );
});

test('without the parameters a divergence that needs them is refused', () => {
  const values = { ...head(gaussian(), 1), parameters: undefined };
  expect(() => divergence(values, values)).toThrow(errorWithCode('ERR_NATGRAD_LIKELIHOOD'));
});
