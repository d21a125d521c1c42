import * as tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-wasm';

import { engine } from '../../src/tape/engine';
import { record } from '../../src/tape/record';
import type { Recording } from '../../src/tape/types';
import { labels, randomise, relativeError, values, variablesOf } from './nets';
import { backends } from '../support/backends';

const { layers } = tf;

/** Runs `look` on the recording of a loss. */
function during<T>(loss: () => tf.Scalar, variables: tf.Variable[], look: (recording: Recording) => T): T {
  let result: T;
  const { value, grads } = record(loss, variables, {
    onForward: (recording) => void (result = look(recording)),
  });
  tf.dispose([value, grads]);
  return result!;
}

/** The names of the kernels that run while `work` does. */
function kernelsOf(work: () => void): string[] {
  const target = engine();
  const names: string[] = [];
  const { runKernel } = target;
  target.runKernel = (name, ...rest) => {
    names.push(name);
    return runKernel.call(target, name, ...rest);
  };
  try {
    work();
  } finally {
    delete (target as Partial<typeof target>).runKernel;
  }
  return names;
}

describe.each(backends)('on %s', (backend) => {
  beforeAll(async () => {
    await tf.setBackend(backend);
  });
  afterEach(() => tf.disposeVariables());

  const nets: [string, () => tf.Sequential, number[]][] = [
    [
      'dense layers',
      () =>
        tf.sequential({
          layers: [
            layers.dense({ units: 4, inputShape: [3], activation: 'relu' }),
            layers.dense({ units: 4 }),
            layers.batchNormalization(),
            layers.dense({ units: 2, activation: 'elu', useBias: false }),
          ],
        }),
      [5, 3],
    ],
    [
      'recurrent layers',
      () =>
        tf.sequential({
          layers: [
            layers.lstm({ units: 3, inputShape: [4, 3], returnSequences: true }),
            layers.gru({ units: 3, returnSequences: true }),
            layers.simpleRNN({ units: 2, returnSequences: true }),
            layers.timeDistributed({ layer: layers.dense({ units: 2, activation: 'softmax' }) }),
          ],
        }),
      [5, 4, 3],
    ],
  ];

  test.each(nets)(
    'from the loss to all variables it gives the gradients of autodiff, for %s',
    (_, build, shape) => {
      const model = build();
      randomise(model);
      const variables = variablesOf(model);
      const [input, weights] = [
        values(shape, 3),
        values([shape[0], ...(model.outputShape.slice(1) as number[])], 4),
      ];
      const loss = () => (model.apply(input, { training: true }) as tf.Tensor).mul(weights).mean<tf.Scalar>();
      const expected = tf.variableGrads(loss, variables);
      const before = tf.memory().numTensors;
      const actual = during(loss, variables, ({ loss: scalar, backward }) => {
        const gradients = backward(new Map([[scalar.id, tf.scalar(1)]]), variables);
        return variables.map(({ id }) => gradients.get(id)!.dataSync().slice());
      });
      expect(tf.memory().numTensors).toBe(before);
      variables.forEach(({ name }, i) => {
        expect(relativeError(actual[i], expected.grads[name].dataSync())).toBeLessThan(1e-6);
      });
      tf.dispose([expected.value, expected.grads, input, weights]);
    },
  );

  test('several heads in one walk: a time-distributed softmax over an LSTM', () => {
    const model = tf.sequential({
      layers: [
        layers.lstm({ units: 3, inputShape: [4, 2], returnSequences: true }),
        layers.timeDistributed({ layer: layers.dense({ units: 3, activation: 'softmax' }) }),
      ],
    });
    randomise(model);
    const variables = variablesOf(model);
    const input = values([5, 4, 2], 3);
    const target = labels(20, 3).reshape([5, 4, 3]);
    const probabilities = () => model.apply(input, { training: true }) as tf.Tensor;
    // Every row is drawn to be class 0: d(-log p_0)/dz = p - e_0.
    const drawn = tf.oneHot(tf.zeros([5], 'int32'), 3).toFloat();
    const reference = (): tf.Tensor => probabilities().slice([0, 0, 0], [-1, -1, 1]).log().sum().neg();
    const expected = tf.variableGrads(reference as () => tf.Scalar, variables);
    const loss = () => tf.metrics.categoricalCrossentropy(target, probabilities()).mean<tf.Scalar>();
    const actual = during(loss, variables, ({ heads, backward }) => {
      expect(heads).toHaveLength(4);
      const seeds = new Map(heads.map((head) => [head.parameters.id, tf.sub(head.probabilities!, drawn)]));
      const gradients = backward(seeds, variables);
      return variables.map(({ id }) => gradients.get(id)!.dataSync().slice());
    });
    variables.forEach(({ name }, i) => {
      expect(relativeError(actual[i], expected.grads[name].dataSync())).toBeLessThan(2e-6);
    });
    tf.dispose([expected.value, expected.grads]);
  });

  test('a target that is seeded itself has its seed and what flows into it, in a tensor of its own', () => {
    const w = tf.variable(values([3, 2], 1), true, 'w') as tf.Variable<tf.Rank.R2>;
    const x = values([4, 3], 2) as tf.Tensor2D;
    const [zSeed, aSeed] = [values([4, 2], 3), values([4, 2], 4)];
    let [z, a]: tf.Tensor[] = [];
    const loss = () => {
      z = x.matMul(w);
      a = z.mul(3);
      return a.mean<tf.Scalar>();
    };
    const [gz, ga, isOwn] = during(loss, [w], ({ backward }) => {
      const found = backward(
        new Map([
          [z.id, zSeed],
          [a.id, aSeed],
        ]),
        [z, a],
      );
      return [found.get(z.id)!.arraySync(), found.get(a.id)!.arraySync(), found.get(a.id) !== aSeed] as const;
    });
    expect(gz).toEqual(zSeed.add(aSeed.mul(3)).arraySync());
    expect(ga).toEqual(aSeed.arraySync());
    expect(isOwn).toBe(true);
    expect(zSeed.isDisposed || aSeed.isDisposed).toBe(false);
  });

  test('targets that no seed depends on are not in the result, and nothing is recorded', () => {
    const [v, w] = ['v', 'w'].map(
      (name, i) => tf.variable(values([3, 3], i), true, name) as tf.Variable<tf.Rank.R2>,
    );
    const x = values([4, 3], 2) as tf.Tensor2D;
    let hidden: tf.Tensor2D;
    const loss = () => {
      hidden = x.matMul(v) as tf.Tensor2D;
      return hidden.tanh().matMul(w).mean<tf.Scalar>();
    };
    during(loss, [v, w], ({ backward }) => {
      const tape = engine().state.activeTape!;
      const nodes = tape.length;
      const found = backward(new Map([[hidden.id, tf.ones([4, 3])]]), [v, w]);
      expect([...found.keys()]).toEqual([v.id]);
      expect(tape).toHaveLength(nodes);
      expect(backward(new Map(), [v]).size).toBe(0);
    });
  });

  test('an input of the network can be a target', () => {
    const w = tf.variable(values([3, 2], 1), true, 'w') as tf.Variable<tf.Rank.R2>;
    const x = values([4, 3], 2) as tf.Tensor2D;
    const loss = () => x.matMul(w).square().sum<tf.Scalar>();
    const expected = tf.grad((input) => (input as tf.Tensor2D).matMul(w).square().sum())(x);
    const actual = during(loss, [w], ({ loss: scalar, backward }) =>
      backward(new Map([[scalar.id, tf.scalar(1)]]), [x])
        .get(x.id)!
        .dataSync()
        .slice(),
    );
    expect(relativeError(actual, expected.dataSync())).toBeLessThan(1e-6);
  });

  test('products compute the gradient of no input that is not asked for', () => {
    const model = tf.sequential({
      layers: [layers.dense({ units: 4, inputShape: [3] }), layers.dense({ units: 2 })],
    });
    randomise(model);
    const input = values([5, 3], 3);
    const loss = () => (model.apply(input) as tf.Tensor).square().mean<tf.Scalar>();
    during(loss, variablesOf(model), ({ layers: [first, last], backward }) => {
      const seeds = new Map([[last.uses[0].output.id, tf.ones([5, 2])]]);
      const products = (targets: tf.Tensor[]) =>
        kernelsOf(() => backward(seeds, targets)).filter((name) => name.includes('MatMul')).length;
      expect(products([first.uses[0].output])).toBe(1);
      expect(products([last.uses[0].output])).toBe(0);
      expect(products([last.variables[0]])).toBe(1);
      expect(products([last.variables[1]])).toBe(0);
    });
  });
});

