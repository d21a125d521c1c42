import * as tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-wasm';

import { withTape } from '../../src/tape/record';
import type { Recording } from '../../src/tape/types';
import { errorWithCode } from '../errorWithCode';
import { backends, useBackend } from '../support/backends';
import { labels, randomise, relativeError, values, variablesOf } from './nets';

const { layers } = tf;

/**
 * Float32 central differences with step 2e-3: (2e-3)^2 / 6 times a third derivative, and 6e-8 / 2e-3 times the roundings of a forward pass.
 */
const DIFFERENCES = 5e-3;
/** Both sides of <u, J v> = <J' u, v> are float32 sums of the same products in another order. */
const ADJOINT = 1e-5;

const indices = (shape: number[]) =>
  tf.tensor(
    new Int32Array(tf.util.sizeFromShape(shape)).map((_, i) => (i * i) % 5),
    shape,
    'int32',
  );

const dot = (a: tf.Tensor, b: tf.Tensor) => {
  const [x, y] = [a.dataSync<'float32'>(), b.dataSync<'float32'>()];
  return x.reduce((sum, value, i) => sum + value * y[i], 0);
};

const norm = (a: tf.Tensor) => Math.sqrt(dot(a, a));

/** Checks J v of `f` with respect to its variables against central differences and against the reverse walk. */
function expectTangent(f: () => tf.Tensor, variables: tf.Variable[], { reverse = true } = {}): void {
  const directions = variables.map(({ shape }, i) => values(shape, 31 + i));
  let output: tf.Tensor;
  const loss = () => (output = f()).mean<tf.Scalar>();
  const before = tf.memory().numTensors;
  let tangent: Float32Array;
  withTape(loss, variables, (recording: Recording) => {
    const found = recording.tangent(new Map(variables.map(({ id }, i) => [id, directions[i]])), [output]);
    const jv = found.get(output.id)!;
    tangent = jv.dataSync<'float32'>().slice();
    if (!reverse) return;
    const u = values(output.shape, 77);
    const back = recording.backward(new Map([[output.id, u]]), variables);
    const expected = variables.reduce((sum, { id }, i) => {
      const gradient = back.get(id);
      return gradient ? sum + dot(gradient, directions[i]) : sum;
    }, 0);
    expect(Math.abs(dot(u, jv) - expected) / (norm(u) * norm(jv))).toBeLessThan(ADJOINT);
  });
  expect(tf.memory().numTensors).toBe(before);

  const step = 2e-3;
  const originals = variables.map((variable) => variable.clone());
  const at = (scale: number): Float32Array =>
    tf.tidy(() => {
      variables.forEach((variable, i) => variable.assign(originals[i].add(directions[i].mul(scale))));
      return f().dataSync<'float32'>().slice();
    });
  const [up, down] = [at(step), at(-step)];
  variables.forEach((variable, i) => variable.assign(originals[i]));
  const differences = up.map((value, i) => (value - down[i]) / (2 * step));
  expect(relativeError(tangent!, differences)).toBeLessThan(DIFFERENCES);
  tf.dispose([originals, directions]);
}

function expectModelTangent(stack: tf.layers.Layer[], { integers = false, reverse = true } = {}): void {
  const model = tf.sequential({ layers: stack });
  randomise(model);
  const shape = [3, ...(model.inputs[0].shape.slice(1) as number[])];
  const x = integers ? indices(shape) : values(shape, 3);
  expectTangent(() => model.apply(x, { training: true }) as tf.Tensor, variablesOf(model), { reverse });
}

