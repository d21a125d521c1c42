import { InputFactoredBlock } from '../../../src/curvature/kronecker/inputFactored';
import { byWeight, effectiveRows } from '../../../src/curvature/shared/rowWeights';
import { empiricalScale, rowWeights } from '../../../src/fisher/rowWeights';
import { kernels } from '../../../src/linalg/kernels';
import { feed } from '../../support/blocks';
import { relativeError } from '../../support/matrices';
import { convolutionBatch, denseBatch, type RowBatch } from '../../support/scores';

/** sum_r w_r a_r a_r' / sum_r w_r, written out. */
function weightedMoment(rows: number[][], weights: ArrayLike<number>): Float64Array {
  const size = rows[0].length;
  const total = Array.from(weights).reduce((sum, weight) => sum + weight, 0);
  return Float64Array.from({ length: size * size }, (_, at) =>
    rows.reduce((sum, a, r) => sum + (weights[r] * a[Math.floor(at / size)] * a[at % size]) / total, 0),
  );
}

/** Weights of so many rows, some of them zero, that repeat after `period` rows, or are those of whole images of nine. */
const repeating = (rows: number, period: number) =>
  Float32Array.from({ length: rows }, (_, r) => (r % period) / 2);
const ofImages = (rows: number) => Float32Array.from({ length: rows }, (_, r) => Math.floor(r / 9) % 3);

const dense = denseBatch({ inputSize: 3, outputSize: 1, bias: true }, { examples: 12, seed: 1 });
const images = convolutionBatch(2, 1, 6, 2);

test.each<[string, RowBatch, Float32Array]>([
  ['rows', dense, repeating(12, 4)],
  ['images of which each has its weight', images, ofImages(54)],
  ['images whose positions have weights of their own', images, repeating(54, 5)],
])('the moment of %s is the mean by weight', (_, { examples, activations, pairs }, weights) => {
  const rows = pairs.flat().map(({ a }) => a);
  const inputSize = rows[0].length - 1;
  const shape = { names: ['kernel', 'bias'], shapes: [[inputSize, 1], [1]] };
  const block = new InputFactoredBlock({ shape, inputSize, outputSize: 1, bias: true, precision: 'float64' });
  feed(kernels('cpu'), block, { examples, activations: [{ ...activations[0], weights }] });
  expect(relativeError(block.toDense(), weightedMoment(rows, weights))).toBeLessThan(1e-13);
});

test('rows of equal weight are brought together, without those of weight 0', () => {
  const indices = Int32Array.of(5, 6, 7, 8);
  const weights = Float32Array.of(2, 0, 1, 2);
  expect(byWeight({ indices, weights })).toEqual([
    { rows: { indices: Int32Array.of(5, 8) }, weight: 2 },
    { rows: { indices: Int32Array.of(7) }, weight: 1 },
  ]);
  // (2 + 1 + 2)^2 / (4 + 1 + 4)
  expect(effectiveRows([{ indices, weights }])).toBeCloseTo(25 / 9, 12);
});

describe('the weights of the rows of a layer', () => {
  const output = Float32Array.of(1, 0, 2, 3);

  test.each<[string, number, number[]]>([
    ['as many', 4, [1, 0, 2, 3]],
    ['twice as many', 8, [1, 1, 0, 0, 2, 2, 3, 3]],
    ['half as many', 2, [0.5, 2.5]],
    ['half more', 6, [0.5, 0.5, 0.5, 2.5, 2.5, 2.5]],
  ])('are those of the output, of which there are %s', (_, rows, expected) => {
    expect([...rowWeights([output], rows)!]).toEqual(expected);
  });

  it('are the mean over the outputs, where 1 stands for one without', () => {
    expect([...rowWeights([output, undefined], 4)!]).toEqual([1, 0.5, 1.5, 2]);
  });

  it('are none where all rows count alike', () => {
    expect(rowWeights([], 3)).toBeUndefined();
    expect(rowWeights([Float32Array.of(2, 2)], 4)).toBeUndefined();
  });

  it('stand in the empirical Fisher matrix once', () => {
    // Of weights 2 and 0 the gradients are 2 s and 0: 1/2 (2 s)^2 c^2 = 1/2 2 s^2 for c^2 = 1/2.
    expect(empiricalScale([Float32Array.of(2, 0)]) ** 2).toBeCloseTo(0.5, 12);
    expect(empiricalScale([])).toBe(1);
  });
});
