import { BatchSpaceBlock } from '../../../src/curvature/batchSpace/batchSpace';
import type { Statistics } from '../../../src/curvature/block';
import { runPhases } from '../../../src/curvature/phases';
import { Scratch } from '../../../src/curvature/shared/scratch';
import { SketchedRows } from '../../../src/curvature/batchSpace/sketchedRows';
import { sampleWithoutReplacement, structureStream } from '../../../src/curvature/shared/sampling';
import type { Kernels } from '../../../src/linalg/jobs';
import { kernels } from '../../../src/linalg/kernels';
import { precondition, refresh } from '../../support/blocks';
import { randomInputs } from '../../support/denseNet';
import { plusDiagonal, relativeError, solve } from '../../support/matrices';

const [examples, inputSize, outputSize] = [5, 400, 300];
const layer = {
  shape: { names: ['kernel', 'bias'], shapes: [[inputSize, outputSize], [outputSize]] },
  inputSize,
  outputSize,
  bias: true,
  transposed: false,
};
const x = randomInputs(examples, inputSize, 1);
const g = randomInputs(examples, outputSize, 2);
const statistics: Statistics = {
  examples,
  activations: [{ data: x, rows: examples, columns: inputSize }],
  passes: [
    {
      weight: 1,
      gradientScale: 1,
      outputGradients: [{ data: g, rows: examples, columns: outputSize }],
    },
  ],
};
const vectors = [randomInputs(inputSize, outputSize, 3), randomInputs(outputSize, 1, 4)];

const dot = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((sum, value, i) => sum + value * b[i], 0);
const row = (data: Float64Array, n: number) =>
  data.subarray((n * data.length) / examples, ((n + 1) * data.length) / examples);

/** U U' written out: (x~_n . x~_m) (d_n . d_m) / N. */
const exactGram = Float64Array.from({ length: examples ** 2 }, (_, at) => {
  const [n, m] = [Math.floor(at / examples), at % examples];
  return ((dot(row(x, n), row(x, m)) + 1) * dot(row(g, n), row(g, m))) / examples;
});

/** U v written out. */
const exactProjection = Float64Array.from({ length: examples }, (_, n) => {
  const forward = Array.from({ length: outputSize }, (_, j) => {
    const column = Array.from({ length: inputSize }, (_, i) => vectors[0][i * outputSize + j]);
    return dot(row(x, n), column) + vectors[1][j];
  });
  return dot(forward, row(g, n)) / Math.sqrt(examples);
});

describe.each(['cpu', 'reference'] as const)('sketched scores on the %s kernels', (backend) => {
  let kernel: Kernels;
  beforeAll(() => (kernel = kernels(backend)));

  function sketched(size: number, batch: number): { gram: Float64Array; projection: Float64Array } {
    const counts = { examples, passes: 1, positions: 1 };
    const rows = new SketchedRows(layer, counts, 'float64', { size, seed: 11 });
    runPhases(kernel, rows.fill(statistics, batch));
    const [gram, projection] = [new Float64Array(examples ** 2), new Float64Array(examples)];
    const scratch = new Scratch('float64');
    runPhases(kernel, rows.gram(rows, gram, scratch));
    runPhases(kernel, rows.project(vectors, projection, scratch));
    return { gram, projection };
  }

  it('is exact with all coordinates, in whatever order they are drawn', () => {
    const { gram, projection } = sketched(400, 0);
    expect(relativeError(gram, exactGram)).toBeLessThan(1e-13);
    expect(relativeError(projection, exactProjection)).toBeLessThan(1e-12);
  });

  it('has an error that falls as one over the square root of the size', () => {
    // Oracle: E17 and the variance of a mean of c draws without replacement, (1/c)(1 - c/d): root mean squares over 60 draws.
    const error = (size: number) => {
      let sum = 0;
      for (let batch = 0; batch < 60; batch++) {
        const { gram } = sketched(size, batch);
        gram.forEach((value, i) => (sum += (value - exactGram[i]) ** 2));
      }
      return Math.sqrt(sum / 60);
    };
    const errors = [4, 16, 64].map(error);
    for (const [i, j] of [
      [0, 1],
      [1, 2],
    ]) {
      expect(errors[i] / errors[j]).toBeGreaterThan(1.6);
      expect(errors[i] / errors[j]).toBeLessThan(2.7);
    }
  });

  it('is right on average, for the Gram matrix and for the projection', () => {
    // Unbiased: the mean of 400 independent draws is within four of its own standard errors, and these are small.
    const draws = Array.from({ length: 400 }, (_, batch) => sketched(64, batch));
    const check = (values: number[], exact: number) => {
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
      expect(Math.abs(mean - exact)).toBeLessThan(4 * Math.sqrt(variance / values.length));
    };
    exactGram.forEach((value, i) =>
      check(
        draws.map(({ gram }) => gram[i]),
        value,
      ),
    );
    exactProjection.forEach((value, i) =>
      check(
        draws.map(({ projection }) => projection[i]),
        value,
      ),
    );
  });

  it('solves the sketched least-squares problem, and applies its solution exactly', () => {
    // Oracle: d = (g - U'b) / lambda, b = (K^ + lambda I)^-1 (U g)^, from the sketched Gram matrix and projection and dense U.
    const lambda = 0.5;
    const sketch = { size: 40, seed: 11 };
    const block = new BatchSpaceBlock({ structure: 'SENG', layers: [layer], precision: 'float64', sketch });
    runPhases(kernel, block.updatePhases([statistics]));
    refresh(kernel, block, lambda);
    const [kernelDirection, biasDirection] = precondition(kernel, block, vectors);
    const { gram, projection } = sketched(40, 0);
    const b = solve(plusDiagonal(gram, lambda), projection);
    const expected = (i: number, j: number, v: number) => {
      let sum = 0;
      for (let n = 0; n < examples; n++) sum += b[n] * (i < inputSize ? row(x, n)[i] : 1) * row(g, n)[j];
      return (v - sum / Math.sqrt(examples)) / lambda;
    };
    const kernelExpected = vectors[0].map((v, at) =>
      expected(Math.floor(at / outputSize), at % outputSize, v),
    );
    expect(relativeError(kernelDirection, kernelExpected)).toBeLessThan(1e-10);
    expect(
      relativeError(
        biasDirection,
        vectors[1].map((v, j) => expected(inputSize, j, v)),
      ),
    ).toBeLessThan(1e-10);
  });
});

describe('sampleWithoutReplacement', () => {
  it('draws every number equally often, none twice', () => {
    const counts = new Array<number>(7).fill(0);
    for (let batch = 0; batch < 7000; batch++) {
      const sample = sampleWithoutReplacement(7, 3, structureStream(1, batch));
      expect(new Set(sample).size).toBe(3);
      sample.forEach((number) => counts[number]++);
    }
    // 3000 expected of each, with a standard deviation of sqrt(7000 * 3/7 * 4/7) = 41.
    counts.forEach((count) => expect(Math.abs(count - 3000)).toBeLessThan(4 * 42));
  });
});