describe.each(backends)('Jacobian-vector products over the tape, on %s', (backend) => {
  beforeAll(() => useBackend(backend));
  afterEach(() => tf.disposeVariables());
  /** wasm has no gradient of a convolution's kernel and of a lookup. */
  const reverse = backend !== 'wasm';

  test.each([
    'linear',
    'relu',
    'relu6',
    'tanh',
    'sigmoid',
    'hardSigmoid',
    'elu',
    'selu',
    'softplus',
    'softsign',
    'softmax',
    'swish',
    'mish',
  ] as const)('dense layers with activation %s', (activation) => {
    expectModelTangent([
      layers.dense({ units: 5, inputShape: [4], activation }),
      layers.dense({ units: 4, useBias: false }),
    ]);
  });

  const nets: [string, () => tf.layers.Layer[], { integers?: boolean; reverse?: boolean }?][] = [
    [
      'dense layers on sequences',
      () => [layers.dense({ units: 3, inputShape: [4, 2] }), layers.dense({ units: 2, activation: 'tanh' })],
    ],
    [
      'batch normalisation in training',
      () => [layers.dense({ units: 4, inputShape: [3] }), layers.batchNormalization()],
    ],
    ['layer normalisation', () => [layers.dense({ units: 4, inputShape: [3] }), layers.layerNormalization()]],
    [
      'parametric and leaky rectifiers',
      () => [layers.dense({ units: 4, inputShape: [3] }), layers.prelu(), layers.leakyReLU()],
    ],
    [
      'a simple recurrent layer',
      () => [layers.simpleRNN({ units: 3, inputShape: [4, 2], returnSequences: true })],
    ],
    ['an LSTM', () => [layers.lstm({ units: 3, inputShape: [4, 2] })]],
    ['a GRU', () => [layers.gru({ units: 3, inputShape: [4, 2], returnSequences: true })]],
    [
      'a bidirectional LSTM under a time-distributed layer',
      () => [
        layers.bidirectional({
          layer: layers.lstm({ units: 2, returnSequences: true }),
          inputShape: [4, 2],
          mergeMode: 'concat',
        }),
        layers.timeDistributed({ layer: layers.dense({ units: 2, activation: 'softmax' }) }),
      ],
    ],
    [
      'an embedding',
      () => [
        layers.embedding({ inputDim: 5, outputDim: 3, inputLength: 4 }),
        layers.flatten(),
        layers.dense({ units: 2 }),
      ],
      { integers: true, reverse },
    ],
    [
      'a strided convolution',
      () => [
        layers.conv2d({
          filters: 3,
          kernelSize: 3,
          strides: 2,
          padding: 'same',
          activation: 'tanh',
          inputShape: [6, 5, 2],
        }),
      ],
      { reverse },
    ],
    [
      'convolutions with a linear activation',
      () => [
        layers.conv2d({ filters: 3, kernelSize: 2, inputShape: [5, 5, 1] }),
        layers.conv2d({ filters: 2, kernelSize: 3 }),
      ],
      { reverse },
    ],
    [
      'a convolution of one dimension',
      () => [
        layers.conv1d({ filters: 3, kernelSize: 3, inputShape: [7, 2] }),
        layers.maxPooling1d({ poolSize: 2 }),
      ],
      { reverse },
    ],
    [
      'a depthwise convolution',
      () => [layers.depthwiseConv2d({ kernelSize: 3, depthMultiplier: 2, inputShape: [5, 5, 2] })],
      { reverse },
    ],
    [
      'a separable convolution',
      () => [layers.separableConv2d({ filters: 3, kernelSize: 3, inputShape: [5, 5, 2] })],
      { reverse },
    ],
    [
      'a transposed convolution',
      () => [layers.conv2dTranspose({ filters: 2, kernelSize: 3, strides: 2, inputShape: [3, 3, 2] })],
      { reverse },
    ],
    [
      'a convolution of three dimensions',
      () => [
        layers.conv3d({ filters: 2, kernelSize: 2, inputShape: [5, 5, 5, 1] }),
        layers.maxPooling3d({ poolSize: 2, strides: 2 }),
      ],
      { reverse },
    ],
    [
      'overlapping max-pooling, padded',
      () => [
        layers.conv2d({ filters: 2, kernelSize: 2, inputShape: [6, 6, 1], activation: 'relu' }),
        layers.maxPooling2d({ poolSize: 3, strides: 2, padding: 'same' }),
      ],
      { reverse },
    ],
    [
      // The gradient of tfjs's cpu backend for nearest neighbours is not that of its forward pass.
      'average pooling, padding and upsampling',
      () => [
        layers.conv2d({ filters: 2, kernelSize: 2, inputShape: [5, 5, 1] }),
        layers.averagePooling2d({ poolSize: 2 }),
        layers.zeroPadding2d({ padding: 1 }),
        layers.upSampling2d({ size: [2, 2] }),
        layers.globalAveragePooling2d({}),
      ],
      { reverse: backend === 'tensorflow' },
    ],
    [
      'global max-pooling, permutation and repetition',
      () => [
        layers.dense({ units: 4, inputShape: [5, 3] }),
        layers.permute({ dims: [2, 1] }),
        layers.globalMaxPooling1d(),
        layers.repeatVector({ n: 3 }),
        layers.reshape({ targetShape: [5, 3] }),
      ],
    ],
  ];
  test.each(nets)('%s', (_, build, ...options) => expectModelTangent(build(), ...options));

  test('branches that are merged, of two inputs', () => {
    const input = tf.input({ shape: [3] });
    const branch = () => layers.dense({ units: 4, activation: 'tanh' }).apply(input) as tf.SymbolicTensor;
    const [a, b, c] = [branch(), branch(), branch()];
    const merged = [
      layers.add().apply([a, b, c]),
      layers.multiply().apply([a, b]),
      layers.average().apply([b, c]),
      layers.maximum().apply([a, c]),
      layers.minimum().apply([a, b]),
      layers.dot({ axes: 1 }).apply([a, c]),
    ] as tf.SymbolicTensor[];
    const model = tf.model({
      inputs: input,
      outputs: layers.concatenate().apply(merged) as tf.SymbolicTensor,
    });
    randomise(model);
    const x = values([5, 3], 3);
    expectTangent(() => model.apply(x, { training: true }) as tf.Tensor, variablesOf(model));
  });

  type Pair = (a: tf.Tensor, b: tf.Tensor) => tf.Tensor;
  const operations: [string, Pair, boolean?][] = [
    ['sums, with broadcasting', (a, b) => a.add(b).sub(b.mul(2)).sub(b)],
    ['quotients, with broadcasting', (a, b) => a.div(b.add(2)).add(b.div(a.add(3)))],
    ['powers', (a, b) => a.add(2).pow(b.add(1.5))],
    ['squared differences', (a, b) => tf.squaredDifference(a, b.add(tf.zerosLike(a)))],
    // tfjs's gradients of these do not sum over what was broadcast.
    ['squared differences, with broadcasting', (a, b) => tf.squaredDifference(a, b), false],
    [
      'maximum and minimum',
      (a, b) => tf.maximum(a, b.add(tf.zerosLike(a))).add(tf.minimum(b, tf.fill([4], 0.1))),
    ],
    ['maximum and minimum, with broadcasting', (a, b) => tf.maximum(a, b).add(tf.minimum(b, 0.1)), false],
    ['angles', (a, b) => tf.atan2(a, b.add(3))],
    ['remainders', (a, b) => tf.mod(a.add(5), b.add(3.1))],
    [
      'a choice by element',
      (a, b) => tf.where(tf.greaterEqual(a, 0), a.mul(2), b.add(tf.zerosLike(a)).square()),
    ],
    ['extremes', (a) => tf.concat([a.max(1), a.min(0, true).reshape([4]), a.max().reshape([1])])],
    ['norms, means and moments', (a) => tf.stack([a.norm(), a.mean(), tf.moments(a).variance])],
    ['log-sum-exp and log-softmax', (a) => tf.logSumExp(a, 1).expandDims(1).add(tf.logSoftmax(a))],
    ['log-sigmoid', (a) => tf.logSigmoid(a)],
    ['softmax cross-entropy', (a) => tf.losses.softmaxCrossEntropy(labels(3, 4), a).reshape([1])],
    ['sigmoid cross-entropy', (a) => tf.losses.sigmoidCrossEntropy(labels(3, 4), a).reshape([1])],
    [
      'slices, splits and stacks',
      (a) => tf.stack([a.slice([0, 1], [3, 2]), ...tf.split(a, 2, 1)]).add(tf.unstack(a, 0)[1].sum()),
    ],
    ['strided slices', (a) => tf.stridedSlice(a, [0, 1], [3, 4], [2, 2]), false],
    ['gathering', (a) => tf.gather(a, tf.tensor1d([2, 0, 2], 'int32')).square(), reverse],
    ['reversing, tiling and cumulative sums', (a) => tf.tile(a.reverse(1), [2, 1]).cumsum(1)],
    [
      'padding',
      (a) =>
        tf
          .pad(
            a,
            [
              [1, 0],
              [0, 2],
            ],
            3,
          )
          .square(),
    ],
    [
      'mirrored padding',
      (a) =>
        tf
          .mirrorPad(
            a,
            [
              [1, 1],
              [2, 0],
            ],
            'reflect',
          )
          .square(),
      false,
    ],
    ['resizing', (a) => tf.image.resizeBilinear(a.reshape([3, 4, 1]), [5, 6]), reverse],
    [
      'space to batch',
      (a) =>
        tf.batchToSpaceND(
          tf
            .spaceToBatchND(
              a.reshape([1, 3, 4, 1]),
              [1, 2],
              [
                [0, 0],
                [0, 0],
              ],
            )
            .square(),
          [1, 2],
          [
            [0, 0],
            [0, 0],
          ],
        ),
    ],
    [
      'roots and logarithms',
      (a) => a.add(2).sqrt().add(a.add(2).log()).add(a.add(2).rsqrt()).add(a.square().log1p()).add(a.expm1()),
    ],
    ['trigonometry', (a) => tf.addN([a.sin(), a.cos(), a.atan(), a.sinh(), a.erf(), a.add(3).reciprocal()])],
    ['clipping and absolute values', (a) => a.clipByValue(-0.5, 0.5).add(a.abs())],
    [
      'steps, which are constant almost everywhere',
      (a) => a.add(a.mul(3).floor()).add(a.mul(3).round().mul(a)).add(a.toInt().toFloat()),
      // tfjs sends gradients through the conversion to integers.
      false,
    ],
    [
      'products of matrices, transposed',
      (a, b) =>
        tf
          .matMul(a as tf.Tensor2D, a as tf.Tensor2D, false, true)
          .add(tf.matMul(a as tf.Tensor2D, b.mul<tf.Tensor2D>(a), false, true)),
    ],
    [
      'batches of matrices',
      (a) => tf.matMul(a.reshape([3, 2, 2]), a.square().reshape([3, 2, 2]), true, false),
    ],
    [
      'a fused depthwise convolution',
      (a, b) =>
        tf.fused.depthwiseConv2d({
          x: a.reshape<tf.Tensor4D>([1, 3, 4, 1]),
          filter: b.reshape<tf.Tensor4D>([2, 2, 1, 1]),
          strides: 1,
          pad: 'same',
        }),
      reverse,
    ],
    // The gradient of tfjs's cpu backend counts padding in a window's mean; its forward pass does not.
    [
      'local means of a padded pool',
      (a) => tf.avgPool(a.reshape<tf.Tensor3D>([3, 4, 1]), 2, 1, 'same'),
      false,
    ],
  ];
  test.each(operations)('%s', (_, f, ...[checksReverse]) => {
    const a = tf.variable(values([3, 4], 1), true, 'a');
    const b = tf.variable(values([4], 2), true, 'b');
    expectTangent(() => tf.tidy(() => f(a, b)), [a, b], {
      reverse: checksReverse ?? true,
    });
  });

  const check = (f: (a: tf.Tensor) => tf.Tensor) => {
    const a = tf.variable(values([3, 4], 1), true, 'a');
    expectTangent(() => tf.tidy(() => f(a)), [a], { reverse: false });
  };

  (backend === 'wasm' ? test.skip : test)('segment sums', () => {
    check((a) => tf.unsortedSegmentSum(a, tf.tensor1d([1, 0, 1], 'int32'), 2));
  });

  // Of the backends only cpu and tensorflow have the kernel.
  (backend === 'wasm' ? test.skip : test).each([1, 3, 5])(
    'local response normalisation over channels up to %d away',
    (radius) => {
      const a = tf.variable(values([2, 2, 2, 4], 1), true, 'a');
      const normalised = () =>
        tf.tidy(() => tf.localResponseNormalization(a as tf.Tensor as tf.Tensor4D, radius, 0.7, 0.4, 0.6));
      expectTangent(normalised, [a]);
    },
  );

  describe('sums of products by the indices of a formula', () => {
    const pair = () => [
      tf.variable(values([2, 3, 4], 1), true, 'a'),
      tf.variable(values([4, 3], 2), true, 'b'),
    ];
    const check = (f: (a: tf.Tensor, b: tf.Tensor) => tf.Tensor) => {
      const [a, b] = pair();
      expectTangent(() => tf.tidy(() => f(a, b)), [a, b], { reverse: false });
      tf.dispose([a, b]);
    };
    const testIfThere = backend === 'wasm' ? test.skip : test;

    testIfThere('of variables, and of one tensor', () => {
      check((a, b) => tf.einsum('nij,ji->n', a, b));
      check((a, b) => tf.einsum('nik->kn', tf.einsum('nij,jk->nik', a, b).square()).mul(b.sum()));
    });

    testIfThere('of values on the way, where a registered gradient has tfjs save them', () => {
      tf.registerGradient({ kernelName: 'Einsum', saveAllInputs: true, gradFunc: () => ({}) });
      try {
        check((a, b) => tf.einsum('nij,jk->nik', tf.tanh(a), tf.exp(b)));
      } finally {
        tf.unregisterGradient('Einsum');
      }
    });

    testIfThere('are refused of values on the way that tfjs has released', () => {
      const [a, b] = pair();
      const product = () => tf.tidy(() => tf.einsum('nij,jk->nik', a.add(1), b.add(1)).mean<tf.Scalar>());
      expect(() =>
        withTape(product, [a, b], ({ tangent, loss }) => tangent(new Map([[a.id, a as tf.Tensor]]), [loss])),
      ).toThrow(/directional derivative of Einsum .*has released an input of it/);
    });
  });

  // Only cpu knows where the input ends there: tensorflow refuses it, and wasm's kernel does not look.
  (backend === 'cpu' ? test : test.skip)('a max-pool whose windows go past the input', () => {
    check((a) => tf.maxPool(a.reshape<tf.Tensor3D>([3, 4, 1]), 2, 2, 0, 'ceil'));
  });

  test('a target that has a direction of its own has both, in a tensor of its own', () => {
    const w = tf.variable(values([3, 2], 1), true, 'w') as tf.Variable<tf.Rank.R2>;
    const x = values([4, 3], 2) as tf.Tensor2D;
    const [dw, dz] = [values([3, 2], 3), values([4, 2], 4)];
    let z: tf.Tensor;
    withTape(
      () => (z = x.matMul(w)).square().mean<tf.Scalar>(),
      [w],
      ({ tangent }) => {
        const found = tangent(
          new Map([
            [w.id, dw],
            [z.id, dz],
          ]),
          [w, z],
        );
        expect(found.get(w.id)!.arraySync()).toEqual(dw.arraySync());
        expect(found.get(w.id)).not.toBe(dw);
        expect(
          relativeError(
            found.get(z.id)!.dataSync(),
            x
              .matMul(dw as tf.Tensor2D)
              .add(dz)
              .dataSync(),
          ),
        ).toBeLessThan(1e-6);
      },
    );
  });

  test('what no direction reaches is not in the result, and nothing is recorded', () => {
    const [v, w] = ['v', 'w'].map(
      (name, i) => tf.variable(values([3, 3], i), true, name) as tf.Variable<tf.Rank.R2>,
    );
    const x = values([4, 3], 2) as tf.Tensor2D;
    let hidden: tf.Tensor2D;
    withTape(
      () => {
        hidden = x.matMul(v) as tf.Tensor2D;
        return hidden.matMul(w).mean<tf.Scalar>();
      },
      [v, w],
      ({ tangent, loss }) => {
        const nodes = tapeLength();
        const found = tangent(new Map([[w.id, w]]), [hidden, loss]);
        expect([...found.keys()]).toEqual([loss.id]);
        expect(tapeLength()).toBe(nodes);
      },
    );
  });
});

