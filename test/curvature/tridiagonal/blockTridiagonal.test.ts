import { BlockTridiagonalBlock } from '../../../src/curvature/tridiagonal/blockTridiagonal';
import { KroneckerFactoredBlock } from '../../../src/curvature/kronecker/kroneckerFactored';
import type { FloatArray, Kernels } from '../../../src/linalg/jobs';
import { kernels } from '../../../src/linalg/kernels';
import { feed, multiplyBy, once, precondition, refresh, type Batch } from '../../support/blocks';
import {
  blocks,
  crossMoment,
  fromRows,
  identity,
  inverse,
  jacobi,
  kronecker,
  matrix,
  plus,
  scaled,
  times,
  trace,
  transpose,
  type Matrix,
} from '../../support/dense';
import { noise, randomInputs } from '../../support/denseNet';
import { relativeError } from '../../support/matrices';

const lambda = 0.3;
/** Inputs (without the homogeneous coordinate) and outputs of three layers, the second without a bias. */
const links = [
  { inputSize: 3, outputSize: 3, bias: true },
  { inputSize: 3, outputSize: 3, bias: false },
  { inputSize: 2, outputSize: 2, bias: true },
];

/** Rows that are correlated from layer to layer, as those of a network are. */
function correlated(rows: number, widths: number[], seed: number): Matrix[] {
  const next = noise(seed);
  const result: Matrix[] = [];
  widths.forEach((width, l) => {
    const mixing = matrix(widths[l - 1] ?? 1, width, next);
    const own = matrix(rows, width, next);
    result.push(l === 0 ? own : plus(scaled(own, 0.5), times(result[l - 1], mixing)));
  });
  return result;
}

function batchOf(inputs: Matrix[], gradients: Matrix[]): Batch[] {
  const rowsOf = (x: Matrix) => ({ data: Float64Array.from(x.flat()), rows: x.length, columns: x[0].length });
  return inputs.map((x, l) => {
    return { examples: x.length, activations: [rowsOf(x)], outputGradients: [rowsOf(gradients[l])] };
  });
}

function blockOf(some = links): BlockTridiagonalBlock {
  const shapes = some.flatMap(({ inputSize, outputSize, bias }) =>
    bias ? [[inputSize, outputSize], [outputSize]] : [[inputSize, outputSize]],
  );
  const names = shapes.map((_, i) => `variable${i}`);
  return new BlockTridiagonalBlock({ shape: { names, shapes }, links: some, precision: 'float64' });
}

const homogeneous = (x: Matrix, l: number, some = links) => (some[l].bias ? x.map((row) => [...row, 1]) : x);

/** Inputs, gradients and what section 4.3 of the paper makes of them, with dense matrices over elements in row-major order. */
function paper(rows = 200, damping = lambda) {
  const inputs = correlated(
    rows,
    links.map(({ inputSize }) => inputSize),
    1,
  );
  const gradients = correlated(
    rows,
    links.map(({ outputSize }) => outputSize),
    2,
  );
  const extended = inputs.map((x, l) => homogeneous(x, l));
  const all = [0, 1, 2];
  const A = all.map((i) => all.map((j) => crossMoment(extended[i], extended[j])));
  const G = all.map((i) => all.map((j) => crossMoment(gradients[i], gradients[j])));
  const undamped = all.map((i) => all.map((j) => kronecker(A[i][j], G[i][j])));
  for (const i of all) {
    const pi = Math.sqrt(trace(A[i][i]) / A[i][i].length / (trace(G[i][i]) / G[i][i].length));
    A[i][i] = plus(A[i][i], identity(A[i][i].length), pi * Math.sqrt(damping));
    G[i][i] = plus(G[i][i], identity(G[i][i].length), Math.sqrt(damping) / pi);
  }
  const F = all.map((i) => all.map((j) => kronecker(A[i][j], G[i][j])));
  const Psi = [0, 1].map((i) => times(F[i][i + 1], inverse(F[i + 1][i + 1])));
  const Sigma = all.map((i) =>
    i === 2 ? F[2][2] : plus(F[i][i], times(Psi[i], F[i + 1][i + 1], transpose(Psi[i])), -1),
  );
  const zero = (i: number, j: number) => matrix(F[i][i].length, F[j][j].length, () => 0);
  const Xi = blocks(
    all.map((i) =>
      all.map((j) => (i === j ? identity(F[i][i].length) : j === i + 1 ? scaled(Psi[i], -1) : zero(i, j))),
    ),
  );
  const Lambda = blocks(all.map((i) => all.map((j) => (i === j ? inverse(Sigma[i]) : zero(i, j)))));
  return { inputs, gradients, F, undamped, Psi, Sigma, inverse: times(transpose(Xi), Lambda, Xi) };
}

/** One vector over all variables as their arrays, and back. */
function split(vector: ArrayLike<number>, block = blockOf()): FloatArray[] {
  let begin = 0;
  return block.shape.shapes.map((shape) => {
    const size = shape.reduce((product, n) => product * n, 1);
    return Float64Array.from(vector).slice(begin, (begin += size));
  });
}

