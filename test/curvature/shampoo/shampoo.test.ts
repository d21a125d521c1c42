import { ShampooBlock, type ShampooOptions } from '../../../src/curvature/shampoo/shampoo';
import type { FloatArray, Kernels } from '../../../src/linalg/jobs';
import { kernels } from '../../../src/linalg/kernels';
import { feed, multiplyBy, precondition, refresh } from '../../support/blocks';
import {
  fromRows,
  identity,
  jacobi,
  kronecker,
  matrix,
  plus,
  scaled,
  spectral,
  times,
  transpose,
  type Matrix,
} from '../../support/dense';
import { randomInputs } from '../../support/denseNet';
import { relativeError } from '../../support/matrices';

const damping = 1e-3;
const average = { decay: 0.6, scale: 0.4 };

function blockOf(shapes: number[][], options: Partial<ShampooOptions> = {}): ShampooBlock {
  const shape = { names: shapes.map((_, i) => `variable${i}`), shapes };
  return new ShampooBlock({ shape, precision: 'float64', ...options });
}

/** L or R of gradients V in order: `decay L + scale V V'` from the first, which counts fully. */
function moment(gradients: Matrix[], side: 'left' | 'right'): Matrix {
  return gradients
    .map((v) => (side === 'left' ? times(v, transpose(v)) : times(transpose(v), v)))
    .reduce((sum, own) => plus(scaled(sum, average.decay), own, average.scale));
}

/** (M + damping)^-exponent. */
const root = (m: Matrix, exponent: number) =>
  spectral(plus(m, identity(m.length), damping), (x) => x ** -exponent);

const batchOf = (...gradients: FloatArray[]) => {
  // Scores are sums over the batch: four examples make four times the gradient of the mean loss.
  return { examples: 4, scores: gradients.map((gradient) => gradient.map((x) => 4 * x)) };
};

function fed(kernel: Kernels, block: ShampooBlock, batches: FloatArray[][]): void {
  batches.forEach((gradients, i) => {
    feed(kernel, block, batchOf(...gradients), i === 0 ? { decay: 0, scale: 1 } : average);
  });
  expect(refresh(kernel, block, damping).failures).toBe(0);
}

