import * as tf from '@tensorflow/tfjs';

import {
  blockDiagonal,
  blockTridiagonal,
  diagonalFisher,
  exactNaturalGradient,
  kfac,
  unitWise,
  type NaturalGradientOptimizer,
} from '../../src';
import {
  functionSpaceKernel,
  halfSquaredError,
  isotropy,
  jacobian,
  optimalLearningRate,
  predictedResiduals,
  preconditionedKernel,
  tangentKernels,
  truncatedTridiagonalKernel,
  unitSphereData,
  wideNetwork,
  type Kernel,
} from '../../src/diagnostics';
import { useBackend } from '../support/backends';
import {
  fromRows,
  identity,
  inverse,
  matrix,
  plus,
  spectral,
  times,
  transpose,
  scaled,
  type Matrix,
} from '../support/dense';
import { oneStep } from '../support/exactStep';

const N = 8;
const SIZES = [16, 64, 64, 1];
const LAYERS = 3;

const exactly = {
  ...oneStep,
  fisher: { estimator: 'exact', variance: 1 },
} as const;

type Config = typeof exactly & { damping: number };

const creators: Record<string, (config: Config) => NaturalGradientOptimizer> = {
  exact: (config) => exactNaturalGradient({ ...config, form: 'dual' }),
  blockDiagonal: (config) => blockDiagonal({ ...config, form: 'dual' }),
  blockTridiagonal,
  kfac,
  unitWise: (config) => unitWise({ ...config, form: 'dual', window: N }),
  diagonalFisher,
};

/** The network in float64: a_l and g_l of every example and layer, with f = sum of ... in NTK parametrisation, so that J_l = a_l (x) g_l. */
function passOf(kernels: tf.Variable[], inputs: tf.Tensor2D): { a: Matrix[]; g: Matrix[]; f: Matrix } {
  const weights = kernels.map((kernel) =>
    scaled(fromRows(Float64Array.from(kernel.dataSync()), kernel.shape[0]), 1 / Math.sqrt(kernel.shape[0])),
  );
  const a: Matrix[] = [fromRows(Float64Array.from(inputs.dataSync()), inputs.shape[0])];
  const u: Matrix[] = [];
  weights.forEach((w, l) => {
    u.push(times(a[l], w));
    a.push(u[l].map((row) => row.map((value) => (l < weights.length - 1 ? Math.max(value, 0) : value))));
  });
  const g: Matrix[] = [];
  g[weights.length - 1] = u[weights.length - 1].map((row) => row.map(() => 1));
  for (let l = weights.length - 2; l >= 0; l--) {
    g[l] = times(g[l + 1], transpose(weights[l + 1])).map((row, n) =>
      row.map((value, i) => (u[l][n][i] > 0 ? value : 0)),
    );
  }
  return {
    a,
    g: g.map((rows, l) => scaled(rows, 1 / Math.sqrt(kernels[l].shape[0]))),
    f: u[weights.length - 1],
  };
}

const gram = (x: Matrix): Matrix => scaled(times(x, transpose(x)), 1 / x.length);
const hadamard = (x: Matrix, y: Matrix): Matrix => x.map((row, i) => row.map((value, j) => value * y[i][j]));
/** M (M + damping I)^-1 */
const damped = (m: Matrix, damping: number): Matrix =>
  times(m, inverse(plus(m, identity(m.length), damping)));
const total = (matrices: Matrix[]): Matrix => matrices.reduce((sum, m) => plus(sum, m));
const traceOf = (m: Matrix) => m.reduce((sum, row, i) => sum + row[i], 0);

const asMatrix = ({ values, size }: Kernel): Matrix => fromRows(values, size);
const difference = (x: Matrix, y: Matrix): number =>
  Math.hypot(...plus(x, y, -1).flat()) / Math.hypot(...y.flat());

/** The polynomial through the values at some points, at zero (Neville's scheme). */
function atZero(points: number[], valuesAt: (point: number) => Float64Array): Float64Array {
  let columns = points.map(valuesAt);
  for (let k = 1; k < points.length; k++) {
    columns = columns.slice(1).map((right, i) => {
      const left = columns[i];
      const [x, y] = [points[i], points[i + k]];
      return right.map((value, at) => (x * value - y * left[at]) / (x - y));
    });
  }
  return columns[0];
}

