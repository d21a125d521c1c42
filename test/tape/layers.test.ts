import * as tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-wasm';

import type { Finding } from './nets';
import { findings, labels, randomise, values, variablesOf } from './nets';
import { backends } from '../support/backends';

const { layers } = tf;

/**
 * The expected gradients are tfjs's own, of the same loss; the rebuilt ones are sums over (a, g) in float64. The bound is that on the
 * float32 sums of autodiff, a few units in the last place (6e-8) each.
 */
const TOLERANCE = 1e-6;

function indices(shape: number[]): tf.Tensor {
  const size = shape.reduce((product, length) => product * length, 1);
  return tf.tensor(
    Array.from({ length: size }, (_, i) => (i * i) % 5),
    shape,
    'int32',
  );
}

/** What is found in a model, trained on a loss in which every output has a weight of its own. */
function findingsIn(model: tf.LayersModel, batch = 4, integers = false): Finding[] {
  randomise(model);
  const inputShape = [batch, ...(model.inputs[0].shape.slice(1) as number[])];
  const x = integers ? indices(inputShape) : values(inputShape, 3);
  const weights = values([batch, ...(model.outputs[0].shape.slice(1) as number[])], 5);
  const loss = () => (model.apply(x, { training: true }) as tf.Tensor).mul(weights).mean<tf.Scalar>();
  const found = findings(loss, variablesOf(model));
  tf.dispose([x, weights]);
  model.dispose();
  return found;
}

function findingsOf(...stack: tf.layers.Layer[]): Finding[] {
  return findingsIn(tf.sequential({ layers: stack }));
}

function expectRebuilt(found: Finding[]): void {
  for (const { kind, error, names } of found) {
    if (kind === 'other') continue;
    if (!(error! <= TOLERANCE)) throw new Error(`${kind} [${names.join()}]: relative error ${error}`);
  }
}

function kinds(found: Finding[]): string[] {
  return found.map(({ kind, names, uses }) => `${kind} ${names.join('+')} x${uses}`);
}

