import { SingdBlock, type SingdSettings } from '../../../src/curvature/singd/singd';
import type { FloatArray, Kernels } from '../../../src/linalg/jobs';
import { kernels } from '../../../src/linalg/kernels';
import { feed, multiplyBy, precondition, refresh, type Batch } from '../../support/blocks';
import {
  crossMoment,
  fromRows,
  identity,
  inverse,
  kronecker,
  matrix,
  plus,
  scaled,
  times,
  trace,
  transpose,
  type Matrix,
} from '../../support/dense';
import { randomInputs } from '../../support/denseNet';
import { relativeError } from '../../support/matrices';

const lambda = 0.1;
const [inputs, outputs] = [4, 3];
const a = randomInputs(20, inputs, 1);
const g = randomInputs(20, outputs, 2);
const batch: Batch = {
  examples: 20,
  activations: [{ data: a, rows: 20, columns: inputs }],
  outputGradients: [{ data: g, rows: 20, columns: outputs }],
};
const extended = fromRows(a, 20).map((row) => [...row, 1]);
const A = crossMoment(extended, extended);
const G = crossMoment(fromRows(g, 20), fromRows(g, 20));

function blockOf(settings: SingdSettings): SingdBlock {
  return new SingdBlock({
    shape: { names: ['kernel', 'bias'], shapes: [[inputs, outputs], [outputs]] },
    inputSize: inputs,
    outputSize: outputs,
    bias: true,
    precision: 'float64',
    ...settings,
  });
}

const v = randomInputs(inputs + 1, outputs, 3);

function direction(kernel: Kernels, block: SingdBlock): number[] {
  const split = inputs * outputs;
  return precondition(kernel, block, [v.slice(0, split), v.slice(split)]).flatMap((part: FloatArray) => [
    ...part,
  ]);
}

/** Elements of a 5 x 5 (or 3 x 3) matrix that lie in the same block of size 2, zero elsewhere. */
const inBlocks = (m: Matrix) =>
  m.map((row, i) => row.map((x, j) => (Math.floor(i / 2) === Math.floor(j / 2) ? x : 0)));
const onDiagonal = (m: Matrix) => m.map((row, i) => row.map((x, j) => (i === j ? x : 0)));