describe('function space', () => {
  let data: { inputs: tf.Tensor2D; targets: tf.Tensor2D };
  let network: ReturnType<typeof wideNetwork>;
  beforeAll(() => useBackend('cpu'));
  // Inputs are multiples of 1/4, weights integers, and the square roots of the sizes powers of two: all that tfjs computes from them takes
  // less than 24 bits, so that its float32 is exact and only what comes after it, in float64, has rounding.
  beforeEach(() => {
    const { inputs, targets } = unitSphereData(N, SIZES[0], 1);
    data = { inputs: tf.tidy(() => inputs.mul(16).round().div(4).add<tf.Tensor2D>(0)), targets };
    inputs.dispose();
    network = wideNetwork(SIZES, 1);
    network.kernels.forEach((kernel) => tf.tidy(() => kernel.assign(kernel.round())));
  });
  afterEach(() => {
    network.dispose();
    tf.dispose([data.inputs, data.targets]);
  });

  const thetas = () => {
    const { a, g } = passOf(network.kernels, data.inputs);
    return a.slice(0, LAYERS).map((rows, l) => scaled(hadamard(gram(rows), gram(g[l])), N));
  };
  const meanEigenvalue = () => traceOf(total(thetas())) / N;

  function kernelOf(name: string, damping: number): Kernel {
    const optimizer = creators[name]({ ...exactly, damping });
    const loss = () => halfSquaredError(network.predict(data.inputs), data.targets);
    const { value, grads } = optimizer.computeGradients(loss, network.kernels);
    tf.dispose([value, grads]);
    const kernel = functionSpaceKernel(optimizer, network.predict, data.inputs, network.kernels);
    optimizer.dispose();
    return kernel;
  }

  it('has the tangent kernels of the network: J_l J_l^T / N = N (a a^T / N) * (g g^T / N), by layer', () => {
    const found = jacobian(network.predict, data.inputs, network.kernels);
    tangentKernels(found).forEach((kernel, l) => {
      expect(difference(asMatrix(kernel), thetas()[l])).toBeLessThan(1e-14);
    });
    // Nothing was rounded on the way.
    const { a, g, f } = passOf(network.kernels, data.inputs);
    expect(Array.from(found.values)).toEqual(f.flat());
    network.kernels.forEach(({ name }, l) => {
      const rows = found.rows.map((row) => Array.from(row[name]));
      const products = a[l].map((inputs, n) => inputs.flatMap((x) => g[l][n].map((y) => x * y)));
      expect(difference(rows, products)).toBe(0);
    });
  });

  it('has the outputs and the rows of a model, [N, C]', () => {
    const model = tf.sequential({ layers: [tf.layers.dense({ units: 2, inputShape: [16] })] });
    const found = jacobian(model, data.inputs);
    expect([found.examples, found.outputs, found.rows.length]).toEqual([N, 2, 2 * N]);
    // d f_1 / d W = x in column 1, d f_1 / d b = (0, 1).
    const [kernel, bias] = model.weights.map(({ name }) => name);
    const x = data.inputs.dataSync<'float32'>();
    const row = 2 * 3 + 1;
    expect(found.rows[row][bias]).toEqual(Float32Array.of(0, 1));
    expect(found.rows[row][kernel].filter((_, i) => i % 2 === 1)).toEqual(x.slice(16 * 3, 16 * 4));
  });

  it.each([0.1, 1e-3])(
    'is what the formulas in dual form say with damping %f of the mean eigenvalue',
    (relative) => {
      const damping = relative * meanEigenvalue();
      const layers = thetas();
      // Exact: V diag(w / (w + damping)) V'. Block-diagonal: the sum over layers of the same.
      expect(difference(asMatrix(kernelOf('exact', damping)), damped(total(layers), damping))).toBeLessThan(
        1e-10,
      );
      const blocks = total(layers.map((theta) => damped(theta, damping)));
      expect(difference(asMatrix(kernelOf('blockDiagonal', damping)), blocks)).toBeLessThan(1e-10);
      // K-FAC: (1/N) (a A^-1 a') * (g G^-1 g') with a (A + c I)^-1 a' = N S (S + c I)^-1, S = a a' / N, and pi of the traces.
      const { a, g } = passOf(network.kernels, data.inputs);
      const factored = total(
        layers.map((_, l) => {
          const [s, t] = [gram(a[l]), gram(g[l])];
          const pi = Math.sqrt(traceOf(s) / a[l][0].length / (traceOf(t) / g[l][0].length));
          const root = Math.sqrt(damping);
          return scaled(hadamard(damped(s, pi * root), damped(t, root / pi)), N);
        }),
      );
      expect(difference(asMatrix(kernelOf('kfac', damping)), factored)).toBeLessThan(1e-10);
      // Unit-wise: for every unit its own kernel, all added up.
      const units = total(
        layers.flatMap((_, l) =>
          g[l][0].map((__, i) => {
            const own = g[l].map((row) => [row[i]]);
            return damped(scaled(hadamard(gram(a[l]), gram(own)), N), damping);
          }),
        ),
      );
      expect(difference(asMatrix(kernelOf('unitWise', damping)), units)).toBeLessThan(1e-10);
      // Diagonal: sum over weights of J_i J_i' / N / (F_ii + damping).
      const diagonal = total(
        layers.flatMap((_, l) =>
          a[l][0].flatMap((__, i) =>
            g[l][0].map((___, j) => {
              const column = a[l].map((row, n) => [row[i] * g[l][n][j]]);
              const fisher = column.reduce((sum, [value]) => sum + (value * value) / N, 0);
              return scaled(gram(column), N / N / (fisher + damping));
            }),
          ),
        ),
      );
      expect(difference(asMatrix(kernelOf('diagonalFisher', damping)), diagonal)).toBeLessThan(1e-10);
    },
  );

  // K = alpha I without damping (Karakida & Osawa 2020). A damping x w changes it by a power series in x, or in its root where it is split
  // between two factors, so that the limit is read off dampings that float64 bears.
  it.each([
    ['exact', 1, 1],
    ['blockDiagonal', 1, LAYERS],
    ['kfac', 2, (LAYERS - 1) * N + 1],
    ['blockTridiagonal', 2, N],
  ])('is isotropic with %s in the limit of no damping', (name, power, alpha) => {
    const w = meanEigenvalue();
    const kernel = atZero(
      [1, 1 / 2, 1 / 4, 1 / 8].map((x) => 1e-4 * x),
      (x) => kernelOf(name, x ** power * w).values,
    );
    const found = isotropy({ values: kernel, size: N });
    expect(found.deviation).toBeLessThan(1e-8);
    expect(Math.abs(found.alpha / alpha - 1)).toBeLessThan(1e-8);
  });

  // Of a scalar output: K-FAC has (L - 1) N + 1, and its tri-diagonal form N whatever the depth.
  it.each([2, 4, 5])('is isotropic with Kronecker factors of networks of %i layers', (layers) => {
    const deep = wideNetwork([SIZES[0], ...Array.from({ length: layers - 1 }, () => 64), 1], 3);
    const found = jacobian(deep.predict, data.inputs, deep.kernels);
    const w = tangentKernels(found).reduce((sum, kernel) => sum + isotropy(kernel).alpha, 0);
    for (const [metric, create] of [
      ['kroneckerFactored', kfac],
      ['blockTridiagonal', blockTridiagonal],
    ] as const) {
      const optimizer = create({ ...exactly, damping: 1e-12 * w });
      const loss = () => halfSquaredError(deep.predict(data.inputs), data.targets);
      tf.dispose(optimizer.computeGradients(loss, deep.kernels).grads);
      const { alpha, deviation } = isotropy(preconditionedKernel(optimizer, found));
      expect(deviation).toBeLessThan(1e-3);
      expect(alpha * optimalLearningRate(metric, { layers, examples: N })).toBeCloseTo(1, 3);
    }
    deep.dispose();
  });

  it('is isotropic with the truncated tri-diagonal metric, whose alpha is 1 for three layers', () => {
    const kernels = tangentKernels(jacobian(network.predict, data.inputs, network.kernels));
    const found = isotropy(truncatedTridiagonalKernel(kernels));
    expect(found.deviation).toBeLessThan(1e-8);
    expect(found.alpha).toBeCloseTo(1, 8);
    // Damped it is indefinite, and far from isotropy where the exact metric is near it.
    const damping = 0.04 * meanEigenvalue();
    expect(isotropy(truncatedTridiagonalKernel(kernels, damping)).deviation).toBeGreaterThan(
      5 * isotropy(kernelOf('exact', damping)).deviation,
    );
    expect(() => truncatedTridiagonalKernel(kernels.slice(0, 2))).toThrow(/singular/);
  });

  it('is not isotropic with the diagonal metric, nor for the gradient', () => {
    expect(isotropy(kernelOf('diagonalFisher', 1e-8 * meanEigenvalue())).deviation).toBeGreaterThan(0.3);
    const kernels = tangentKernels(jacobian(network.predict, data.inputs, network.kernels));
    const gradient = total(kernels.map(asMatrix));
    expect(isotropy({ values: Float64Array.from(gradient.flat()), size: N }).deviation).toBeGreaterThan(0.3);
  });

  it('is finite where there are more examples than inputs, so that A is singular', () => {
    const many = unitSphereData(3 * SIZES[0], SIZES[0], 2);
    const optimizer = kfac({ ...exactly, damping: 1e-8 });
    const loss = () => halfSquaredError(network.predict(many.inputs), many.targets);
    tf.dispose(optimizer.computeGradients(loss, network.kernels).grads);
    const kernel = preconditionedKernel(optimizer, jacobian(network.predict, many.inputs, network.kernels));
    expect(kernel.values.every(Number.isFinite)).toBe(true);
    tf.dispose([many.inputs, many.targets]);
  });

  it('shrinks the residual in every eigendirection by 1 - eta w / (w + damping), exactly so as predicted by K', () => {
    const damping = 0.1 * meanEigenvalue();
    const kernel = kernelOf('exact', damping);
    const residual = Float64Array.from({ length: N }, (_, i) => Math.cos(i));
    const learningRate = 0.5;
    const left = spectral(total(thetas()), (w) => (1 - (learningRate * w) / (w + damping)) ** 3);
    const expected = times(left, fromRows(residual, N)).flat();
    const [, , third] = predictedResiduals(kernel, residual, learningRate, 3);
    third.forEach((value, i) => expect(value).toBeCloseTo(expected[i], 10));
    expect(() => predictedResiduals(kernel, residual.slice(1), 1)).toThrow(/residual has 7 elements; give 8/);
  });

  it.each(Object.keys(creators))(
    'predicts what a short step with %s does to the outputs: -eta K r',
    (name) => {
      const damping = 1e-2 * meanEigenvalue();
      const kernel = kernelOf(name, damping);
      const outputs = () => network.predict(data.inputs).dataSync<'float32'>().slice();
      const before = outputs();
      const residual = before.map((value, i) => value - data.targets.dataSync()[i]);
      // The second order of the step is its share of the way to the targets, 1%, times a number of order 1.
      const learningRate = 0.01 / isotropy(kernel).alpha;
      const optimizer = creators[name]({ ...exactly, damping });
      optimizer.setLearningRate(learningRate);
      optimizer.minimize(
        () => halfSquaredError(network.predict(data.inputs), data.targets),
        false,
        network.kernels,
      );
      const [predicted] = predictedResiduals(kernel, residual, learningRate);
      const [moved, expected] = [outputs(), predicted].map((after, k) =>
        Array.from(after, (value, i) => value - (k === 0 ? before : residual)[i]),
      );
      expect(difference([moved], [expected])).toBeLessThan(0.05);
    },
  );

  it('says so when there are no statistics yet, or a vector does not fit', () => {
    const optimizer = kfac();
    expect(() => functionSpaceKernel(optimizer, network.predict, data.inputs)).toThrow(/computeGradients/);
    const loss = () => halfSquaredError(network.predict(data.inputs), data.targets);
    tf.dispose(optimizer.computeGradients(loss, network.kernels).grads);
    const { name } = network.kernels[0];
    expect(() => optimizer.curvature().multiply({ [name]: new Float32Array(3) })).toThrow(
      /has 3 elements; give 1024/,
    );
    expect(() => isotropy({ values: new Float64Array(0), size: 0 })).toThrow(/empty/);
  });

  it('leaves no tensor behind', () => {
    const before = tf.memory().numTensors;
    jacobian(network.predict, data.inputs, network.kernels);
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe('optimal learning rates', () => {
  it.each([3, 4, 6, 7])("of the truncated tri-diagonal metric are 1 / 1'T^-1 1 for %i layers", (layers) => {
    const t = matrix(layers, layers, (i, j) => Number(Math.abs(i - j) <= 1));
    const sum = inverse(t)
      .flat()
      .reduce((a, b) => a + b);
    expect(optimalLearningRate('truncatedTridiagonal', { layers })).toBeCloseTo(1 / sum, 12);
  });

  it.each([2, 5, 8])('do not exist for %i layers, where T is singular', (layers) => {
    expect(() => optimalLearningRate('truncatedTridiagonal', { layers })).toThrow(/singular/);
  });

  it('of unit-wise blocks are those of ReLU or of smooth activations', () => {
    expect(optimalLearningRate('unitWise', { layers: 3, width: 100 })).toBe(0.01);
    expect(optimalLearningRate('unitWise', { layers: 3, width: 100, activation: 'other' })).toBe(0.005);
  });
});