test('fused convolutions compute the gradient of no input that is not asked for, and give that of autodiff', async () => {
  await tf.setBackend('cpu');
  const model = tf.sequential({
    layers: [
      layers.conv2d({ kernelSize: 3, filters: 2, strides: 2, padding: 'same', inputShape: [7, 6, 1] }),
      layers.conv2d({ kernelSize: 2, filters: 3, strides: 1 }),
    ],
  });
  randomise(model);
  const variables = variablesOf(model);
  const input = values([2, 7, 6, 1], 3);
  const loss = () => (model.apply(input) as tf.Tensor).square().mean<tf.Scalar>();
  const expected = tf.variableGrads(loss, variables);
  during(loss, variables, ({ loss: scalar, layers: [first, last], backward }) => {
    const seeds = new Map([[scalar.id, tf.scalar(1)]]);
    const kernels = (targets: tf.Tensor[]) =>
      kernelsOf(() => backward(seeds, targets)).filter((name) => name.startsWith('Conv2DBackprop'));
    expect(kernels([first.uses[0].output])).toEqual(['Conv2DBackpropInput']);
    expect(kernels([last.uses[0].output])).toEqual([]);
    expect(kernels([last.variables[0]])).toEqual(['Conv2DBackpropFilter']);
    const found = backward(seeds, variables);
    for (const { id, name } of variables) {
      expect(relativeError(found.get(id)!.dataSync(), expected.grads[name].dataSync())).toBeLessThan(1e-6);
    }
  });
  tf.dispose([expected.value, expected.grads]);
});