describe.each(['cpu', 'reference'] as const)('SingdBlock on the %s kernels', (backend) => {
  let kernel: Kernels;
  beforeAll(() => (kernel = kernels(backend)));

  function settled(settings: SingdSettings, refreshes = 200): SingdBlock {
    const block = blockOf({ factorLearningRate: 0.4, ...settings });
    feed(kernel, block, batch);
    for (let i = 0; i < refreshes; i++) expect(refresh(kernel, block, lambda).failures).toBe(0);
    return block;
  }

  it.each([
    ['dense', (m: Matrix) => m],
    ['triangular', (m: Matrix) => m],
    ['blockDiagonal', inBlocks],
    ['diagonal', onDiagonal],
  ] as const)('settles at the damped inverses of both factors when like K-FAC, %s', (factors, seen) => {
    // Oracle: where m = 0, K' (A + lambda I) K = I, so K K' = (A + lambda I)^-1 (section 3 of the paper), of what the structure keeps of A.
    const block = settled({ kfacLike: true, factors, factorBlockSize: 2 });
    const damped = (m: Matrix) => inverse(plus(seen(m), identity(m.length), lambda));
    const expected = times(damped(A), fromRows(v, inputs + 1), damped(G));
    expect(relativeError(direction(kernel, block), expected.flat())).toBeLessThan(1e-6);
    if (factors === 'triangular') {
      const root = fromRows(block.state().rootA, inputs + 1);
      const above = root.flatMap((row, i) => row.slice(i + 1));
      expect(above).toEqual(above.map(() => 0));
      expect(relativeError(times(root, transpose(root)).flat(), damped(A).flat())).toBeLessThan(1e-6);
    }
  });

  it.each([true, false])('settles where both sides agree otherwise, normalised: %p', (normalize) => {
    // Oracle: INGD's fixed point, where m_K = m_C = 0. With S = K K', T = C C':
    // S^-1 = (A tr(G T) + lambda tr(T) I) / dim G and T^-1 = (G tr(A S) + lambda tr(S) I) / dim A, iterated here; S (x) T is determined,
    // its factors up to a number.
    const block = settled({ normalize, factorLearningRate: 0.2 }, 400);
    let [S, T] = [identity(inputs + 1), identity(outputs)];
    for (let i = 0; i < 500; i++) {
      const side = (m: Matrix, other: Matrix, x: Matrix) =>
        inverse(
          scaled(
            plus(scaled(m, trace(times(other, x))), identity(m.length), lambda * trace(x)),
            1 / x.length,
          ),
        );
      S = side(A, G, T);
      T = side(G, A, S);
    }
    expect(relativeError(direction(kernel, block), times(S, fromRows(v, inputs + 1), T).flat())).toBeLessThan(
      1e-6,
    );
  });

  it.each([
    [false, false],
    [true, false],
    [false, true],
    [true, true],
  ])('takes steps as the paper writes them, like K-FAC: %p, normalised: %p', (kfacLike, normalize) => {
    // Oracle: algorithm of the paper (figure 2 and appendix), three refreshes in dense float64.
    const [rate, momentum] = [0.3, 0.6];
    const block = blockOf({ kfacLike, normalize, factorLearningRate: rate, factorMomentum: momentum });
    feed(kernel, block, { ...batch, gradientScale: 3 });
    const scaledG = scaled(G, 9);
    let [K, C] = [identity(inputs + 1), identity(outputs)];
    let [mK, mC] = [K, C].map((m) => matrix(m.length, m.length, () => 0));
    const c = normalize ? (1 - momentum) / 2 : 1 / 2;
    for (let i = 0; i < 3; i++) {
      refresh(kernel, block, lambda);
      const gram = (m: Matrix) => times(transpose(m), m);
      const [HK, HC] = [times(transpose(K), A, K), times(transpose(C), scaledG, C)];
      const advanced = (m: Matrix, H: Matrix, own: Matrix, other: Matrix, otherH: Matrix) => {
        const [s, t] = kfacLike ? [1, 1] : [trace(otherH) / other.length, trace(gram(other)) / other.length];
        const change = plus(plus(scaled(H, s), gram(own), lambda * t), identity(own.length), -1);
        return plus(scaled(m, momentum), change, c);
      };
      [mK, mC] = [advanced(mK, HK, K, C, HC), advanced(mC, HC, C, K, HK)];
      const stepped = (root: Matrix, m: Matrix) => {
        const largest = Math.max(1, ...m.flat().map(Math.abs));
        return plus(root, times(root, m), -rate / (normalize ? largest : 1));
      };
      [K, C] = [stepped(K, mK), stepped(C, mC)];
    }
    const expected = times(K, transpose(K), fromRows(v, inputs + 1), C, transpose(C));
    expect(relativeError(direction(kernel, block), expected.flat())).toBeLessThan(1e-12);
  });

  it.each([
    ['dense', (m: Matrix) => m],
    ['blockDiagonal', inBlocks],
    ['diagonal', onDiagonal],
  ] as const)('multiplies by the undamped factors that it keeps, %s', (factors, seen) => {
    const block = blockOf({ factors, factorBlockSize: 2 });
    feed(kernel, block, batch);
    const dense = kronecker(seen(A), seen(G));
    expect(relativeError(block.toDense(), dense.flat())).toBeLessThan(1e-14);
    const split = inputs * outputs;
    const products = multiplyBy(kernel, block, [v.slice(0, split), v.slice(split)]);
    const expected = times(dense, [...v].map((x) => [x])).flat(); // prettier-ignore
    expect(relativeError([...products[0], ...products[1]], expected)).toBeLessThan(1e-13);
  });

  it('keeps the diagonal of the factor of an embedding, and of convolution patches as of rows', () => {
    const embedding = new SingdBlock({
      shape: { names: ['embeddings'], shapes: [[5, 3]] },
      inputSize: 5,
      outputSize: 3,
      bias: false,
      diagonalInput: true,
      precision: 'float64',
    });
    const indices = Int32Array.from({ length: 20 }, (_, i) => (i * i) % 5);
    feed(kernel, embedding, { ...batch, activations: [{ indices }] });
    const counts = [0, 1, 2, 3, 4].map((k) => indices.filter((index) => index === k).length / 20);
    expect(relativeError(embedding.state().momentA, counts)).toBeLessThan(1e-15);
    expect(embedding.summary().matrices).toBe('diagonal 5, 3 x 3');

    const geometry = {
      batch: 5, inHeight: 2, inWidth: 2, channels: inputs, kernelHeight: 1, kernelWidth: 1, strideHeight: 1, strideWidth: 1,
      dilationHeight: 1, dilationWidth: 1, padTop: 0, padLeft: 0, outHeight: 2, outWidth: 2,
    }; // prettier-ignore
    for (const factors of ['dense', 'diagonal', 'blockDiagonal'] as const) {
      const [rows, images] = [0, 1].map(() => blockOf({ factors, factorBlockSize: 2 }));
      feed(kernel, rows, batch);
      feed(kernel, images, { ...batch, activations: [{ data: a, geometry }] });
      expect(relativeError(images.state().momentA, rows.state().momentA)).toBeLessThan(1e-14);
    }
  });

  it('keeps what it has when a step leaves the range of the numbers', () => {
    const block = settled({}, 5);
    const before = direction(kernel, block);
    block.state().momentA.fill(NaN);
    expect(refresh(kernel, block, lambda)).toMatchObject({ failures: 1, overflowed: true });
    expect(direction(kernel, block)).toEqual(before);
    block.restart();
    feed(kernel, block, batch);
    expect(refresh(kernel, block, lambda)).toMatchObject({ failures: 0, overflowed: false });
  });

  it('starts from the gradient itself', () => {
    const block = blockOf({});
    block.state().momentA.fill(NaN);
    refresh(kernel, block, lambda);
    expect(direction(kernel, block)).toEqual([...v]);
  });
});
