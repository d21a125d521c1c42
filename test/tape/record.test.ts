import * as tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-wasm';

import { NatgradError } from '../../src/errors';
import { engine } from '../../src/tape/engine';
import { record } from '../../src/tape/record';
import type { Recording, RecordHooks } from '../../src/tape/types';
import { labels, randomise, values, variablesOf } from './nets';

const { layers } = tf;
const nothing: RecordHooks = { onForward() {} };

/** Asks for the gradient of every pre-activation, as the empirical Fisher does. */
const everything: RecordHooks = {
  onForward: ({ layers: found }) => found.flatMap((layer) => layer.uses.map((use) => use.output)),
  onBackward() {},
};

/** Walks back from the heads, as the sampled Fisher does. */
const walking: RecordHooks = {
  onForward({ heads, layers: found, backward }) {
    const seeds = new Map(heads.map(({ parameters }) => [parameters.id, tf.ones(parameters.shape)]));
    backward(
      seeds,
      found.flatMap((layer) => layer.uses.map((use) => use.output)),
    );
  },
};

function memory(): number[] {
  const { numTensors, numBytes, numDataBuffers } = tf.memory();
  return [numTensors, numBytes, numDataBuffers];
}

function errorOf(work: () => unknown): NatgradError {
  try {
    work();
  } catch (error) {
    return error as NatgradError;
  }
  throw new Error('nothing was thrown');
}

const runKernelIsUntouched = () => !Object.prototype.hasOwnProperty.call(tf.engine(), 'runKernel');

let w: tf.Variable<tf.Rank.R2>;
let b: tf.Variable;
let x: tf.Tensor2D;
let y: tf.Tensor2D;
const loss = (): tf.Scalar => tf.losses.softmaxCrossEntropy(y, tf.add(x.matMul(w), b));

beforeEach(async () => {
  await tf.setBackend('cpu');
  x = values([6, 4], 1) as tf.Tensor2D;
  y = labels(6, 3);
  [w, b] = tf.tidy(() => [
    tf.variable(values([4, 3], 2), true, 'w') as tf.Variable<tf.Rank.R2>,
    tf.variable(values([3], 3), true, 'b'),
  ]);
});
afterEach(() => {
  tf.disposeVariables();
  tf.dispose([x, y]);
  expect(runKernelIsUntouched()).toBe(true);
});

describe('the result is that of tf.variableGrads', () => {
  const nets: [string, 'cpu' | 'wasm', () => tf.Sequential, number[]][] = [
    [
      'a dense net with penalties',
      'wasm',
      () =>
        tf.sequential({
          layers: [
            layers.dense({ units: 5, inputShape: [4], activation: 'relu', kernelRegularizer: 'l1l2' }),
            layers.batchNormalization(),
            layers.dense({ units: 3, activation: 'softmax' }),
          ],
        }),
      [6, 4],
    ],
    [
      'a convolutional net',
      'cpu',
      () =>
        tf.sequential({
          layers: [
            layers.conv2d({ kernelSize: 2, filters: 2, inputShape: [4, 4, 1] }),
            layers.flatten(),
            layers.dense({ units: 3, activation: 'softmax' }),
          ],
        }),
      [6, 4, 4, 1],
    ],
    [
      'a recurrent net',
      'cpu',
      () =>
        tf.sequential({
          layers: [
            layers.lstm({ units: 3, inputShape: [3, 4], returnSequences: true }),
            layers.gru({ units: 2 }),
            layers.dense({ units: 3, activation: 'softmax' }),
          ],
        }),
      [6, 3, 4],
    ],
  ];
  const hooks: [string, RecordHooks][] = [
    ['no hooks', nothing],
    ['late gradients', everything],
    ['a walk of its own', walking],
  ];
  const cases = nets.flatMap((net) => hooks.map((hook) => [net, hook] as const));

  test.each(cases)('to the last bit, for %s, with %s', async ([, backend, build, shape], [, hook]) => {
    await tf.setBackend(backend);
    const model = build();
    randomise(model);
    const input = values(shape, 7);
    const f = () =>
      tf.metrics
        .categoricalCrossentropy(y, model.apply(input, { training: true }) as tf.Tensor)
        .mean<tf.Scalar>();
    const expected = tf.variableGrads(f, variablesOf(model));
    const before = memory();
    const actual = record(f, variablesOf(model), hook);
    expect(Object.keys(actual.grads)).toEqual(Object.keys(expected.grads));
    expect(actual.value.dataSync()).toEqual(expected.value.dataSync());
    for (const name of Object.keys(expected.grads)) {
      expect(actual.grads[name].shape).toEqual(expected.grads[name].shape);
      expect(actual.grads[name].dataSync()).toEqual(expected.grads[name].dataSync());
    }
    tf.dispose([actual.value, actual.grads]);
    expect(memory()).toEqual(before);
    tf.dispose([expected.value, expected.grads, input]);
    model.dispose();
  });

  test('without a list, for all trainable variables that are registered, those without influence left out', () => {
    tf.variable(tf.scalar(1), true, 'unused');
    tf.variable(tf.scalar(1), false, 'fixed');
    const [actual, expected] = [record(loss, undefined, nothing), tf.variableGrads(loss)];
    expect(Object.keys(actual.grads)).toEqual(['w', 'b']);
    expect(Object.keys(actual.grads)).toEqual(Object.keys(expected.grads));
    tf.dispose([actual.value, actual.grads, expected.value, expected.grads]);
  });

  test('with null for listed variables that are not trainable', () => {
    const fixed = tf.variable(tf.scalar(1), false, 'fixed');
    const [actual, expected] = [record(loss, [w, fixed], nothing), tf.variableGrads(loss, [w, fixed])];
    expect(actual.grads.fixed).toBeNull();
    expect(Object.keys(actual.grads)).toEqual(Object.keys(expected.grads));
    tf.dispose([actual.value, actual.grads, expected.value, expected.grads]);
  });
});

