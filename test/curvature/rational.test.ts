import { RationalBlock } from '../../src/curvature/rational';
import type { RationalRows } from '../../src/curvature/block';
import type { Precision } from '../../src/curvature/shared/factor';
import { runPhases } from '../../src/curvature/phases';
import { initialCoefficients } from '../../src/layers/rationalInitializers';
import type { FloatArray, RationalLayout, RationalVersion } from '../../src/linalg/jobs';
import { kernels } from '../../src/linalg/kernels';
import { feed, multiplyBy, once, precondition, refresh } from '../support/blocks';
import { noise, randomInputs } from '../support/denseNet';
import { addOuterProduct, plusDiagonal, relativeError, solve } from '../support/matrices';
import { rationalSlopes, someCoefficients, versions } from '../support/rationals';

interface Case {
  layout: RationalLayout;
  rows: number;
  examples: number;
  numerator: Float64Array;
  denominator: Float64Array;
  x: Float64Array;
  g: Float64Array;
  /** What the coefficients are multiplied with. */
  factors?: Float64Array;
}

function makeCase(
  version: RationalVersion,
  { rows, groups, inner, examples }: { rows: number; groups: number; inner: number; examples: number },
  seed = 1,
): Case {
  const { numerator, denominator } = someCoefficients(version, groups, seed);
  const layout = { version, groups, inner, numeratorSize: 4, denominatorSize: denominator.length / groups };
  const size = rows * groups * inner;
  const [x, g] = [randomInputs(size, 1, seed + 1), randomInputs(size, 1, seed + 2)];
  return { layout, rows, examples, numerator, denominator, x, g };
}

/**
 * (1/N) sum_n s_n s_n' over the coefficients of every function, numerators of all first, without the parts between functions; s_n by
 * central differences of the definition.
 */
function oracle({ layout, rows, examples, numerator, denominator, x, g, factors }: Case): Float64Array {
  const { version, groups, inner, numeratorSize: m, denominatorSize: n } = layout;
  const length = groups * (m + n);
  const dense = new Float64Array(length * length);
  for (let group = 0; group < groups; group++) {
    const factor = (k: number) => factors?.[group * (m + n) + k] ?? 1;
    const a = Array.from({ length: m }, (_, k) => numerator[group * m + k] * factor(k));
    const b = Array.from({ length: n }, (_, k) => denominator[group * n + k] * factor(m + k));
    for (let example = 0; example < examples; example++) {
      const score = new Float64Array(length);
      for (let row = (example * rows) / examples; row < ((example + 1) * rows) / examples; row++) {
        for (let i = (row * groups + group) * inner; i < (row * groups + group + 1) * inner; i++) {
          rationalSlopes(version, a, b, x[i]).coefficients.forEach((slope, k) => {
            const at = k < m ? group * m + k : groups * m + group * n + k - m;
            score[at] += g[i] * slope * factor(k);
          });
        }
      }
      addOuterProduct(dense, score, 1 / examples);
    }
  }
  return dense;
}

function blockOf({ layout }: Case, precision: Precision = 'float64'): RationalBlock {
  const { groups, numeratorSize, denominatorSize } = layout;
  const shapes = [
    [groups, numeratorSize],
    [groups, denominatorSize],
  ];
  return new RationalBlock({ shape: { names: ['numerator', 'denominator'], shapes }, layout, precision });
}

function batchOf({ layout, rows, examples, numerator, denominator, x, g, factors }: Case, single = false) {
  const as = (values: Float64Array): FloatArray => (single ? Float32Array.from(values) : values);
  const columns = layout.groups * layout.inner;
  const activation: RationalRows = {
    data: as(x),
    rows,
    columns,
    numerator: as(numerator),
    denominator: as(denominator),
    ...(factors ? { noise: as(factors) } : {}),
  };
  return { examples, activations: [activation], outputGradients: [{ data: as(g), rows, columns }] };
}

const shapes = [
  { rows: 12, groups: 1, inner: 1, examples: 4 },
  { rows: 6, groups: 1, inner: 5, examples: 6 },
  { rows: 8, groups: 11, inner: 1, examples: 8 },
  { rows: 6, groups: 3, inner: 4, examples: 3 },
];

