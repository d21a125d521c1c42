import * as tf from '@tensorflow/tfjs';

import { rational } from '../../src';
import { RationalFunction } from '../../src/linalg/reference/rational';
import { rationalDerivatives, rationalValues } from '../../src/layers/rationalTensors';
import { withTape } from '../../src/tape/record';
import { errorWithCode } from '../errorWithCode';
import { backends, useBackend } from '../support/backends';
import { randomInputs } from '../support/denseNet';
import { relativeError } from '../support/matrices';
import { rationalSlopes, rationalValue, someCoefficients, versions } from '../support/rationals';

/** Shapes of x, the shape in front of the coefficients, and which function an element at a position has. */
const arrangements: { name: string; shape: number[]; units: number[]; group: (at: number[]) => number }[] = [
  { name: 'one function', shape: [5, 7], units: [], group: () => 0 },
  { name: 'one function per unit', shape: [6, 13], units: [13], group: ([, u]) => u },
  { name: 'one function per channel', shape: [2, 3, 4, 5], units: [1, 1, 5], group: ([, , , c]) => c },
  { name: 'one function per row', shape: [2, 3, 4, 5], units: [3, 1, 1], group: ([, row]) => row },
  {
    name: 'one function per row and channel',
    shape: [2, 3, 4, 5],
    units: [3, 1, 5],
    group: ([, r, , c]) => 5 * r + c,
  },
];

/** The position of element i. */
function positionOf(i: number, shape: number[]): number[] {
  return shape.map((size, axis) => Math.floor(i / shape.slice(axis + 1).reduce((a, b) => a * b, 1)) % size);
}

/** Values and gradients of sum(dy * y) by the definitions and central differences, in float64. */
function oracle(
  version: (typeof versions)[number],
  { shape, group }: (typeof arrangements)[number],
  x: Float64Array,
  dy: Float64Array,
  numerator: Float64Array,
  denominator: Float64Array,
) {
  const n = version === 'C' || version === 'boulle' ? 3 : 2;
  const [y, dx] = [new Float64Array(x.length), new Float64Array(x.length)];
  const dNumerator = new Float64Array(numerator.length);
  const dDenominator = new Float64Array(denominator.length);
  x.forEach((value, i) => {
    const g = group(positionOf(i, shape));
    const a = numerator.subarray(4 * g, 4 * g + 4);
    const b = denominator.subarray(n * g, n * g + n);
    y[i] = rationalValue(version, a, b, value);
    const slopes = rationalSlopes(version, a, b, value);
    dx[i] = dy[i] * slopes.x;
    for (let k = 0; k < 4; k++) dNumerator[4 * g + k] += dy[i] * slopes.coefficients[k];
    for (let k = 0; k < n; k++) dDenominator[n * g + k] += dy[i] * slopes.coefficients[4 + k];
  });
  return [y, dx, dNumerator, dDenominator];
}

function inputs(version: (typeof versions)[number], { shape, units }: (typeof arrangements)[number]) {
  const size = tf.util.sizeFromShape(shape);
  const { numerator, denominator } = someCoefficients(version, tf.util.sizeFromShape(units));
  const single = (values: Float64Array) => Float64Array.from(Float32Array.from(values));
  return {
    x: single(randomInputs(size, 1, 3).map((value) => 2 * value)),
    dy: single(randomInputs(size, 1, 4)),
    numerator: single(numerator),
    denominator: single(denominator),
  };
}

/** What the op and its gradients are on the backend in use. */
function computed(
  version: (typeof versions)[number],
  { shape, units }: (typeof arrangements)[number],
  { x, dy, numerator, denominator }: ReturnType<typeof inputs>,
): Float32Array[] {
  return tf.tidy(() => {
    const tensor = (values: Float64Array, size: number[]) => tf.tensor(Float32Array.from(values), size);
    const operands = [
      tensor(x, shape),
      tensor(numerator, [...units, 4]),
      tensor(denominator, [...units, denominator.length / tf.util.sizeFromShape(units)]),
    ];
    const f = (...[value, a, b]: tf.Tensor[]) => rational(value, a, b, version);
    const gradients = tf.grads(f)(operands, tensor(dy, shape));
    return [f(...operands), ...gradients].map((result) => result.dataSync<'float32'>().slice());
  });
}