describe('hooks', () => {
  test('onForward runs once, with the loss, after a single run of the function', () => {
    const f = jest.fn(loss);
    const onForward = jest.fn((recording: Recording) => {
      expect(recording.loss.rank).toBe(0);
    });
    const { value, grads } = record(f, [w, b], { onForward });
    expect(f).toHaveBeenCalledTimes(1);
    expect(onForward).toHaveBeenCalledTimes(1);
    tf.dispose([value, grads]);
  });

  test('onBackward gets gradients in the order they were asked for, variables and tensors without influence among them', () => {
    const unused = tf.variable(tf.scalar(1), true, 'unused');
    let asked: (number[] | null)[] = [];
    const { value, grads } = record(loss, [w, b], {
      onForward: ({ layers: [layer] }) => [b, unused, layer.uses[0].output, w],
      onBackward: (_, gradients) => (asked = gradients.map((gradient) => gradient && gradient.shape)),
    });
    expect(asked).toEqual([[3], null, [6, 3], [4, 3]]);
    expect(grads.b.dataSync()).toHaveLength(3);
    expect(grads.w.dataSync()).toHaveLength(12);
    tf.dispose([value, grads]);
  });

  test('activations can still be read in onBackward, and not after', () => {
    let activation: tf.Tensor | undefined;
    const { value, grads } = record(loss, [w, b], {
      ...everything,
      onBackward({ layers: [layer] }) {
        activation = layer.uses[0].activation;
        expect([...activation!.dataSync()]).toEqual([...x.dataSync()]);
      },
    });
    expect(activation!.isDisposed).toBe(true);
    tf.dispose([value, grads]);
  });

  test('no copies of activations are made where no gradients are asked for', () => {
    let alive = true;
    const { value, grads } = record(loss, [w, b], {
      onForward() {},
      onBackward: ({ layers: [layer] }) => void (alive = !layer.uses[0].activation!.isDisposed),
    });
    expect(alive).toBe(false);
    tf.dispose([value, grads]);
  });

  test('values of a released tensor can be read where tfjs saved a copy, and only there', () => {
    const expected = tf.tidy(() => [...tf.add(x.matMul(w), b).dataSync()]);
    const read: (number[] | undefined)[] = [];
    for (const activation of [tf.relu, tf.sigmoid]) {
      const { value, grads } = record(
        () => tf.tidy(() => activation(tf.add(x.matMul(w), b)).mean<tf.Scalar>()),
        [w, b],
        {
          onForward({ layers: [layer], readable }) {
            expect(layer.uses[0].output.isDisposed).toBe(true);
            const copy = readable(layer.uses[0].output);
            read.push(copy && [...copy.dataSync()]);
          },
        },
      );
      tf.dispose([value, grads]);
    }
    // relu saves its input, sigmoid its output.
    expect(read).toEqual([expected, undefined]);
  });

  test('what hooks compute is not recorded and is released', () => {
    const before = memory();
    let lengths: number[] = [];
    const { value, grads } = record(loss, [w, b], {
      onForward() {
        const tape = engine().state.activeTape!;
        lengths = [tape.length];
        tf.matMul(x, w).square();
        lengths.push(tape.length);
      },
      onBackward: () => void tf.matMul(x, w).square(),
    });
    expect(lengths[1]).toBe(lengths[0]);
    tf.dispose([value, grads]);
    expect(memory()).toEqual(before);
  });

  test('recording.backward is refused once the tape is gone', () => {
    let late: unknown;
    const { value, grads } = record(loss, [w, b], {
      onForward() {},
      onBackward: ({ backward }) => (late = errorOf(() => backward(new Map(), []))),
    });
    expect(late).toMatchObject({ code: 'ERR_NATGRAD_STATE' });
    tf.dispose([value, grads]);
  });
});