describe.each(backends)('what every backend can train, on %s', (backend) => {
  beforeAll(async () => {
    await tf.setBackend(backend);
  });
  afterEach(() => tf.disposeVariables());

  test.each(['linear', 'relu', 'tanh', 'sigmoid', 'elu', 'softplus', 'softmax', 'swish'] as const)(
    'a dense layer with activation %s is one layer of kernel and bias',
    (activation) => {
      const found = findingsOf(
        layers.dense({ units: 3, inputShape: [4], activation }),
        layers.dense({ units: 2, activation }),
      );
      expect(kinds(found)).toEqual(['dense kernel+bias x1', 'dense kernel+bias x1']);
      expect(found[0]).toMatchObject({ inputSize: 4, outputSize: 3, roles: ['kernel', 'bias'] });
      expectRebuilt(found);
    },
  );

  test('a dense layer without a bias, and one of a single input and output', () => {
    const found = findingsOf(
      layers.dense({ units: 1, inputShape: [4], useBias: false, activation: 'tanh' }),
      layers.dense({ units: 1, useBias: false }),
      layers.dense({ units: 1 }),
    );
    expect(kinds(found)).toEqual(['dense kernel x1', 'dense kernel x1', 'dense kernel+bias x1']);
    expectRebuilt(found);
  });

  test('dropout before and after a dense layer: the activations are those that were really used', () => {
    const found = findingsOf(
      layers.dropout({ rate: 0.5, inputShape: [6] }),
      layers.dense({ units: 5, activation: 'relu' }),
      layers.dropout({ rate: 0.5 }),
      layers.dense({ units: 3 }),
    );
    expect(kinds(found)).toEqual(['dense kernel+bias x1', 'dense kernel+bias x1']);
    expectRebuilt(found);
  });

  test.each(['linear', 'relu', 'tanh'] as const)(
    'a dense layer on sequences with activation %s counts every step as a row',
    (activation) => {
      const found = findingsOf(
        layers.dense({ units: 3, inputShape: [5, 4], activation }),
        layers.flatten(),
        layers.dense({ units: 2 }),
      );
      expect(kinds(found)).toEqual(['dense kernel+bias x1', 'dense kernel+bias x1']);
      expectRebuilt(found);
    },
  );

  test('batch normalisation of rows is a scale and shift of what is normalised', () => {
    const found = findingsOf(
      layers.dense({ units: 4, inputShape: [3] }),
      layers.batchNormalization(),
      layers.dense({ units: 2 }),
    );
    expect(kinds(found)).toEqual([
      'dense kernel+bias x1',
      'scaleShift gamma+beta x1',
      'dense kernel+bias x1',
    ]);
    expectRebuilt(found);
  });

  test('layer normalisation of rows and of sequences', () => {
    for (const shape of [[4], [3, 4]]) {
      const found = findingsOf(
        layers.layerNormalization({ inputShape: shape }),
        layers.dense({ units: 2, activation: 'tanh' }),
      );
      expect(kinds(found)).toEqual(['scaleShift gamma+beta x1', 'dense kernel+bias x1']);
      expectRebuilt(found);
    }
  });

  test('a SimpleRNN: kernel with bias, and recurrent kernel, once per time step', () => {
    const found = findingsOf(layers.simpleRNN({ units: 3, inputShape: [5, 4] }));
    expect(kinds(found)).toEqual(['dense kernel+bias x5', 'dense recurrent_kernel x5']);
    expectRebuilt(found);
  });

  test('an LSTM: the bias that both products share is a layer of its own', () => {
    const found = findingsOf(layers.lstm({ units: 3, inputShape: [5, 4] }));
    expect(kinds(found)).toEqual(['dense kernel x5', 'dense recurrent_kernel x5', 'bias bias x5']);
    expect(found[1]).toMatchObject({ inputSize: 3, outputSize: 12 });
    expectRebuilt(found);
  });

  test('a GRU: the recurrent kernel is used in two blocks of columns', () => {
    const found = findingsOf(layers.gru({ units: 3, inputShape: [5, 4] }));
    expect(kinds(found)).toEqual(['dense kernel+bias x5', 'dense recurrent_kernel x10']);
    expect(found[1]).toMatchObject({ inputSize: 3, outputSize: 9 });
    expectRebuilt(found);
  });

  test('a GRU of one unit', () => {
    const found = findingsOf(layers.gru({ units: 1, inputShape: [3, 2] }));
    expect(kinds(found)).toEqual(['dense kernel+bias x3', 'dense recurrent_kernel x6']);
    expectRebuilt(found);
  });

  test('recurrent layers with dropout on inputs and states', () => {
    const found = findingsOf(
      layers.lstm({
        units: 3,
        inputShape: [4, 2],
        dropout: 0.3,
        recurrentDropout: 0.3,
        returnSequences: true,
      }),
      layers.gru({ units: 2, dropout: 0.3 }),
    );
    expectRebuilt(found);
    expect(found.map(({ kind }) => kind)).toEqual(['dense', 'dense', 'bias', 'dense', 'dense']);
  });

  test('a bidirectional layer is two, and a time-distributed one has a use per step', () => {
    const found = findingsOf(
      layers.bidirectional({
        layer: layers.simpleRNN({ units: 2, returnSequences: true }),
        mergeMode: 'concat',
        inputShape: [3, 4],
      }),
      layers.timeDistributed({ layer: layers.dense({ units: 2, activation: 'softmax' }) }),
    );
    expect(kinds(found)).toEqual([
      'dense kernel+bias x3',
      'dense recurrent_kernel x3',
      'dense kernel+bias x3',
      'dense recurrent_kernel x3',
      'dense kernel+bias x3',
    ]);
    expectRebuilt(found);
  });

  test('a layer that is shared by two inputs has two uses', () => {
    const shared = layers.dense({ units: 3, activation: 'tanh' });
    const [one, other] = [tf.input({ shape: [4] }), tf.input({ shape: [4] })];
    const joined = layers
      .concatenate()
      .apply([shared.apply(one), shared.apply(other)] as tf.SymbolicTensor[]);
    const model = tf.model({
      inputs: [one, other],
      outputs: layers.dense({ units: 2 }).apply(joined) as tf.SymbolicTensor,
    });
    randomise(model);
    const inputs = [values([5, 4], 1), values([5, 4], 2)];
    const found = findings(
      () => (model.apply(inputs) as tf.Tensor).square().mean<tf.Scalar>(),
      variablesOf(model),
    );
    expect(kinds(found)).toEqual(['dense kernel+bias x2', 'dense kernel+bias x1']);
    expectRebuilt(found);
  });

  test('a model inside a model', () => {
    const inner = tf.sequential({
      layers: [layers.dense({ units: 3, inputShape: [4], activation: 'relu' }), layers.dense({ units: 3 })],
    });
    const found = findingsOf(inner, layers.dense({ units: 2 }));
    expect(kinds(found)).toEqual(Array(3).fill('dense kernel+bias x1'));
    expectRebuilt(found);
  });

  test('raw operations: products with and without transposition, a bias, a scale and a shift', () => {
    const x = values([5, 4], 1) as tf.Tensor2D;
    const w = tf.variable(values([4, 3], 2), true, 'w') as tf.Variable<tf.Rank.R2>;
    const b = tf.variable(values([3], 3), true, 'b');
    const gamma = tf.variable(values([3], 4), true, 'gamma');
    const beta = tf.variable(values([1, 3], 5), true, 'beta');
    const u = tf.variable(values([6, 3], 6), true, 'u') as tf.Variable<tf.Rank.R2>;
    const v = tf.variable(values([2, 6], 7), true, 'v') as tf.Variable<tf.Rank.R2>;
    const loss = () => {
      const scaled = x.matMul(w).add(b).tanh().mul(gamma).add<tf.Tensor2D>(beta);
      return tf
        .matMul(scaled.matMul(u, false, true), v.transpose())
        .square()
        .mean<tf.Scalar>();
    };
    const found = findings(loss, [w, b, gamma, beta, u, v]);
    expect(kinds(found)).toEqual(['dense w+b x1', 'scaleShift gamma+beta x1', 'dense u x1', 'dense v x1']);
    expect(found[2]).toMatchObject({ inputSize: 3, outputSize: 6 });
    expect(found[3]).toMatchObject({ inputSize: 6, outputSize: 2 });
    expectRebuilt(found);
  });
});