describe('RationalFunction', () => {
  // Oracle: central differences of the definitions in float64.
  it.each(versions)('has the derivatives of version %s', (version) => {
    const { numerator, denominator } = someCoefficients(version, 1);
    const y = new RationalFunction(version, numerator, denominator);
    for (const x of [-2.3, -1, -0.4, 0.2, 0.9, 1.7]) {
      const coefficients = new Float64Array(numerator.length + denominator.length);
      const slope = y.differentiate(x, coefficients);
      const expected = rationalSlopes(version, numerator, denominator, x);
      expect(y.at(x)).toBeCloseTo(rationalValue(version, numerator, denominator, x), 13);
      expect(Math.abs(slope - expected.x)).toBeLessThan(1e-8);
      expect(relativeError(coefficients, expected.coefficients)).toBeLessThan(1e-8);
    }
  });

  it.each(versions)('has the signs of version %s where the coefficients are negative', (version) => {
    const base = version === 'C' || version === 'boulle' ? [-2.3, 0.4, -0.5] : [0.2, -0.1];
    const [a, b] = [[0.3, 0.5, -0.2, 0.1], base];
    for (const x of [-1.6, -0.7, 0.6, 1.5]) {
      const coefficients = new Float64Array(a.length + b.length);
      const slope = new RationalFunction(version, a, b).differentiate(x, coefficients);
      const expected = rationalSlopes(version, a, b, x);
      expect(Math.abs(slope - expected.x)).toBeLessThan(1e-8);
      expect(relativeError(coefficients, expected.coefficients)).toBeLessThan(1e-8);
    }
  });
});

