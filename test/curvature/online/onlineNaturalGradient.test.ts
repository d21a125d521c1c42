import { OnlineAxesBlock } from '../../../src/curvature/online/onlineAxes';
import { OnlineLowRank } from '../../../src/curvature/online/onlineLowRank';
import { OnlineNaturalGradientBlock } from '../../../src/curvature/online/onlineNaturalGradient';
import { ONLINE_DEFAULTS, type ResolvedOnlineOptions } from '../../../src/curvature/online/onlineOptions';
import { runPhases } from '../../../src/curvature/phases';
import type { FloatArray, Kernels } from '../../../src/linalg/jobs';
import { kernels } from '../../../src/linalg/kernels';
import { feed, multiplyBy, precondition, refresh } from '../../support/blocks';
import { noise, randomInputs } from '../../support/denseNet';
import { relativeError, solve } from '../../support/matrices';

/** Dense matrices as arrays of rows, by the book. */
type Matrix = number[][];
const zeros = (n: number, m: number): Matrix => Array.from({ length: n }, () => new Array<number>(m).fill(0));
const multiply = (a: Matrix, b: Matrix): Matrix =>
  a.map((row) => b[0].map((_, j) => row.reduce((sum, value, k) => sum + value * b[k][j], 0)));
const transpose = (a: Matrix): Matrix => a[0].map((_, j) => a.map((row) => row[j]));
const flat = (a: Matrix) => Float64Array.from(a.flat());
const rowsOf = (data: ArrayLike<number>, columns: number): Matrix =>
  Array.from({ length: data.length / columns }, (_, r) =>
    Array.from({ length: columns }, (__, j) => data[r * columns + j]),
  );
const squareSum = (a: Matrix) => a.flat().reduce((sum, value) => sum + value * value, 0);

/** Eigenvalues, descending, with eigenvectors as rows, by Jacobi's rotations. */
function eigen(matrix: Matrix): { values: number[]; vectors: Matrix } {
  const a = matrix.map((row) => [...row]);
  const n = a.length;
  const v: Matrix = a.map((_, i) => a.map((__, j) => (i === j ? 1 : 0)));
  for (let sweep = 0; sweep < 60; sweep++) {
    for (let p = 0; p < n; p++) {
      for (let q = p + 1; q < n; q++) {
        if (a[p][q] === 0) continue;
        const theta = (a[q][q] - a[p][p]) / (2 * a[p][q]);
        const t = Math.sign(theta || 1) / (Math.abs(theta) + Math.hypot(theta, 1));
        const [c, s] = [1 / Math.hypot(t, 1), t / Math.hypot(t, 1)];
        for (let k = 0; k < n; k++)
          [a[k][p], a[k][q]] = [c * a[k][p] - s * a[k][q], s * a[k][p] + c * a[k][q]];
        for (let k = 0; k < n; k++)
          [a[p][k], a[q][k]] = [c * a[p][k] - s * a[q][k], s * a[p][k] + c * a[q][k]];
        for (let k = 0; k < n; k++)
          [v[p][k], v[q][k]] = [c * v[p][k] - s * v[q][k], s * v[p][k] + c * v[q][k]];
      }
    }
  }
  const order = a.map((_, i) => i).sort((i, j) => a[j][j] - a[i][i]);
  return { values: order.map((i) => a[i][i]), vectors: order.map((i) => v[i]) };
}

/**
 * The slow oracle of the paper's appendix: F and G as dense matrices, the rows multiplied by beta G^-1 outright, and the next F from Y = R S
 * formed explicitly, S = eta/N X'X + (1 - eta) F.
 */
class Simple {
  R: Matrix;
  D: number[];
  rho: number;
  private batches = 0;