describe('what cpu can train', () => {
  beforeAll(async () => {
    await tf.setBackend('cpu');
  });
  afterEach(() => tf.disposeVariables());

  test.each([
    { kernelSize: 3, strides: 1, padding: 'valid', activation: 'linear' },
    { kernelSize: 3, strides: 2, padding: 'same', activation: 'relu' },
    { kernelSize: [2, 3], strides: [2, 1], padding: 'same', activation: 'tanh' },
    { kernelSize: 2, strides: 1, padding: 'same', activation: 'sigmoid' },
    { kernelSize: 1, strides: 2, padding: 'valid', activation: 'elu' },
  ] as const)('a convolution with $kernelSize, $strides, $padding, $activation', (options) => {
    const found = findingsOf(
      layers.conv2d({ ...options, filters: 3, inputShape: [7, 6, 2] } as Parameters<typeof layers.conv2d>[0]),
      layers.conv2d({ ...options, filters: 2, useBias: false } as Parameters<typeof layers.conv2d>[0]),
    );
    expect(kinds(found)).toEqual(['conv2d kernel+bias x1', 'conv2d kernel x1']);
    expectRebuilt(found);
  });

  test('a convolution with kernels of one pixel is a dense layer on pixels', () => {
    const found = findingsOf(
      layers.conv2d({ kernelSize: 1, filters: 3, inputShape: [4, 5, 2], activation: 'relu' }),
    );
    expect(found).toEqual([
      expect.objectContaining({ kind: 'dense', roles: ['kernel', 'bias'], inputSize: 2, outputSize: 3 }),
    ]);
    expectRebuilt(found);
  });

  test('convolutions of data with channels first', () => {
    const found = findingsOf(
      layers.conv2d({
        kernelSize: 2,
        filters: 3,
        inputShape: [2, 5, 5],
        dataFormat: 'channelsFirst',
        activation: 'relu',
      }),
    );
    expect(kinds(found)).toEqual(['conv2d kernel+bias x1']);
    expectRebuilt(found);
  });

  test.each(['relu', 'linear'] as const)('one-dimensional convolutions with activation %s', (activation) => {
    const found = findingsOf(
      layers.conv1d({
        kernelSize: 3,
        strides: 2,
        filters: 3,
        padding: 'same',
        inputShape: [8, 2],
        activation,
      }),
      layers.conv1d({ kernelSize: 2, filters: 2, activation }),
    );
    expect(kinds(found)).toEqual(['conv2d kernel+bias x1', 'conv2d kernel+bias x1']);
    expectRebuilt(found);
  });

  test('depthwise and separable convolutions', () => {
    const found = findingsOf(
      layers.depthwiseConv2d({
        kernelSize: 3,
        strides: 2,
        padding: 'same',
        depthMultiplier: 2,
        inputShape: [6, 7, 2],
      }),
      layers.separableConv2d({ kernelSize: 2, filters: 3, depthMultiplier: 2, activation: 'tanh' }),
    );
    expect(kinds(found)).toEqual([
      'depthwiseConv2d depthwise_kernel+bias x1',
      'depthwiseConv2d depthwise_kernel x1',
      'dense pointwise_kernel+bias x1',
    ]);
    expectRebuilt(found);
  });

  test('a small convolutional net with pooling and batch normalisation', () => {
    const found = findingsOf(
      layers.conv2d({ kernelSize: 3, filters: 3, inputShape: [8, 8, 1] }),
      layers.batchNormalization(),
      layers.activation({ activation: 'relu' }),
      layers.maxPooling2d({ poolSize: 2 }),
      layers.flatten(),
      layers.dense({ units: 3, activation: 'softmax' }),
    );
    expect(kinds(found)).toEqual([
      'conv2d kernel+bias x1',
      'scaleShift gamma+beta x1',
      'dense kernel+bias x1',
    ]);
    expectRebuilt(found);
  });

  test('an embedding under a recurrent and a time-distributed layer', () => {
    const model = tf.sequential({
      layers: [
        layers.embedding({ inputDim: 5, outputDim: 3, inputLength: 4 }),
        layers.lstm({ units: 3, returnSequences: true }),
        layers.timeDistributed({ layer: layers.dense({ units: 3, activation: 'softmax' }) }),
      ],
    });
    const found = findingsIn(model, 3, true);
    expect(found[0]).toMatchObject({
      kind: 'embedding',
      roles: ['table'],
      inputSize: 5,
      outputSize: 3,
      uses: 1,
    });
    expectRebuilt(found);
  });

  test('what is not understood is a layer of its own with the reason', () => {
    const found = findingsOf(layers.prelu({ inputShape: [4] }), layers.dense({ units: 2 }));
    expect(found.map(({ kind, names }) => [kind, ...names])).toEqual([
      ['other', 'alpha'],
      ['dense', 'kernel', 'bias'],
    ]);
    expect(found[0].reason).toMatch(/Prelu/);
    expectRebuilt(found);
  });

  test.each([
    ['valid', 1],
    ['valid', 2],
    ['same', 2],
  ] as const)('a transposed convolution with padding %s and stride %i, and its bias', (padding, strides) => {
    const found = findingsOf(
      layers.conv2dTranspose({
        kernelSize: [3, 2],
        filters: 2,
        strides,
        padding,
        activation: 'tanh',
        inputShape: [3, 4, 3],
      }),
      layers.flatten(),
      layers.dense({ units: 2 }),
    );
    expect(kinds(found)).toEqual(['conv2dTranspose kernel x1', 'bias bias x1', 'dense kernel+bias x1']);
    expect(found[0]).toMatchObject({ inputSize: 3, outputSize: 12 });
    expectRebuilt(found);
  });

  test('a layer that is shared by two inputs has a use for each', () => {
    const shared = layers.dense({ units: 3, activation: 'relu' });
    const inputs = [tf.input({ shape: [4] }), tf.input({ shape: [4] })];
    const outputs = layers
      .dense({ units: 2 })
      .apply(layers.add().apply(inputs.map((input) => shared.apply(input) as tf.SymbolicTensor)));
    const model = tf.model({ inputs, outputs: outputs as tf.SymbolicTensor });
    const x = [values([5, 4], 1), values([5, 4], 2)];
    const found = findings(
      () => (model.apply(x) as tf.Tensor).square().mean<tf.Scalar>(),
      variablesOf(model),
    );
    expect(kinds(found)).toEqual(['dense kernel+bias x2', 'dense kernel+bias x1']);
    expectRebuilt(found);
  });

  test('multi-head attention made of dense layers: a use per projection, whose rows are positions', () => {
    const [heads, size, positions] = [2, 3, 4];
    const project = () => layers.dense({ units: heads * size });
    const [query, key, value, output] = [project(), project(), project(), project()];
    const x = values([2, positions, heads * size], 1);
    const split = (t: tf.Tensor) => t.reshape([2, positions, heads, size]).transpose([0, 2, 1, 3]);
    const loss = () => {
      const of = (layer: tf.layers.Layer, t: tf.Tensor) => layer.apply(t) as tf.Tensor;
      const [q, k, v] = [query, key, value].map((layer) => split(of(layer, x)));
      const weights = tf.softmax(tf.matMul(q, k, false, true).div(Math.sqrt(size)));
      const joined = tf
        .matMul(weights, v)
        .transpose([0, 2, 1, 3])
        .reshape([2, positions, heads * size]);
      return of(output, joined).square().mean<tf.Scalar>();
    };
    tf.tidy(() => void loss());
    const variables = [query, key, value, output].flatMap((layer) =>
      layer.trainableWeights.map((weight) => weight.read() as tf.Variable),
    );
    const found = findings(loss, variables);
    expect(kinds(found)).toEqual(Array.from({ length: 4 }, () => 'dense kernel+bias x1'));
    expectRebuilt(found);
  });

  test('penalties on weights are no uses of them', () => {
    const model = tf.sequential({
      layers: [
        layers.dense({
          units: 3,
          inputShape: [4],
          activation: 'relu',
          kernelRegularizer: 'l1l2',
          biasRegularizer: 'l1l2',
        }),
        layers.dense({ units: 1, kernelRegularizer: tf.regularizers.l2({ l2: 0.1 }) }),
      ],
    });
    const [x, y] = [values([1, 4], 1), values([1, 1], 2)];
    let found: Finding[] = [];
    const spy = new Spy((f, variables) => (found = findings(f, variables)));
    model.compile({ optimizer: spy, loss: 'meanSquaredError' });
    return model.trainOnBatch(x, y).then(() => {
      expect(kinds(found)).toEqual(['dense kernel+bias x1', 'dense kernel+bias x1']);
    });
  });

  test('a penalty by hand is no use, but a number that reaches the data is', () => {
    const x = values([5, 4], 1) as tf.Tensor2D;
    const w = tf.variable(values([4, 3], 2), true, 'w') as tf.Variable<tf.Rank.R2>;
    const data = () => x.matMul(w).square().mean();
    const penalised = () => data().add(w.square().sum().mul(0.1)).add(tf.norm(w));
    expect(kinds(findings(penalised))).toEqual(['dense w x1']);
    const normalised = () => x.matMul(w).mul(w.square().sum()).mean<tf.Scalar>();
    expect(findings(normalised)[0]).toMatchObject({ kind: 'other', uses: 0 });
  });

  test('a variable that is used in two ways is not understood', () => {
    const table = tf.variable(values([5, 4], 2), true, 'table') as tf.Variable<tf.Rank.R2>;
    const tied = () =>
      tf
        .gather(table, tf.tensor1d([1, 2, 2], 'int32'))
        .matMul(table, false, true)
        .square()
        .mean<tf.Scalar>();
    expect(findings(tied)[0]).toMatchObject({
      kind: 'other',
      reason: 'it is used in several different ways',
    });
    const square = tf.variable(values([4, 4], 3), true, 'square') as tf.Variable<tf.Rank.R2>;
    const x = values([5, 4], 1) as tf.Tensor2D;
    const both = () => x.matMul(square).matMul(square, false, true).mean<tf.Scalar>();
    expect(findings(both, [square])[0]).toMatchObject({
      kind: 'other',
      reason: 'it is used in several different ways',
    });
  });

  test('a product whose output is used without its bias too keeps the bias apart', () => {
    const x = values([5, 4], 1) as tf.Tensor2D;
    const w = tf.variable(values([4, 3], 2), true, 'w') as tf.Variable<tf.Rank.R2>;
    const b = tf.variable(values([3], 3), true, 'b');
    const loss = () => {
      const z = x.matMul(w);
      return z.add(b).square().mean().add(z.tanh().mean());
    };
    const found = findings(loss);
    expect(kinds(found)).toEqual(['dense w x1', 'bias b x1']);
    expectRebuilt(found);
  });

  test('shared products whose biases are added in another order are paired one by one', () => {
    const [one, other] = [values([5, 4], 1), values([2, 4], 2)] as tf.Tensor2D[];
    const w = tf.variable(values([4, 3], 2), true, 'w') as tf.Variable<tf.Rank.R2>;
    const b = tf.variable(values([3], 3), true, 'b');
    const loss = () => {
      const [z1, z2] = [one.matMul(w), other.matMul(w)];
      const second = z2.add(b).square().mean();
      return z1.add(b).tanh().mean().add(second);
    };
    const found = findings(loss);
    expect(kinds(found)).toEqual(['dense w+b x2']);
    expectRebuilt(found);
  });

  test('layers come in the order of their first variables, every variable once', () => {
    const x = values([5, 4], 1) as tf.Tensor2D;
    const b = tf.variable(values([3], 3), true, 'b');
    const unused = tf.variable(values([3], 3), true, 'unused');
    const w = tf.variable(values([4, 3], 2), true, 'w') as tf.Variable<tf.Rank.R2>;
    const loss = () => x.matMul(w).add(b).square().mean<tf.Scalar>();
    expect(findings(loss, [b, unused, w]).map(({ names }) => names)).toEqual([['unused'], ['w', 'b']]);
    expect(findings(loss, [b]).map(({ kind, names }) => [kind, ...names])).toEqual([['bias', 'b']]);
  });

  test('frozen layers are left out', () => {
    const model = tf.sequential({
      layers: [layers.dense({ units: 3, inputShape: [4] }), layers.dense({ units: 2 })],
    });
    model.layers[0].trainable = false;
    const found = findingsIn(model);
    expect(kinds(found)).toEqual(['dense kernel+bias x1']);
    expectRebuilt(found);
  });

  test('the same is found in fit and in trainOnBatch', async () => {
    const seen: string[][] = [];
    const model = tf.sequential({
      layers: [
        layers.conv2d({ kernelSize: 2, filters: 2, inputShape: [4, 4, 1], activation: 'relu' }),
        layers.flatten(),
        layers.dense({ units: 3, activation: 'softmax' }),
      ],
    });
    const spy = new Spy((f, variables) => {
      const found = findings(f, variables);
      expectRebuilt(found);
      seen.push(kinds(found));
    });
    model.compile({ optimizer: spy, loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
    const [x, y] = [values([6, 4, 4, 1], 1), labels(6, 3)];
    await model.fit(x, y, { epochs: 1, batchSize: 3, verbose: 0 });
    await model.trainOnBatch(x, y);
    expect(seen).toEqual(Array(3).fill(['conv2d kernel+bias x1', 'dense kernel+bias x1']));
  });
});

/** Gradient descent that first shows every loss it is given to a function. */
class Spy extends tf.SGDOptimizer {
  static override className = 'Spy';

  constructor(private readonly look: (f: () => tf.Scalar, variables?: tf.Variable[]) => unknown) {
    super(0.1);
  }

  override computeGradients(
    f: () => tf.Scalar,
    variables?: tf.Variable[],
  ): ReturnType<tf.Optimizer['computeGradients']> {
    this.look(f, variables);
    return super.computeGradients(f, variables);
  }
}