describe.each(['cpu', 'reference'] as const)('ShampooBlock on the %s kernels', (backend) => {
  let kernel: Kernels;
  beforeAll(() => (kernel = kernels(backend)));

  const batches = [1, 2, 3].map((seed) => randomInputs(5, 3, seed));
  const gradients = batches.map((values) => fromRows(values, 5));

  it.each([0.25, 0.5] as const)('multiplies a matrix by both roots with exponent %d', (exponent) => {
    // Oracle: (L + damping)^-e V (R + damping)^-e by an eigendecomposition in float64 (Gupta, Koren & Singer 2018, algorithm 1).
    const block = blockOf([[5, 3]], { exponent });
    fed(
      kernel,
      block,
      batches.map((batch) => [batch]),
    );
    const v = randomInputs(5, 3, 4);
    const [L, R] = [moment(gradients, 'left'), moment(gradients, 'right')];
    const expected = times(root(L, exponent), fromRows(v, 5), root(R, exponent));
    const [got] = precondition(kernel, block, [v]);
    expect(relativeError(got, expected.flat())).toBeLessThan(1e-9);
    // The matrix behind it, without damping: L^e (x) R^e.
    const power = (m: Matrix) => spectral(m, (x) => Math.max(x, 0) ** exponent);
    const dense = kronecker(power(L), power(R));
    // L has rank 3 only when the first batch is alone; with three batches it is full.
    expect(relativeError(block.toDense(), dense.flat())).toBeLessThan(1e-9);
    const [product] = multiplyBy(kernel, block, [v]);
    expect(relativeError(product, times(dense, [...v].map((x) => [x])).flat())).toBeLessThan(1e-9); // prettier-ignore
  });

  it.each([[[7]], [[1, 7]], [[7, 1]]])(
    'treats %p as a vector, with one factor and twice the exponent',
    (shape) => {
      // Oracle: (E[v v'] + damping)^-1/2 v, Shampoo of order 1.
      const vectors = [5, 6, 7].map((seed) => randomInputs(1, 7, seed));
      const block = blockOf([shape]);
      fed(
        kernel,
        block,
        vectors.map((vector) => [vector]),
      );
      const v = randomInputs(1, 7, 8);
      const R = moment(
        vectors.map((vector) => [[...vector]]),
        'right',
      );
      const expected = times([[...v]], root(R, 0.5));
      expect(relativeError(precondition(kernel, block, [v])[0], expected.flat())).toBeLessThan(1e-9);
      expect(block.summary().matrices).toBe('7 x 7');
    },
  );

  it('folds the leading axes of a kernel, and has factors of their own for several variables', () => {
    const shapes = [[2, 2, 3, 4], [4]];
    const block = blockOf(shapes);
    const [w, b] = [randomInputs(12, 4, 9), randomInputs(1, 4, 10)];
    fed(kernel, block, [[w, b]]);
    expect(block.summary().matrices).toBe('12 x 12, 4 x 4, 4 x 4');
    const V = fromRows(w, 12);
    const expected = times(root(times(V, transpose(V)), 0.25), V, root(times(transpose(V), V), 0.25));
    expect(relativeError(precondition(kernel, block, [w, b])[0], expected.flat())).toBeLessThan(1e-9);
  });

  it('cuts a large matrix into blocks, which are matrices of their own', () => {
    // Oracle: a block each for the parts.
    const block = blockOf([[5, 3]], { blockSize: 2 });
    fed(
      kernel,
      block,
      batches.map((batch) => [batch]),
    );
    const v = fromRows(randomInputs(5, 3, 4), 5);
    const [got] = precondition(kernel, block, [Float64Array.from(v.flat())]);
    const expected = matrix(5, 3, () => 0);
    for (const rows of [[0, 1], [2, 3], [4]]) {
      for (const columns of [[0, 1], [2]]) {
        const part = (m: Matrix) => rows.map((r) => columns.map((c) => m[r][c]));
        const parts = gradients.map(part);
        const own = times(root(moment(parts, 'left'), 0.25), part(v), root(moment(parts, 'right'), 0.25));
        rows.forEach((r, k) => columns.forEach((c, l) => (expected[r][c] = own[k][l])));
      }
    }
    expect(relativeError(got, expected.flat())).toBeLessThan(1e-9);
  });

  it('takes the step of Adam in the eigenbases, for several batches', () => {
    // Oracle: SOAP (Vyas et al. 2024, algorithm 3) written out with Jacobi's eigenvectors: v is Adam's corrected second moment of the
    // rotated gradients. Signs of eigenvectors cancel; the bases stay those of the first refresh.
    const [beta2, epsilon] = [0.9, 1e-3];
    const block = blockOf([[5, 3]], { basis: 'eigen', beta2, epsilon });
    fed(kernel, block, [[batches[0]], [batches[1]]]);
    const L = moment(gradients.slice(0, 2), 'left');
    const R = moment(gradients.slice(0, 2), 'right');
    // Ranks below 5 would leave the eigenvectors of L undetermined.
    expect(Math.min(...jacobi(L).values)).toBeGreaterThan(1e-6);
    const [QL, QR] = [jacobi(L).vectors, jacobi(R).vectors];
    let v = matrix(5, 3, () => 0);
    [11, 12, 13].forEach((seed, t) => {
      const g = randomInputs(5, 3, seed);
      if (t > 0) feed(kernel, block, batchOf(g), average);
      const rotated = times(transpose(QL), fromRows(g, 5), QR);
      v = v.map((row, i) => row.map((x, j) => beta2 * x + (1 - beta2) * rotated[i][j] ** 2));
      const step = rotated.map((row, i) =>
        row.map((x, j) => x / (Math.sqrt(v[i][j] / (1 - beta2 ** (t + 1)) + damping) + epsilon)),
      );
      const expected = times(QL, step, transpose(QR)).flat();
      expect(relativeError(precondition(kernel, block, [g])[0], expected)).toBeLessThan(1e-9);
      // A second call with the same batch changes nothing.
      expect(relativeError(precondition(kernel, block, [g])[0], expected)).toBeLessThan(1e-9);
    });
    const dense = times(
      kronecker(QL, QR),
      matrix(15, 15, (i, j) => (i === j ? Math.sqrt(v[Math.floor(i / 3)][i % 3] / (1 - beta2 ** 3)) : 0)),
      transpose(kronecker(QL, QR)),
    );
    expect(relativeError(block.toDense(), dense.flat())).toBeLessThan(1e-9);
  });

  it.each(['sgd', 'rmsprop', 'adam'] as const)('gives the direction the length of %s', (grafting) => {
    // Oracle: the norms of g, g / (sqrt(v) + epsilon) and the same with v / (1 - beta2^t), per variable, over two batches.
    const [beta2, epsilon] = [0.9, 1e-3];
    const shapes = [[5, 3], [3]];
    const block = blockOf(shapes, { grafting, beta2, epsilon });
    const plain = blockOf(shapes);
    const v = shapes.map((shape) => new Float64Array(shape.reduce((a, b) => a * b)));
    [14, 15].forEach((seed, t) => {
      const g = [randomInputs(5, 3, seed), randomInputs(1, 3, seed + 10)];
      for (const each of [block, plain]) {
        feed(kernel, each, batchOf(...g), t === 0 ? { decay: 0, scale: 1 } : average);
        refresh(kernel, each, damping);
      }
      const [got, direction] = [block, plain].map((each) => precondition(kernel, each, g));
      g.forEach((values, i) => {
        values.forEach((x, k) => (v[i][k] = beta2 * v[i][k] + (1 - beta2) * x * x));
        const correction = grafting === 'adam' ? 1 - beta2 ** (t + 1) : 1;
        const model = values.map((x, k) =>
          grafting === 'sgd' ? x : x / (Math.sqrt(v[i][k] / correction) + epsilon),
        );
        const scale = Math.hypot(...model) / Math.hypot(...direction[i]);
        expect(relativeError(got[i], direction[i].map((x) => scale * x))).toBeLessThan(1e-12); // prettier-ignore
      });
    });
  });

  it('uses the grafted direction alone up to startStep', () => {
    const block = blockOf([[5, 3]], { grafting: 'adam', startStep: 1, epsilon: 0 });
    fed(kernel, block, [[batches[0]]]);
    // Adam's first step has the size 1 in every element.
    expect(
      relativeError(precondition(kernel, block, [batches[0]])[0], batches[0].map(Math.sign)),
    ).toBeLessThan(1e-12);
    fed(kernel, block, [[batches[1]]]);
    expect(
      relativeError(precondition(kernel, block, [batches[1]])[0], batches[1].map(Math.sign)),
    ).toBeGreaterThan(1e-3);
  });

  it.each(['root', 'eigen'] as const)('keeps what it has when a factor is not finite, basis %s', (basis) => {
    const block = blockOf([[5, 3]], { basis });
    const v = randomInputs(5, 3, 4);
    block.state().momentL0.fill(NaN);
    expect(refresh(kernel, block, 1)).toMatchObject({ overflowed: true });
    const [plain] = precondition(kernel, block, [v]);
    expect(plain.every(Number.isFinite)).toBe(true);
    if (basis === 'root') expect(relativeError(plain, v)).toBeLessThan(1e-12);
    block.restart();
    fed(kernel, block, [[batches[0]]]);
    precondition(kernel, block, [v]);
    const good = precondition(kernel, block, [v]);
    block.state().momentR0.fill(Infinity);
    expect(refresh(kernel, block, damping).failures).toBeGreaterThan(0);
    expect(precondition(kernel, block, [v])).toEqual(good);
  });
});
