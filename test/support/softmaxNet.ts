/**
 * The small classifier of tfjs with everything that its natural gradient is made of written out in float64: loss gradient and scores from
 * `denseNet`, softmax cross-entropy with targets y, d l / d f = p - y.
 */
import { backward, forward, score, type DenseNet, type Pass } from './denseNet';
import { addOuterProduct, plusDiagonal, solve } from './matrices';

export function softmax(outputs: Float64Array, columns: number): Float64Array {
  const result = outputs.slice();
  for (let begin = 0; begin < result.length; begin += columns) {
    const row = result.subarray(begin, begin + columns);
    const largest = Math.max(...row);
    row.forEach((value, i) => (row[i] = Math.exp(value - largest)));
    const total = row.reduce((sum, value) => sum + value, 0);
    row.forEach((value, i) => (row[i] = value / total));
  }
  return result;
}

/** Per layer the kernel with the bias as its last row, from kernels and biases in turn. */
export function netOf(
  weights: ArrayLike<number>[],
  sizes: number[],
  activation: DenseNet['activation'],
): DenseNet {
  const joined = sizes.slice(1).map((_, l) => {
    return Float64Array.from([...Array.from(weights[2 * l]), ...Array.from(weights[2 * l + 1])]);
  });
  return { sizes, weights: joined, activation };
}

/** The vectors at the outputs whose scores make up the Fisher matrix: the columns of B = diag(sqrt p) - p sqrt(p)', or p - y. */
export function fisherVectors(
  estimator: 'exact' | 'empirical',
  p: Float64Array,
  targets: Float64Array,
  columns: number,
): Float64Array[] {
  if (estimator === 'empirical') return [p.map((value, i) => value - targets[i])];
  return Array.from({ length: columns }, (_, c) =>
    p.map((value, i) => {
      const root = Math.sqrt(p[i - (i % columns) + c]);
      return ((i % columns === c ? 1 : 0) - value) * root;
    }),
  );
}

/** The score of every example over all layers, for one vector per example. */
export function scoresOf(net: DenseNet, pass: Pass, vectors: Float64Array): number[][] {
  const gradients = backward(net, pass, vectors);
  const rows = vectors.length / net.sizes[net.sizes.length - 1];
  return Array.from({ length: rows }, (_, r) =>
    net.weights.flatMap((_, l) => [...score(net, pass, gradients, l, r)]),
  );
}

/** Loss gradient, Fisher matrix over all weights, and where each layer begins. */
export function naturalGradientParts(
  net: DenseNet,
  inputs: Float64Array,
  targets: Float64Array,
  estimator: 'exact' | 'empirical',
): { gradient: Float64Array; fisher: Float64Array; begins: number[] } {
  const pass = forward(net, inputs);
  const columns = net.sizes[net.sizes.length - 1];
  const p = softmax(pass.outputs, columns);
  const examples = p.length / columns;
  const n = net.weights.reduce((sum, { length }) => sum + length, 0);
  const gradient = new Float64Array(n);
  for (const s of scoresOf(
    net,
    pass,
    p.map((value, i) => value - targets[i]),
  )) {
    s.forEach((value, i) => (gradient[i] += value / examples));
  }
  const fisher = new Float64Array(n * n);
  for (const vectors of fisherVectors(estimator, p, targets, columns)) {
    for (const s of scoresOf(net, pass, vectors)) addOuterProduct(fisher, s, 1 / examples);
  }
  const begins = net.weights.map((_, l) =>
    net.weights.slice(0, l).reduce((sum, { length }) => sum + length, 0),
  );
  return { gradient, fisher, begins };
}

/** -(F + lambda I)^-1 gradient by elimination, with F as it is or only its blocks from `begins` on. */
export function naturalStep(
  gradient: Float64Array,
  fisher: Float64Array,
  lambda: number,
  begins: number[] = [0],
): Float64Array {
  const n = gradient.length;
  return Float64Array.from(
    begins.flatMap((begin, b) => {
      const end = begins[b + 1] ?? n;
      const size = end - begin;
      const block = Float64Array.from(
        { length: size * size },
        (_, at) => fisher[(begin + Math.floor(at / size)) * n + begin + (at % size)],
      );
      return [...solve(plusDiagonal(block, lambda), gradient.slice(begin, end))].map((value) => -value);
    }),
  );
}