describe.each(['cpu', 'reference'] as const)('RationalBlock on the %s kernels', (backend) => {
  const kernel = kernels(backend);

  // Oracle: the mean of the outer products of the scores, each by central differences in float64 (their error is below 1e-9).
  it.each(versions)('is the mean of the outer products of the scores in version %s', (version) => {
    for (const shape of shapes) {
      const given = makeCase(version, shape);
      const expected = oracle(given);
      const block = blockOf(given);
      feed(kernel, block, batchOf(given));
      expect(relativeError(block.toDense(), expected)).toBeLessThan(1e-8);
      const single = blockOf(given, 'float32');
      feed(kernel, single, batchOf(given, true));
      expect(relativeError(single.toDense(), expected)).toBeLessThan(2e-5);
    }
  });

  it('counts noise on the coefficients as part of the function', () => {
    const given = makeCase('D', shapes[3]);
    const next = noise(9);
    given.factors = Float64Array.from({ length: 18 }, () => 1 + 0.1 * next());
    const block = blockOf(given);
    feed(kernel, block, batchOf(given));
    expect(relativeError(block.toDense(), oracle(given))).toBeLessThan(1e-8);
  });

  it('adds up the scores of an example over all uses, weighs passes, and averages over batches', () => {
    const [one, two] = [makeCase('B', shapes[0], 1), makeCase('B', shapes[0], 7)];
    two.numerator = one.numerator;
    two.denominator = one.denominator;
    // Two uses are one with the rows of both, those of an example beside one another.
    const joined: Case = { ...one, rows: 24, x: new Float64Array(24), g: new Float64Array(24) };
    for (let n = 0; n < 4; n++) {
      for (const name of ['x', 'g'] as const) {
        joined[name].set(one[name].subarray(3 * n, 3 * n + 3), 6 * n);
        joined[name].set(two[name].subarray(3 * n, 3 * n + 3), 6 * n + 3);
      }
    }
    const batches = [batchOf(one), batchOf(two)];
    const statistics = {
      examples: 4,
      activations: batches.flatMap(({ activations }) => activations),
      passes: [1, 2].map((gradientScale) => ({
        weight: 0.5,
        gradientScale,
        outputGradients: batches.flatMap(({ outputGradients }) => outputGradients),
      })),
    };
    const block = blockOf(one);
    runPhases(kernel, block.updatePhases([statistics], once));
    const expected = oracle(joined);
    const doubled = expected.map((value) => (0.5 + 0.5 * 4) * value);
    expect(relativeError(block.toDense(), doubled)).toBeLessThan(1e-8);
    feed(kernel, block, batchOf(one), { decay: 0.7, scale: 0.3 });
    const own = oracle(one);
    const averaged = doubled.map((value, i) => 0.7 * value + 0.3 * own[i]);
    expect(relativeError(block.toDense(), averaged)).toBeLessThan(1e-8);
  });

  it('sums the scores over what terms of the loss share where there are more terms than rows', () => {
    const given = makeCase('B', shapes[1]);
    const block = blockOf(given);
    feed(kernel, block, { ...batchOf(given), examples: 24 });
    const expected = oracle(given).map((value) => value / 4);
    expect(relativeError(block.toDense(), expected)).toBeLessThan(1e-8);
  });

  // Oracle: Gaussian elimination with the dense block plus lambda I.
  it.each(shapes)('preconditions and multiplies as the dense block does for $groups functions', (shape) => {
    const given = makeCase('A', shape);
    const block = blockOf(given);
    feed(kernel, block, batchOf(given));
    expect(refresh(kernel, block, 0.01)).toMatchObject({ failures: 0, overflowed: false });
    const { groups } = given.layout;
    const next = noise(3);
    const gradients = [4, 2].map((size) => Float64Array.from({ length: groups * size }, next));
    const flat = (arrays: FloatArray[]) => Float64Array.from(arrays.flatMap((array) => Array.from(array)));
    const dense = block.toDense();
    const direction = solve(plusDiagonal(dense, 0.01), flat(gradients));
    expect(relativeError(flat(precondition(kernel, block, gradients)), direction)).toBeLessThan(1e-9);
    const v = flat(gradients);
    const product = v.map((_, i) => v.reduce((sum, value, j) => sum + dense[i * v.length + j] * value, 0));
    expect(relativeError(flat(multiplyBy(kernel, block, gradients)), product)).toBeLessThan(1e-12);
    const reports = runPhases(
      kernel,
      block.preconditionPhases(
        gradients,
        gradients.map((g) => g.slice()),
      ),
    );
    const dot = reports.at(-1)!.reduce((sum, report) => sum + report.dot, 0);
    expect(dot).toBeCloseTo(
      v.reduce((sum, value, i) => sum + value * direction[i], 0),
      9,
    );
  });

  // Oracle: y does not change when all of Boulle's coefficients grow alike, so sum a dy/da + sum b dy/db = y - y = 0.
  it.each([
    ['float64', 1e-15],
    ['float32', 1e-6],
  ] as const)("has Boulle's coefficients in its null space in %s", (precision, tolerance) => {
    const { numerator, denominator } = initialCoefficients('relu', [3, 2], 'boulle');
    const given: Case = {
      ...makeCase('boulle', shapes[1]),
      numerator: Float64Array.from(numerator),
      denominator: Float64Array.from(denominator),
    };
    const block = blockOf(given, precision);
    feed(kernel, block, batchOf(given, precision === 'float32'));
    const coefficients = [numerator, denominator].map((values) =>
      precision === 'float32' ? Float32Array.from(values) : Float64Array.from(values),
    );
    const scale = Math.max(...block.toDense().map(Math.abs)) * Math.max(...numerator, ...denominator);
    const products = multiplyBy(kernel, block, coefficients);
    for (const value of products.flatMap((array) => Array.from(array))) {
      expect(Math.abs(value)).toBeLessThan(tolerance * scale);
    }
    // With b_0 fixed at 1 there is no such direction, and damping keeps the other case solvable.
    expect(refresh(kernel, block, 1e-3).failures).toBe(0);
  });

  it('refuses statistics that are not finite, and starts from the damping alone', () => {
    const given = makeCase('N', shapes[0]);
    given.g[3] = NaN;
    const block = blockOf(given);
    const [[report]] = runPhases(
      kernel,
      block.updatePhases(
        [
          {
            examples: 4,
            activations: batchOf(given).activations,
            passes: [{ weight: 1, gradientScale: 1, outputGradients: batchOf(given).outputGradients }],
          },
        ],
        once,
      ),
    );
    expect(report.status).toBe('notFinite');
    expect(block.toDense().every((value) => value === 0)).toBe(true);
    refresh(kernel, block, 0.5);
    const gradients = [Float64Array.of(1, 2, 3, 4), Float64Array.of(5, 6)];
    const [numerator, denominator] = precondition(kernel, block, gradients);
    expect(relativeError(numerator, [2, 4, 6, 8])).toBeLessThan(1e-14);
    expect(relativeError(denominator, [10, 12])).toBeLessThan(1e-14);
  });
});