describe('errors leave nothing behind', () => {
  let before: number[];
  beforeEach(() => {
    before = memory();
  });
  afterEach(() => {
    expect(memory()).toEqual(before);
    expect(engine().state).toMatchObject({ gradientDepth: 0, kernelDepth: 0 });
    // The next recording works as if nothing had happened.
    const { value, grads } = record(loss, [w, b], everything);
    expect(grads.w.dataSync().every(Number.isFinite)).toBe(true);
    tf.dispose([value, grads]);
  });

  test('a loss that throws', () => {
    const f = () => {
      loss();
      throw new Error('no data');
    };
    expect(() => record(f, [w, b], nothing)).toThrow('no data');
  });

  test('a hook that throws, before or after the backward pass', () => {
    const fail = () => {
      tf.ones([3]);
      throw new Error('no hook');
    };
    expect(() => record(loss, [w, b], { onForward: fail })).toThrow('no hook');
    expect(() => record(loss, [w, b], { ...everything, onBackward: fail })).toThrow('no hook');
  });

  test('a gradient that throws: the error names the operation, and keeps what was thrown', () => {
    const broken = tf.customGrad((input) => {
      const tensor = input as tf.Tensor;
      return {
        value: tensor.mul(2),
        gradFunc: () => {
          throw new Error('not differentiable');
        },
      };
    });
    const f = () => tf.tidy('brokenScope', () => broken(x.matMul(w))).mean<tf.Scalar>();
    const error = errorOf(() => record(f, [w], nothing));
    expect(error.code).toBe('ERR_NATGRAD_BACKEND');
    expect(error.message).toMatch(/gradient of brokenScope .*'cpu'.*not differentiable/);
    expect(error.cause).toMatchObject({ message: 'not differentiable' });
  });

  test('a gradient that throws in the walk of a hook', () => {
    const product = (): tf.Scalar =>
      tf.losses.softmaxCrossEntropy(y, tf.einsum('ij,jk->ik', x, w) as tf.Tensor2D);
    const error = errorOf(() =>
      record(product, [w], {
        onForward: ({ heads, backward }) => {
          backward(new Map([[heads[0].parameters.id, tf.ones([6, 3])]]), [w]);
        },
      }),
    );
    expect(error.code).toBe('ERR_NATGRAD_BACKEND');
    expect(error.message).toMatch(/Einsum/);
  });

  test('a loss that is no scalar, no tensor, a promise, or depends on no variable; and wrong arguments', () => {
    const cases: [() => unknown, string][] = [
      [() => record(() => x.matMul(w) as unknown as tf.Scalar, [w], nothing), 'ERR_NATGRAD_SHAPE'],
      [() => record(() => 3 as unknown as tf.Scalar, [w], nothing), 'ERR_NATGRAD_TYPE'],
      [() => record(() => Promise.resolve() as unknown as tf.Scalar, [w], nothing), 'ERR_NATGRAD_TYPE'],
      [() => record(() => x.mean<tf.Scalar>(), [w], nothing), 'ERR_NATGRAD_ARGUMENT'],
      [() => record(loss, [], nothing), 'ERR_NATGRAD_ARGUMENT'],
      [() => record(loss, [x as unknown as tf.Variable], nothing), 'ERR_NATGRAD_TYPE'],
      [() => record(3 as unknown as () => tf.Scalar, [w], nothing), 'ERR_NATGRAD_TYPE'],
    ];
    for (const [work, code] of cases) expect(errorOf(work).code).toBe(code);
  });
});