describe.each(backends)('rational on the %s backend', (backend) => {
  beforeAll(() => useBackend(backend));

  // Oracle: definitions and central differences in float64, inputs rounded to float32 before; the tolerance is float32's.
  it.each(arrangements)('computes values and gradients with $name', (arrangement) => {
    for (const version of versions) {
      const given = inputs(version, arrangement);
      const expected = oracle(version, arrangement, given.x, given.dy, given.numerator, given.denominator);
      computed(version, arrangement, given).forEach((actual, i) => {
        expect(relativeError(actual, expected[i])).toBeLessThan(2e-6);
      });
    }
  });

  // Oracle: sum of the partial derivatives, central differences in float64, times the directions.
  it.each(arrangements)('carries directions in x and in the coefficients, with $name', (arrangement) => {
    const { shape, units, group } = arrangement;
    for (const version of versions) {
      const given = inputs(version, arrangement);
      const count = given.denominator.length / tf.util.sizeFromShape(units);
      const variables = [
        tf.variable(tf.tensor(Float32Array.from(given.x), shape)),
        tf.variable(tf.tensor(Float32Array.from(given.numerator), [...units, 4])),
        tf.variable(tf.tensor(Float32Array.from(given.denominator), [...units, count])),
      ];
      const directions = variables.map(({ size }, i) =>
        Float64Array.from(Float32Array.from(randomInputs(size, 1, 20 + i))),
      );
      for (const moved of [[0, 1, 2], [0], [1], [2]]) {
        const of = (i: number, k: number) => (moved.includes(i) ? directions[i][k] : 0);
        const expected = given.x.map((value, i) => {
          const g = group(positionOf(i, shape));
          const a = given.numerator.subarray(4 * g, 4 * g + 4);
          const b = given.denominator.subarray(count * g, count * g + count);
          const slopes = rationalSlopes(version, a, b, value);
          const byCoefficients = slopes.coefficients.reduce(
            (sum, slope, k) => sum + slope * (k < 4 ? of(1, 4 * g + k) : of(2, count * g + k - 4)),
            0,
          );
          return slopes.x * of(0, i) + byCoefficients;
        });
        let y: tf.Tensor;
        const loss = () => {
          y = rational(variables[0], variables[1], variables[2], version);
          return y.sum<tf.Scalar>();
        };
        withTape(loss, variables, (recording) => {
          const along = (i: number) => tf.tensor(Float32Array.from(directions[i]), variables[i].shape);
          const tangents = new Map(moved.map((i) => [variables[i].id, along(i)]));
          const tangent = recording.tangent(tangents, [y]).get(y.id)!;
          expect(relativeError(tangent.dataSync<'float32'>(), expected)).toBeLessThan(5e-6);
        });
      }
      tf.dispose(variables);
    }
  });

  it('sums coefficients over many elements as float64 does', () => {
    const arrangement = { name: '', shape: [150, 120], units: [], group: () => 0 };
    const given = inputs('B', arrangement);
    const expected = oracle('B', arrangement, given.x, given.dy, given.numerator, given.denominator);
    computed('B', arrangement, given).forEach((actual, i) => {
      expect(relativeError(actual, expected[i])).toBeLessThan(1e-5);
    });
  });

  it('equals its composition of operations of tfjs', () => {
    for (const version of versions) {
      for (const arrangement of arrangements.slice(0, 4)) {
        const given = inputs(version, arrangement);
        const groups = tf.util.sizeFromShape(arrangement.units);
        const inner = arrangement.units.length === 3 && arrangement.units[0] > 1 ? 20 : 1;
        const [y, ...gradients] = tf.tidy(() => {
          const layout = {
            version,
            groups,
            inner,
            numeratorSize: 4,
            denominatorSize: given.denominator.length / groups,
          };
          const tensors = {
            layout,
            x: tf.tensor(Float32Array.from(given.x), arrangement.shape),
            numerator: tf.tensor1d(Float32Array.from(given.numerator)),
            denominator: tf.tensor1d(Float32Array.from(given.denominator)),
          };
          const dy = tf.tensor(Float32Array.from(given.dy), arrangement.shape);
          return [rationalValues(tensors), ...rationalDerivatives(tensors, dy)].map((tensor) =>
            tensor.dataSync<'float32'>().slice(),
          );
        });
        computed(version, arrangement, given).forEach((actual, i) => {
          expect(relativeError(actual, [y, ...gradients][i])).toBeLessThan(2e-6);
        });
      }
    }
  });

  it('gives what IEEE 754 has where the denominator is zero, in version N', () => {
    const values = tf.tidy(() => {
      const x = tf.tensor1d([1, -1, 0.5]);
      return rational(x, tf.tensor1d([0, 1]), tf.tensor1d([-1]), 'N')
        .dataSync<'float32'>()
        .slice();
    });
    expect(Array.from(values)).toEqual([Infinity, -0.5, 1]);
    const [undefinedValue] = tf.tidy(() =>
      rational(tf.tensor1d([0]), tf.tensor1d([0, 1]), tf.tensor1d([0, 1]), 'boulle').dataSync(),
    );
    expect(undefinedValue).toBeNaN();
  });

  it('takes tensors without elements and releases what it makes', () => {
    const [a, b] = [tf.tensor1d([0, 1, 2]), tf.tensor1d([1])];
    const x = tf.zeros([0, 4]);
    const before = tf.memory().numTensors;
    const [dx, da, db] = tf.grads((value, p, q) => rational(value, p, q, 'A'))([x, a, b]);
    expect([dx.shape, da.shape, db.shape]).toEqual([[0, 4], [3], [1]]);
    expect([...da.dataSync(), ...db.dataSync()]).toEqual([0, 0, 0, 0]);
    tf.dispose([dx, da, db]);
    expect(tf.memory().numTensors).toBe(before);
    tf.dispose([a, b, x]);
  });

  it('refuses operands that do not fit', () => {
    const [x, a, b] = [tf.zeros([2, 3]), tf.zeros([4]), tf.zeros([2])];
    const code = (run: () => unknown, expected: Parameters<typeof errorWithCode>[0]) =>
      expect(run).toThrow(errorWithCode(expected));
    code(() => rational(x, a, tf.zeros([3, 2])), 'ERR_NATGRAD_SHAPE');
    code(() => rational(x, tf.zeros([4, 4]), tf.zeros([4, 2])), 'ERR_NATGRAD_SHAPE');
    code(() => rational(x, tf.zeros([1, 2, 3, 4]), tf.zeros([1, 2, 3, 2])), 'ERR_NATGRAD_SHAPE');
    code(() => rational(x, tf.zeros([18]), b), 'ERR_NATGRAD_SHAPE');
    code(() => rational(x, tf.scalar(1), b), 'ERR_NATGRAD_SHAPE');
    code(() => rational(x.toInt(), a, b), 'ERR_NATGRAD_TYPE');
    code(() => rational(x, a, b, 'Z' as 'A'), 'ERR_NATGRAD_ARGUMENT');
  });
});