  constructor(
    private readonly size: number,
    private readonly rank: number,
    private readonly options: ResolvedOnlineOptions,
  ) {
    this.D = new Array<number>(rank).fill(options.epsilon);
    this.rho = options.epsilon;
    this.R = zeros(rank, size);
    this.R.forEach((row, i) => {
      for (let j = i; j < size; j += rank) row[j] = j === i ? 1.1 : 1;
      const length = Math.sqrt(squareSum([row]));
      row.forEach((value, j) => (row[j] = value / length));
    });
  }

  F(): Matrix {
    const scaled = this.R.map((row, i) => row.map((value) => value * this.D[i]));
    return multiply(transpose(this.R), scaled).map((row, i) =>
      row.map((value, j) => value + (i === j ? this.rho : 0)),
    );
  }

  /** What becomes of the rows, and then of F. */
  take(X: Matrix): Matrix {
    if (this.batches++ === 0) {
      const rounds = X.length <= this.rank ? 1 : 3;
      for (let i = 0; i < rounds; i++) this.update(X);
    }
    const F = this.F();
    const mean = F.reduce((sum, row, i) => sum + row[i], 0) / this.size;
    const G = F.map((row, i) => row.map((value, j) => value + (i === j ? this.options.alpha * mean : 0)));
    const hat = X.map((row) => [...solve(flat(G), row)]);
    const scale = Math.sqrt(squareSum(X) / squareSum(hat));
    if (this.batches <= 10 || (this.batches - 1) % this.options.updatePeriod === 0) this.update(X);
    return hat.map((row) => row.map((value) => scale * value));
  }

  private update(X: Matrix): void {
    const { epsilon, delta, numSamplesHistory } = this.options;
    const eta = Math.min(0.9, 1 - Math.exp(-X.length / numSamplesHistory));
    const F = this.F();
    const second = multiply(transpose(X), X);
    const S = F.map((row, i) => row.map((value, j) => (1 - eta) * value + (eta / X.length) * second[i][j]));
    const Y = multiply(this.R, S);
    const { values, vectors } = eigen(multiply(Y, transpose(Y)));
    const roots = values.map((value) => Math.sqrt(Math.max(value, (this.rho * (1 - eta)) ** 2)));
    const trace = S.reduce((sum, row, i) => sum + row[i], 0);
    const least = Math.max(epsilon, delta * roots[0]);
    this.rho = Math.max(
      least,
      (trace - roots.reduce((sum, root) => sum + root, 0)) / (this.size - this.rank),
    );
    this.D = roots.map((root) => Math.max(least, root - this.rho));
    this.R = multiply(vectors, Y).map((row, i) => row.map((value) => value / roots[i]));
  }
}

/** Rows with a few strong directions that drift, as those of a network do. */
function stream(size: number, count: number, seed: number): () => Float64Array {
  const next = noise(seed);
  const basis = Array.from({ length: 3 }, () => Float64Array.from({ length: size }, next));
  return () => {
    for (const vector of basis) for (let j = 0; j < size; j++) vector[j] += 0.02 * next();
    const rows = new Float64Array(count * size);
    for (let r = 0; r < count; r++) {
      const strengths = basis.map((_, i) => next() * 2 ** (1 - i));
      for (let j = 0; j < size; j++) {
        rows[r * size + j] =
          0.2 * next() + basis.reduce((sum, vector, i) => sum + strengths[i] * vector[j], 0);
      }
    }
    return rows;
  };
}

const options: ResolvedOnlineOptions = { ...ONLINE_DEFAULTS, rank: 4, numSamplesHistory: 200 };

