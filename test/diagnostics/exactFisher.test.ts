import * as tf from '@tensorflow/tfjs';

import { blockDiagonal, exactNaturalGradient, kfac, type NaturalGradientOptimizer } from '../../src';
import {
  blockSpectrum,
  cosine,
  directionCosine,
  estimatorError,
  ExactFisher,
  fisherSpectrum,
  fisherTrace,
  measuredDivergence,
  type NamedVectors,
} from '../../src/diagnostics';
import { useBackend } from '../support/backends';
import { fromRows, jacobi, matrix } from '../support/dense';
import { forward } from '../support/denseNet';
import { relativeError } from '../support/matrices';
import { classifier, examples, weightsOf } from '../support/classifier';
import { naturalGradientParts, naturalStep, netOf, softmax } from '../support/softmaxNet';
import { oneStep } from '../support/exactStep';

const N = 10;
const SIZES = [4, 6, 3];

const exactly = {
  ...oneStep,
  fisher: 'exact',
} as const;

/** Everything in float64 is from `softmaxNet`, whose scores are written out; tfjs computes in float32. */
describe('the exact Fisher matrix of a batch', () => {
  let model: tf.Sequential;
  let x: tf.Tensor2D;
  let y: tf.Tensor2D;
  let names: string[];
  let sizes: number[];
  beforeAll(() => useBackend('cpu'));
  beforeEach(() => {
    model = classifier();
    ({ x, y } = examples(N));
    names = variables().map(({ name }) => name);
    sizes = variables().map(({ size }) => size);
  });
  afterEach(() => {
    model.dispose();
    tf.dispose([x, y]);
  });

  const variables = () => model.weights.map((weight) => (weight as unknown as { val: tf.Variable }).val);
  const loss = () => tf.metrics.categoricalCrossentropy(y, model.apply(x) as tf.Tensor).mean<tf.Scalar>();
  const parts = () =>
    naturalGradientParts(
      netOf(weightsOf(model), SIZES, 'tanh'),
      Float64Array.from(x.dataSync()),
      Float64Array.from(y.dataSync()),
      'exact',
    );
  const named = (values: Float64Array): NamedVectors => {
    let begin = 0;
    return Object.fromEntries(names.map((name, i) => [name, values.slice(begin, (begin += sizes[i]))]));
  };
  const flat = (vectors: NamedVectors) => Float64Array.from(names.flatMap((name) => [...vectors[name]]));
  const gathered = (optimizer: NaturalGradientOptimizer) => {
    const { value, grads } = optimizer.computeGradients(loss, variables());
    tf.dispose([value, grads]);
    return optimizer;
  };
  const exact = () => new ExactFisher(loss, { variables: variables() });

  it('is that of the scores, as a matrix, in products, in its eigenvalues and in its inverse', () => {
    const { fisher, gradient } = parts();
    const found = exact();
    expect(found.examples).toBe(N);
    expect(found.names).toEqual(names);
    expect(relativeError(found.dense(), fisher)).toBeLessThan(1e-5);
    const p = gradient.length;
    const product = fromRows(fisher, p).map((row) =>
      row.reduce((sum, value, i) => sum + value * gradient[i], 0),
    );
    expect(relativeError(flat(found.multiply(named(gradient))), product)).toBeLessThan(1e-5);
    const square = product.reduce((sum, value, i) => sum + value * gradient[i], 0);
    expect(found.divergence(named(gradient)) / (square / 2)).toBeCloseTo(1, 5);
    const direction = naturalStep(gradient, fisher, 0.01).map((value) => -value);
    expect(relativeError(flat(found.naturalGradient(named(gradient), 0.01)), direction)).toBeLessThan(1e-4);
    const eigenvalues = jacobi(fromRows(fisher, p)).values.sort((a, b) => b - a);
    const own = [...found.eigenvalues()].reverse();
    for (let k = 0; k < 20; k++)
      expect(Math.abs(own[k] - eigenvalues[k])).toBeLessThan(1e-5 * eigenvalues[0]);
  });

  it('has the part of some variables', () => {
    const { fisher, begins } = parts();
    const p = sizes.reduce((sum, size) => sum + size);
    const n = p - begins[1];
    const block = matrix(n, n, (i, j) => fisher[(begins[1] + i) * p + begins[1] + j]).flat();
    expect(relativeError(exact().dense(names.slice(2)), block)).toBeLessThan(1e-5);
  });

  it('finds no error in blocks that are exact, and the same direction', () => {
    const found = exact();
    for (const create of [exactNaturalGradient, blockDiagonal]) {
      const optimizer = gathered(create({ ...exactly, damping: 0.01 }));
      for (const { relativeError: error, cosine: angle } of estimatorError(optimizer, found)) {
        expect(error).toBeLessThan(1e-5);
        expect(angle).toBeCloseTo(1, 8);
      }
    }
    const optimizer = gathered(exactNaturalGradient({ ...exactly, damping: 0.01 }));
    const { gradient } = parts();
    expect(directionCosine(optimizer, found, named(gradient), 0.01)).toBeCloseTo(1, 6);
    // F v by the optimizer's own block.
    const own = optimizer.curvature().multiply(named(gradient));
    expect(relativeError(flat(own), flat(found.multiply(named(gradient))))).toBeLessThan(1e-5);
  });

  it('finds the error of K-FAC, block by block, and the angle of its direction', () => {
    const optimizer = gathered(kfac({ ...exactly, damping: 0.01 }));
    const { fisher, gradient, begins } = parts();
    const p = gradient.length;
    estimatorError(optimizer, exact()).forEach((found, l) => {
      const block = optimizer.curvature().blocks[l];
      const n = block.sizes.reduce((sum, size) => sum + size);
      const truth = matrix(n, n, (i, j) => fisher[(begins[l] + i) * p + begins[l] + j]).flat();
      const dense = block.toDense();
      const difference = Math.hypot(...dense.map((value, at) => value - truth[at])) / Math.hypot(...truth);
      expect(found.relativeError).toBeCloseTo(difference, 5);
      expect(found.structure).toBe('Kronecker factored');
    });
    const direction = optimizer.curvature().precondition(named(gradient));
    const truth = naturalStep(gradient, fisher, 0.01).map((value) => -value);
    const angle = directionCosine(optimizer, exact(), named(gradient), 0.01);
    expect(angle).toBeCloseTo(cosine(direction, named(truth)), 5);
    expect(angle).toBeGreaterThan(0.5);
    expect(angle).toBeLessThan(0.9999);
  });

  it('leaves out what the loss does not depend on, such as another model', () => {
    const other = tf.sequential({ layers: [tf.layers.dense({ units: 2, inputShape: [3] })] });
    const optimizer = kfac({ ...exactly, damping: 0.01 });
    const { value, grads } = optimizer.computeGradients(loss);
    tf.dispose([value, grads]);
    const found = new ExactFisher(loss);
    expect(optimizer.summary().length).toBe(4); // The two layers, and the other model's kernel and bias.
    expect(found.names).toEqual(names);
    expect(estimatorError(optimizer, found)).toEqual(estimatorError(optimizer, exact()));
    expect(
      estimatorError(optimizer, found)
        .map(({ variables: of }) => of.split(', '))
        .flat(),
    ).toEqual(names);
    other.dispose();
  });

  it('finds no error in a block that is zero as it should be', () => {
    model.layers[1].setWeights(model.layers[1].getWeights().map((weight) => tf.zerosLike(weight)));
    // Nothing gets through the second layer to the first.
    const [first, second] = estimatorError(gathered(kfac({ ...exactly, damping: 0.01 })), exact());
    expect(first).toMatchObject({ relativeError: 0, cosine: 1 });
    expect(second.relativeError).toBeGreaterThan(0);
  });

  it('refuses a block of which it has some variables only', () => {
    const optimizer = gathered(kfac({ ...exactly, damping: 0.01 }));
    const kernels = new ExactFisher(loss, { variables: [variables()[0], variables()[2]] });
    expect(() => estimatorError(optimizer, kernels)).toThrow(
      expect.objectContaining({
        code: 'ERR_NATGRAD_ARGUMENT',
        message: `names has '${names[1]}', which this Fisher matrix is not of; it is of ${names[0]}, ${names[2]}.`,
      }) as Error,
    );
  });

  it('measures the divergence of a step, which is 1/2 step^T F step for a small one, and puts the weights back', () => {
    const { gradient } = parts();
    const before = weightsOf(model);
    const net = netOf(before, SIZES, 'tanh');
    const inputs = Float64Array.from(x.dataSync());
    const predictions = (scale: number) => {
      let begin = 0;
      const weights = net.weights.map((w) => w.map((value) => value + scale * gradient[begin++]));
      return softmax(forward({ ...net, weights }, inputs).outputs, 3);
    };
    for (const [length, tolerance] of [
      [-1, 1e-4],
      [-0.1, 1e-3],
    ]) {
      const step = named(gradient.map((value) => length * value));
      // KL(p || q) = sum p log (p / q), in float64.
      const [from, to] = [predictions(0), predictions(length)];
      const kl = from.reduce((sum, value, i) => sum + value * Math.log(value / to[i]), 0) / N;
      expect(Math.abs(measuredDivergence(loss, step) / kl - 1)).toBeLessThan(tolerance);
      if (length === -0.1) expect(exact().divergence(step) / kl).toBeCloseTo(1, 1);
    }
    expect(weightsOf(model)).toEqual(before);
    expect(() => measuredDivergence(loss, { [names[0]]: new Float32Array(2) })).toThrow(
      /has 2 elements; give 24/,
    );
    expect(weightsOf(model)).toEqual(before);
  });

  it('has its spectrum by Lanczos, from products alone', () => {
    const { fisher, gradient } = parts();
    const eigenvalues = jacobi(fromRows(fisher, gradient.length)).values.sort((a, b) => a - b);
    const { values, weights } = fisherSpectrum(loss, { variables: variables(), steps: 30 });
    expect(values.at(-1)! / eigenvalues.at(-1)!).toBeCloseTo(1, 5);
    expect(values.at(-2)! / eigenvalues.at(-2)!).toBeCloseTo(1, 4);
    expect(weights.reduce((a, b) => a + b)).toBeCloseTo(1, 10);
  });

  it('has its trace from random signs, forward walks alone', () => {
    const { fisher, gradient } = parts();
    const rows = fromRows(fisher, gradient.length);
    const truth = rows.reduce((sum, row, i) => sum + row[i], 0);
    // Var v'F v = 2 sum of F_ij^2 over i != j.
    const variance = rows.reduce(
      (sum, row, i) => sum + 2 * row.reduce((part, value, j) => part + (i === j ? 0 : value ** 2), 0),
      0,
    );
    const samples = 400;
    const { trace, standardError } = fisherTrace(loss, { variables: variables(), samples });
    expect(Math.abs(standardError / Math.sqrt(variance / samples) - 1)).toBeLessThan(0.2);
    expect(standardError / truth).toBeLessThan(0.1);
    expect(Math.abs(trace - truth)).toBeLessThan(3 * standardError);
    // Of some variables: the part of F that is theirs.
    const [{ size }, ...others] = variables();
    const part = rows.slice(size).reduce((sum, row, i) => sum + row[size + i], 0);
    const found = fisherTrace(loss, { variables: others, samples, seed: 1 });
    expect(Math.abs(found.trace - part)).toBeLessThan(3 * found.standardError);
    expect(Math.abs(found.trace - truth)).toBeGreaterThan(3 * found.standardError);
  });

  it('says what blocks are like: by Kronecker algebra what the dense matrix says', () => {
    for (const create of [kfac, blockDiagonal]) {
      for (const block of gathered(create({ ...exactly, damping: 0.01 })).curvature().blocks) {
        const n = block.sizes.reduce((sum, size) => sum + size);
        const values = jacobi(fromRows(block.toDense(), n)).values;
        const found = blockSpectrum(block, { damping: 0.01 });
        const [largest, smallest] = [Math.max(...values), Math.min(...values)];
        expect(found.size).toBe(n);
        expect(found.trace).toBeCloseTo(
          values.reduce((a, b) => a + b),
          9,
        );
        expect(found.logDeterminant).toBeCloseTo(
          values.reduce((sum, v) => sum + Math.log(v + 0.01), 0),
          7,
        );
        expect(found.frobeniusNorm).toBeCloseTo(Math.hypot(...values), 9);
        expect(found.largest).toBeCloseTo(largest, 9);
        expect(found.smallest).toBeCloseTo(smallest, 9);
        expect(found.conditionNumber).toBeCloseTo((largest + 0.01) / (smallest + 0.01), 6);
        expect(found.stableRank).toBeCloseTo(found.trace / largest, 8);
      }
    }
    const [block] = gathered(blockDiagonal({ ...exactly, damping: 0.01 })).curvature().blocks;
    expect(() => blockSpectrum(block, { largestDense: 10 })).toThrow(/30 parameters.*lanczos/);
  });

  it('refuses what has no distribution, or no damping', () => {
    const sum = () => (model.apply(x) as tf.Tensor).sum<tf.Scalar>();
    expect(() => new ExactFisher(sum)).toThrow(/No predictive distribution/);
    expect(() => fisherSpectrum(loss, { iterations: 3 } as object)).toThrow(
      /options.iterations is not an option; use fisher, variables, steps, seed/,
    );
    expect(() => fisherTrace(loss, { steps: 3 } as object)).toThrow(/options.steps is not an option/);
    expect(() => new ExactFisher(loss, { variable: [] } as object)).toThrow(/options.variable is not an/);
    expect(() => exact().naturalGradient(named(parts().gradient), 0)).toThrow(/damping is 0/);
    expect(() => cosine({ w: new Float32Array(2) }, { w: new Float32Array(3) })).toThrow(/2 and 3 elements/);
  });

  it('leaves no tensor behind', () => {
    const before = tf.memory().numTensors;
    exact();
    measuredDivergence(loss, named(parts().gradient));
    fisherSpectrum(loss, { steps: 3 });
    fisherTrace(loss, { samples: 3 });
    expect(tf.memory().numTensors).toBe(before);
  });
});