test('on wasm a missing gradient kernel is named, with what to do', async () => {
  await tf.setBackend('wasm');
  const before = memory();
  const filter = tf.variable(values([2, 2, 1, 2], 4), true, 'filter') as tf.Variable<tf.Rank.R4>;
  const images = values([2, 4, 4, 1], 5) as tf.Tensor4D;
  const error = errorOf(() =>
    record(() => tf.conv2d(images, filter, 1, 'valid').mean<tf.Scalar>(), [filter], nothing),
  );
  expect(error.message).toMatch(/gradient of Conv2D .*'wasm'.*Conv2DBackpropFilter/);
  tf.dispose([filter, images]);
  expect(memory()[0]).toBe(before[0] + 1); // tf.variable shares the values it is given, which stay the test's
});

describe('recordings within recordings', () => {
  test('a recording inside the function of another', () => {
    const plain = tf.variableGrads(loss, [w, b]);
    let inner: number[] = [];
    const nested = () => {
      const { value, grads } = record(loss, [w], everything);
      inner = [...grads.w.dataSync()];
      tf.dispose([value, grads]);
      return loss();
    };
    const outer = record(nested, [w, b], {
      ...everything,
      onForward: (recording) => {
        expect(recording.layers.map(({ kind, uses }) => [kind, uses.length])).toEqual([['dense', 1]]);
        return everything.onForward(recording);
      },
    });
    expect(inner).toEqual([...plain.grads.w.dataSync()]);
    expect(outer.grads.w.dataSync()).toEqual(plain.grads.w.dataSync());
    tf.dispose([plain.value, plain.grads, outer.value, outer.grads]);
  });

  test('an engine whose runKernel somebody else replaced gets it back as it was', () => {
    const target = engine();
    const theirs = jest.fn(target.runKernel.bind(target));
    target.runKernel = theirs;
    const { value, grads } = record(loss, [w, b], everything);
    expect(target.runKernel).toBe(theirs);
    expect(theirs).toHaveBeenCalled();
    delete (target as Partial<typeof target>).runKernel;
    tf.dispose([value, grads]);
  });
});

describe('in training', () => {
  /** Gradient descent on what a recording returns. */
  class Recorder extends tf.SGDOptimizer {
    static override className = 'Recorder';
    readonly kinds: string[] = [];

    override computeGradients(f: () => tf.Scalar, variables?: tf.Variable[]) {
      return record(f, variables, {
        ...everything,
        onForward: (recording) => {
          this.kinds.push(
            recording.layers.map(({ kind }) => kind).join() +
              ':' +
              recording.heads.length +
              ':' +
              recording.examples,
          );
          walking.onForward(recording);
          return everything.onForward(recording);
        },
      });
    }
  }

  test.each(['cpu', 'wasm'])(
    'model.fit goes the way of plain gradient descent, in constant memory, on %s',
    async (backend) => {
      await tf.setBackend(backend);
      const histories: number[][] = [];
      const memories: number[][] = [];
      const recorder = new Recorder(0.1);
      for (const optimizer of [tf.train.sgd(0.1), recorder]) {
        const model = tf.sequential({
          layers: [
            layers.dense({ units: 5, inputShape: [4], activation: 'tanh' }),
            layers.dense({ units: 3, activation: 'softmax' }),
          ],
        });
        randomise(model);
        model.compile({ optimizer, loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
        const { history } = await model.fit(x, y, {
          epochs: 4,
          batchSize: 3,
          shuffle: false,
          verbose: 0,
          callbacks: { onEpochEnd: () => void memories.push(memory()) },
        });
        histories.push(history.loss as number[]);
        model.dispose();
      }
      expect(histories[1]).toEqual(histories[0]);
      expect(memories[7]).toEqual(memories[5]);
      expect(recorder.kinds).toEqual(Array(8).fill('dense,dense:1:3'));
    },
  );

  test('optimizer.minimize works with it too', () => {
    const recorder = new Recorder(0.1);
    const [first, last] = [0, 20].map((steps) => {
      for (let i = 0; i < steps; i++) recorder.minimize(loss, false, [w, b]);
      return tf.tidy(() => loss().dataSync()[0]);
    });
    expect(last).toBeLessThan(first);
    recorder.dispose();
  });
});