describe.each(['cpu', 'reference'] as const)('the online natural gradient by the %s kernels', (name) => {
  let kernel: Kernels;
  beforeAll(() => (kernel = kernels(name)));

  const applied = ({ weights, gamma, rank, size }: OnlineLowRank, X: Matrix): Matrix => {
    const W = rowsOf(weights, size);
    const minus = rank === 0 ? X.map((row) => row.map(() => 0)) : multiply(multiply(X, transpose(W)), W);
    return X.map((row, r) => row.map((value, j) => gamma[0] * (value - minus[r][j])));
  };

  it.each([
    ['float64', 1e-8, 1],
    ['float64', 1e-8, 3],
    ['float32', 1e-2, 1],
  ] as const)(
    'is what dense matrices give over 100 batches, in %s to %p, with every %i. updated',
    (precision, tolerance, updatePeriod) => {
      // Oracle 11: Povey, Zhang and Khudanpur 2015, appendix B, with nothing but dense float64 matrices.
      const [size, count] = [12, 10];
      const own = { ...options, updatePeriod };
      const side = new OnlineLowRank(size, own, precision);
      const simple = new Simple(size, 4, own);
      const batch = stream(size, count, 1);
      for (let t = 0; t < 100; t++) {
        const data = batch();
        const X = rowsOf(data, size);
        const rows = precision === 'float32' ? Float32Array.from(data) : data;
        runPhases(kernel, side.updatePhases({ rows, count }));
        const expected = flat(simple.take(X));
        const actual = flat(applied(side, X));
        if (!(relativeError(actual, expected) < tolerance)) {
          throw new Error(`batch ${t}: relative error ${relativeError(actual, expected)}`);
        }
        expect(Math.abs(squareSum(rowsOf(actual, size)) / squareSum(X) - 1)).toBeLessThan(
          precision === 'float32' ? 1e-4 : 1e-10,
        );
      }
      const dense = Float64Array.from({ length: size * size }, (_, at) =>
        side.at(Math.floor(at / size), at % size),
      );
      expect(relativeError(dense, flat(simple.F()))).toBeLessThan(tolerance);
    },
  );

  it('keeps R orthonormal and the trace of F that of the average', () => {
    const [size, count] = [12, 10];
    // Three directions stand out, so that with rank 3 no floor acts.
    const side = new OnlineLowRank(size, { ...options, rank: 3 }, 'float64');
    const batch = stream(size, count, 2);
    const eta = 1 - Math.exp(-count / 200);
    const traceOf = () =>
      Array.from({ length: size }, (_, i) => side.at(i, i)).reduce((sum, value) => sum + value, 0);
    runPhases(kernel, side.updatePhases({ rows: batch(), count }));
    for (let t = 0; t < 30; t++) {
      const rows = batch();
      const expected = (1 - eta) * traceOf() + (eta / count) * squareSum([[...rows]]);
      runPhases(kernel, side.updatePhases({ rows, count }));
      expect(Math.abs(traceOf() / expected - 1)).toBeLessThan(1e-10);
      // F v = (d + rho) v for each row of R, of length 1: W W' = E.
      const { factor, weighted, rho } = side.lowRank;
      const gram = multiply(rowsOf(weighted, size), transpose(rowsOf(factor, size)));
      const { eigenvalues } = side.state();
      gram.forEach((row, i) =>
        row.forEach((value, j) =>
          expect(Math.abs(value - (i === j ? eigenvalues[i] : 0))).toBeLessThan(1e-9 * eigenvalues[0]),
        ),
      );
      expect(rho).toBeGreaterThan(0);
    }
  });

  it('stays orthonormal where rows span fewer dimensions than its rank, or none', () => {
    const size = 10;
    for (const precision of ['float32', 'float64'] as const) {
      const side = new OnlineLowRank(size, options, precision);
      for (let t = 0; t < 40; t++) {
        const rows = (
          precision === 'float32' ? new Float32Array(6 * size) : new Float64Array(6 * size)
        ) as FloatArray;
        for (let r = 0; r < 6 && t % 4 !== 3; r++) rows[r * size + 2] = 1 + r;
        runPhases(kernel, side.updatePhases({ rows, count: 6 }));
        const { factor, weighted } = side.lowRank;
        const { eigenvalues } = side.state();
        const gram = multiply(rowsOf(weighted, size), transpose(rowsOf(factor, size)));
        gram.forEach((row, i) =>
          row.forEach((value, j) =>
            expect(
              Math.abs(value / Math.sqrt(eigenvalues[i] * eigenvalues[j]) - (i === j ? 1 : 0)),
            ).toBeLessThan(5e-2),
          ),
        );
      }
    }
  });

  it('leaves F as it was when a batch is not finite', () => {
    const side = new OnlineLowRank(8, options, 'float32');
    const batch = stream(8, 6, 3);
    for (let t = 0; t < 4; t++)
      runPhases(kernel, side.updatePhases({ rows: Float32Array.from(batch()), count: 6 }));
    const before = side.state().next.slice();
    runPhases(kernel, side.updatePhases({ rows: new Float32Array(48).fill(1e30), count: 6 }));
    expect(side.state().next).toEqual(before);
    expect(side.gamma[0]).toBe(1);
  });

  const [n, m] = [5, 4];
  const layer = (bias = true) =>
    new OnlineNaturalGradientBlock({
      shape: { names: ['kernel', 'bias'].slice(0, bias ? 2 : 1), shapes: [[n, m], ...(bias ? [[m]] : [])] },
      inputSize: n,
      outputSize: m,
      bias,
      precision: 'float64',
      rank: 3,
      numSamplesHistory: 100,
    });

  it('preconditions the gradient of a layer as it does the rows that it is made of', () => {
    // Oracle: V = X' D with X and D preconditioned row by row by the dense reference.
    const block = layer();
    const [inputs, outputs] = [
      new Simple(n + 1, 3, { ...options, rank: 3, numSamplesHistory: 100 }),
      new Simple(m, 3, { ...options, rank: 3, numSamplesHistory: 100 }),
    ];
    const [x, g] = [stream(n, 8, 4), stream(m, 8, 5)];
    for (let t = 0; t < 12; t++) {
      const [data, gradients] = [x(), g()];
      feed(kernel, block, {
        examples: 8,
        activations: [{ data, rows: 8, columns: n }],
        outputGradients: [{ data: gradients.map((value) => value / 8), rows: 8, columns: m }],
        gradientScale: 8,
      });
      refresh(kernel, block, 1);
      const X = rowsOf(data, n).map((row) => [...row, 1]);
      const D = rowsOf(gradients, m);
      const V = flat(multiply(transpose(X), D));
      const expected = flat(multiply(transpose(inputs.take(X)), outputs.take(D)));
      const directions = precondition(kernel, block, [V.slice(0, n * m), V.slice(n * m)]);
      expect(relativeError([...directions[0], ...directions[1]], expected)).toBeLessThan(1e-8);
    }
    const dense = block.toDense();
    const vector = randomInputs(n + 1, m, 6);
    const products = multiplyBy(kernel, block, [vector.slice(0, n * m), vector.slice(n * m)]);
    const size = (n + 1) * m;
    const expected = vector.map((_, i) =>
      vector.reduce((sum, value, j) => sum + dense[i * size + j] * value, 0),
    );
    expect(relativeError([...products[0], ...products[1]], expected)).toBeLessThan(1e-12);
  });

  it('takes patches by their second moment, and several uses and passes together', () => {
    // Oracle: a 1x1 convolution has its pixels as patches; rows in one use or in two, in one pass or in two of half the weight, are the same.
    const [block, patches, parts] = [layer(), layer(), layer()];
    const [x, g] = [stream(n, 8, 7), stream(m, 8, 8)];
    for (let t = 0; t < 5; t++) {
      const [data, gradients] = [x(), g()];
      const geometry = {
        batch: 2, inHeight: 2, inWidth: 2, channels: n, kernelHeight: 1, kernelWidth: 1, strideHeight: 1, strideWidth: 1,
        dilationHeight: 1, dilationWidth: 1, padTop: 0, padLeft: 0, outHeight: 2, outWidth: 2,
      }; // prettier-ignore
      const outputGradients = [{ data: gradients, rows: 8, columns: m }];
      feed(kernel, block, { examples: 8, activations: [{ data, rows: 8, columns: n }], outputGradients });
      feed(kernel, patches, { examples: 2, activations: [{ data, geometry }], outputGradients });
      const halves = (values: Float64Array, columns: number) => [
        { data: values.slice(0, 4 * columns), rows: 4, columns },
        { data: values.slice(4 * columns), rows: 4, columns },
      ];
      const pass = { weight: 0.5, gradientScale: 1, outputGradients: halves(gradients, m) };
      const statistics = { examples: 4, activations: halves(data, n), passes: [pass, pass] };
      runPhases(kernel, parts.updatePhases([statistics], { decay: 0, scale: 1 }));
    }
    const gradient = [randomInputs(n, m, 9), randomInputs(1, m, 10)];
    const directions = precondition(kernel, block, gradient);
    for (const other of [patches, parts]) {
      precondition(kernel, other, gradient).forEach((values, i) =>
        expect(relativeError(values, directions[i])).toBeLessThan(1e-9),
      );
    }
  });

  it('leaves a layer with one output and one input as it is but for its norm', () => {
    const block = new OnlineNaturalGradientBlock({
      shape: { names: ['kernel'], shapes: [[1, 1]] },
      inputSize: 1,
      outputSize: 1,
      bias: false,
      precision: 'float64',
    });
    const rows = { data: Float64Array.of(1, 2, 3), rows: 3, columns: 1 };
    feed(kernel, block, { examples: 3, activations: [rows], outputGradients: [rows] });
    expect(precondition(kernel, block, [Float64Array.of(0.7)])[0]).toEqual(Float64Array.of(0.7));
  });

  it('goes along the axes of any variable, one after the other', () => {
    // Oracle: the dense reference on the fibres of the gradient in each direction; the result of one axis is what the next one sees.
    const shape = [3, 2, 4];
    const own = { ...options, rank: 2, numSamplesHistory: 50 };
    const block = new OnlineAxesBlock({
      shape: { names: ['w', 'b'], shapes: [shape, [1]] },
      precision: 'float64',
      rank: 2,
      numSamplesHistory: 50,
    });
    const sides = shape.map((size) => new Simple(size, Math.min(2, size - 1), own));
    const next = stream(24, 1, 11);
    for (let t = 0; t < 15; t++) {
      const gradient = next();
      feed(kernel, block, {
        examples: 4,
        scores: [gradient.map((value) => value / 4), Float64Array.of(3)],
        gradientScale: 4,
      });
      refresh(kernel, block, 1);
      let values = gradient;
      shape.forEach((size, dimension) => {
        const inner = shape.slice(dimension + 1).reduce((product, length) => product * length, 1);
        // Index of element k of fibre f.
        const at = (f: number, k: number) => (Math.floor(f / inner) * size + k) * inner + (f % inner);
        const fibres = Array.from({ length: 24 / size }, (_, f) =>
          Array.from({ length: size }, (__, k) => values[at(f, k)]),
        );
        const result = new Float64Array(24);
        sides[dimension]
          .take(fibres)
          .forEach((row, f) => row.forEach((value, k) => (result[at(f, k)] = value)));
        values = result;
      });
      const directions = precondition(kernel, block, [gradient, Float64Array.of(0.5)]);
      expect(relativeError(directions[0], values)).toBeLessThan(1e-8);
      expect([...directions[1]]).toEqual([0.5]);
    }
    const dense = block.toDense();
    const vectors = [randomInputs(6, 4, 12), Float64Array.of(2)];
    const joined = [...vectors[0], ...vectors[1]];
    const expected = joined.map((_, i) =>
      joined.reduce((sum, value, j) => sum + dense[i * 25 + j] * value, 0),
    );
    const products = multiplyBy(kernel, block, vectors);
    expect(relativeError([...products[0], ...products[1]], expected)).toBeLessThan(1e-12);
  });
});