const joined = (parts: FloatArray[]) => parts.flatMap((part) => [...part]);

const column = (values: number[]): Matrix => values.map((x) => [x]);

describe.each(['cpu', 'reference'] as const)('BlockTridiagonalBlock on the %s kernels', (backend) => {
  let kernel: Kernels;
  beforeAll(() => (kernel = kernels(backend)));

  function inverseInUse(block: BlockTridiagonalBlock, n: number): Matrix {
    return transpose(identity(n).map((unit) => joined(precondition(kernel, block, split(unit)))));
  }

  it('is the inverse of a matrix that has the factors on its three central diagonals', () => {
    // Oracle: the four facts of Martens & Grosse 2015, section 4.3, checked with dense elimination in float64.
    const expected = paper();
    const block = blockOf();
    feed(kernel, block, batchOf(expected.inputs, expected.gradients));
    expect(refresh(kernel, block, lambda).failures).toBe(0);
    const sizes = expected.F.map((row, i) => row[i].length);
    const total = sizes.reduce((sum, n) => sum + n, 0);
    const got = inverseInUse(block, total);

    // Application in matrix form is the dense product with Xi' Lambda Xi.
    expect(relativeError(got.flat(), expected.inverse.flat())).toBeLessThan(1e-9);
    // Its (1, 3) block is zero.
    const outer = got.slice(0, sizes[0]).map((row) => row.slice(sizes[0] + sizes[1]));
    expect(Math.max(...outer.flat().map(Math.abs))).toBe(0);
    // The matrix itself reproduces F_ii and F_i,i+1.
    const dense = inverse(got);
    const part = (i: number, j: number) => {
      const begin = (k: number) => sizes.slice(0, k).reduce((sum, n) => sum + n, 0);
      return dense.slice(begin(i), begin(i + 1)).map((row) => row.slice(begin(j), begin(j + 1)));
    };
    for (const [i, j] of [[0, 0], [1, 1], [2, 2], [0, 1], [1, 2], [1, 0]]) {
      expect(relativeError(part(i, j).flat(), expected.F[i][j].flat())).toBeLessThan(1e-9);
    } // prettier-ignore
    // It and every Sigma are positive definite.
    const symmetric = scaled(plus(got, transpose(got)), 0.5);
    expect(relativeError(symmetric.flat(), got.flat())).toBeLessThan(1e-12);
    for (const sigma of [symmetric, ...expected.Sigma]) {
      expect(Math.min(...jacobi(sigma).values)).toBeGreaterThan(0);
    }
  });

  it('without correlation between layers is K-FAC, layer by layer', () => {
    // Oracle: with Psi = 0 the formulas are those of KroneckerFactoredBlock.
    const { inputs, gradients } = paper();
    const block = blockOf();
    feed(kernel, block, batchOf(inputs, gradients));
    for (const [name, array] of Object.entries(block.state())) if (name.startsWith('cross')) array.fill(0);
    refresh(kernel, block, lambda);
    const vector = randomInputs(12 + 9 + 6, 1, 3);
    const got = precondition(kernel, block, split(vector));
    let variable = 0;
    links.forEach((link, l) => {
      const count = link.bias ? 2 : 1;
      const shapes = block.shape.shapes.slice(variable, variable + count);
      const single = new KroneckerFactoredBlock({
        ...link, shape: { names: shapes.map(String), shapes }, precision: 'float64',
      }); // prettier-ignore
      feed(kernel, single, batchOf(inputs, gradients)[l]);
      refresh(kernel, single, lambda);
      const expected = precondition(kernel, single, split(vector).slice(variable, variable + count));
      expect(relativeError(joined(got.slice(variable, variable + count)), joined(expected))).toBeLessThan(
        1e-9,
      );
      variable += count;
    });
  });

  it('multiplies by the matrix less its damping, and shows it', () => {
    // Oracle: the dense matrix whose inverse is Xi' Lambda Xi, with the damped diagonal blocks replaced by undamped ones.
    const expected = paper();
    const block = blockOf();
    feed(kernel, block, batchOf(expected.inputs, expected.gradients));
    refresh(kernel, block, lambda);
    const dense = inverse(expected.inverse);
    let begin = 0;
    expected.undamped.forEach((row, i) => {
      row[i].forEach((values, k) => values.forEach((x, l) => (dense[begin + k][begin + l] = x)));
      begin += row[i].length;
    });
    expect(relativeError(block.toDense(), dense.flat())).toBeLessThan(1e-9);
    const vector = [...randomInputs(dense.length, 1, 4)];
    const got = joined(multiplyBy(kernel, block, split(vector)));
    expect(relativeError(got, times(dense, column(vector)).flat())).toBeLessThan(1e-9);
  });

  it('averages cross moments as it does moments, over batches and over backward passes', () => {
    // Oracle: two half batches with weights 1/2 are the whole batch, and so are two passes with the same inputs.
    const { inputs, gradients } = paper(8);
    const half = (x: Matrix[], begin: number) => x.map((rows) => rows.slice(begin, begin + 4));
    const whole = blockOf();
    feed(kernel, whole, batchOf(inputs, gradients));
    const halves = blockOf();
    feed(kernel, halves, batchOf(half(inputs, 0), half(gradients, 0)));
    feed(kernel, halves, batchOf(half(inputs, 4), half(gradients, 4)), { decay: 0.5, scale: 0.5 });
    expect(
      relativeError(joined(Object.values(halves.state())), joined(Object.values(whole.state()))),
    ).toBeLessThan(1e-14);
    const passes = blockOf();
    const [first, second] = [0, 4].map((begin) => batchOf(half(inputs, 0), half(gradients, begin)));
    const statistics = first.map(({ examples, activations, outputGradients }, l) => ({
      examples,
      activations,
      passes: [
        { weight: 0.25, gradientScale: 1, outputGradients },
        { weight: 0.75, gradientScale: 2, outputGradients: second[l].outputGradients },
      ],
    }));
    for (const phase of passes.updatePhases(statistics, once)) kernel.run([phase.jobs]);
    const [g0, g1] = [half(gradients, 0), half(gradients, 4)];
    const expected = plus(scaled(crossMoment(g0[0], g0[1]), 0.25), crossMoment(g1[0], g1[1]), 0.75 * 4);
    expect(relativeError(passes.state().crossG0, expected.flat())).toBeLessThan(1e-14);
  });

  it('takes the patches of a convolution as rows, for those of the next one too', () => {
    // Oracle: the same rows written out.
    const image = (channels: number, seed: number) => randomInputs(2 * 3 * 3, channels, seed);
    const geometry = (channels: number) => ({
      batch: 2, inHeight: 3, inWidth: 3, channels, kernelHeight: 3, kernelWidth: 3, strideHeight: 1, strideWidth: 1,
      dilationHeight: 1, dilationWidth: 1, padTop: 1, padLeft: 1, outHeight: 3, outWidth: 3,
    }); // prettier-ignore
    const patches = (data: Float64Array, channels: number): Matrix =>
      matrix(18, 9 * channels, (row, at) => {
        const [n, y, x] = [Math.floor(row / 9), Math.floor(row / 3) % 3, row % 3];
        const [ky, kx, c] = [Math.floor(at / (3 * channels)), Math.floor(at / channels) % 3, at % channels];
        const [v, u] = [y + ky - 1, x + kx - 1];
        return v < 0 || v > 2 || u < 0 || u > 2 ? 0 : data[((n * 3 + v) * 3 + u) * channels + c];
      });
    const convolutions = [
      { inputSize: 9, outputSize: 2, bias: true },
      { inputSize: 18, outputSize: 2, bias: true },
    ];
    const images = [image(1, 5), image(2, 6)];
    const gradients = [7, 8].map((seed) => fromRows(randomInputs(18, 2, seed), 18));
    const rows = batchOf([patches(images[0], 1), patches(images[1], 2)], gradients);
    const [asRows, asImages] = [blockOf(convolutions), blockOf(convolutions)];
    feed(
      kernel,
      asRows,
      rows.map((part) => ({ ...part, examples: 2 })),
    );
    feed(
      kernel,
      asImages,
      rows.map(({ outputGradients }, l) => {
        return {
          examples: 2,
          activations: [{ data: images[l], geometry: geometry(l + 1) }],
          outputGradients,
        };
      }),
    );
    expect(
      relativeError(joined(Object.values(asImages.state())), joined(Object.values(asRows.state()))),
    ).toBeLessThan(1e-14);
  });

  it('inverts the factors of fewer examples than rows, and of layers that are dead', () => {
    const { inputs, gradients } = paper(1);
    const block = blockOf();
    const dead = gradients.map((rows, l) => (l === 0 ? rows.map((row) => row.map(() => 0)) : rows));
    feed(kernel, block, batchOf(inputs, dead));
    expect(refresh(kernel, block, 1e-3).failures).toBe(0);
    const vector = randomInputs(27, 1, 9);
    const got = joined(precondition(kernel, block, split(vector)));
    expect(got.every(Number.isFinite)).toBe(true);
    expect(got.reduce((sum, x, i) => sum + x * vector[i], 0)).toBeGreaterThan(0);
  });

  it('keeps the previous inverses when a refresh fails, and starts from I / damping when there are none', () => {
    const { inputs, gradients } = paper();
    const block = blockOf();
    const vector = randomInputs(27, 1, 10);
    block.state().momentA0.fill(NaN);
    expect(refresh(kernel, block, 0.5)).toMatchObject({ overflowed: true });
    const plain = joined(precondition(kernel, block, split(vector)));
    expect(relativeError(plain, vector.map((x) => x / 0.5))).toBeLessThan(1e-12); // prettier-ignore
    block.restart();
    feed(kernel, block, batchOf(inputs, gradients));
    refresh(kernel, block, 0.5);
    const good = precondition(kernel, block, split(vector));
    block.state().crossG1.fill(NaN);
    expect(refresh(kernel, block, 0.5).failures).toBeGreaterThan(0);
    expect(precondition(kernel, block, split(vector))).toEqual(good);
  });
});