const tapeLength = () => (tf.engine().state as unknown as { activeTape: unknown[] }).activeTape.length;

describe('withTape', () => {
  beforeAll(() => useBackend('cpu'));
  afterEach(() => tf.disposeVariables());

  const setUp = () => {
    const w = tf.variable(values([3, 2], 1), true, 'w') as tf.Variable<tf.Rank.R2>;
    const x = values([4, 3], 2) as tf.Tensor2D;
    return { w, x, loss: () => x.matMul(w).square().mean<tf.Scalar>() };
  };

  test('gives what the callback returns and leaves nothing behind', () => {
    const { w, loss } = setUp();
    const before = tf.memory().numTensors;
    const value = withTape(loss, [w], (recording) => recording.loss.dataSync()[0]);
    expect(tf.memory().numTensors).toBe(before);
    expect(value).toBe(tf.tidy(loss).dataSync()[0]);
    expect((tf.engine().state as unknown as { activeTape: unknown }).activeTape ?? null).toBeNull();
  });

  test('releases everything when the loss or the callback throws, and passes the error on', () => {
    const { w, loss } = setUp();
    const before = tf.memory().numTensors;
    const fails = () => {
      throw new Error('mine');
    };
    expect(() => withTape(loss, [w], fails)).toThrow('mine');
    expect(() =>
      withTape(
        () => {
          loss();
          return fails();
        },
        [w],
        () => 0,
      ),
    ).toThrow('mine');
    expect(tf.memory().numTensors).toBe(before);
  });

  test('inside a gradient computation it leaves that as it is', () => {
    const { w, loss } = setUp();
    const expected = tf.variableGrads(loss, [w]);
    const { grads } = tf.variableGrads(() => {
      withTape(loss, [w], ({ tangent, loss: scalar }) => tangent(new Map([[w.id, w]]), [scalar]));
      return loss();
    }, [w]);
    expect(grads.w.arraySync()).toEqual(expected.grads.w.arraySync());
  });

  test('its walks cannot be called afterwards', () => {
    const { w, loss } = setUp();
    const recording = withTape(loss, [w], (given) => given);
    expect(() => recording.tangent(new Map(), [])).toThrow(errorWithCode('ERR_NATGRAD_STATE'));
    expect(() => recording.backward(new Map(), [])).toThrow(errorWithCode('ERR_NATGRAD_STATE'));
  });

  test('a kernel without a rule is named', () => {
    const w = tf.variable(values([4], 1), true, 'w');
    expect(() =>
      withTape(
        () => tf.prod(w.add(2)).asScalar(),
        [w],
        ({ tangent, loss }) => tangent(new Map([[w.id, w]]), [loss]),
      ),
    ).toThrow(/directional derivative of Prod/);
  });
});
