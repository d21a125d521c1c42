import * as tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-wasm';

import { record } from '../../src/tape/record';
import { values } from './nets';
import { backends } from '../support/backends';

const { layers } = tf;

interface Found {
  kind: string;
  begin: number;
  size: number;
  slope?: number;
  values?: number[];
}

/** What the tape says the outputs of every use of the variables whose name contains `part` go through. */
function found(loss: () => tf.Tensor, part: string): Found[][] {
  let result: Found[][] = [];
  const { value, grads } = record(loss as () => tf.Scalar, undefined, {
    onForward(recording) {
      const layer = recording.layers.find(({ variables }) => variables[0].name.includes(part))!;
      result = layer.uses.map((use) =>
        recording.nonlinearities(use).map(({ values: tensor, ...rest }) => ({
          ...rest,
          ...(tensor ? { values: [...tensor.dataSync<'float32'>()] } : {}),
        })),
      );
    },
  });
  tf.dispose([value, grads]);
  return result;
}

function close(actual: number[], expected: number[]): void {
  expect(actual).toHaveLength(expected.length);
  actual.forEach((value, i) => expect(value).toBeCloseTo(expected[i], 5));
}

describe.each(backends)('what the outputs of a layer go through, on %s', (backend) => {
  beforeAll(async () => {
    await tf.setBackend(backend);
  });
  afterEach(() => tf.disposeVariables());

  test.each([
    ['relu', 'rectifier', (z: number) => z],
    ['relu6', 'rectifier', (z: number) => z],
    ['elu', 'elu', (z: number) => (z > 0 ? z : Math.expm1(z))],
    ['sigmoid', 'sigmoid', (z: number) => 1 / (1 + Math.exp(-z))],
    ['hardSigmoid', 'hardSigmoid', (z: number) => 0.2 * z + 0.5],
    ['tanh', 'tanh', Math.tanh],
  ] as const)('of a dense layer with activation %s', (activation, kind, valueOf) => {
    // Oracle: z = x W + b, computed by hand.
    const model = tf.sequential({
      layers: [
        layers.dense({ units: 3, activation, inputShape: [4], name: 'hidden', biasInitializer: 'ones' }),
        layers.dense({ units: 2, name: 'last' }),
      ],
    });
    const x = values([5, 4], 3);
    const loss = () => (model.apply(x, { training: true }) as tf.Tensor).mean();
    const z = tf.tidy(() => {
      const [kernel, bias] = model.layers[0].getWeights();
      return tf.add(tf.matMul(x as tf.Tensor2D, kernel as tf.Tensor2D), bias).dataSync<'float32'>();
    });
    const [[{ values: kept, ...rest }]] = found(loss, 'hidden');
    expect(rest).toEqual({ kind, begin: 0, size: 3, ...(kind === 'rectifier' ? { slope: 0 } : {}) });
    close(kept!, Array.from(z, valueOf));
    expect(found(loss, 'last')).toEqual([[{ kind: 'linear', begin: 0, size: 2 }]]);
  });

  it('knows the probabilities of the output behind a loss', () => {
    const model = tf.sequential({
      layers: [layers.dense({ units: 3, inputShape: [4], name: 'logits' })],
    });
    const x = values([2, 4], 3);
    const y = tf.tensor2d([0, 1, 0, 1, 0, 0], [2, 3]);
    const logits = () => model.apply(x) as tf.Tensor;
    const softmax = found(() => tf.losses.softmaxCrossEntropy(y, logits()), 'logits');
    expect(softmax[0][0]).toMatchObject({ kind: 'softmax', begin: 0, size: 3 });
    close(softmax[0][0].values!, [...tf.softmax(logits()).dataSync()]);
    const sigmoid = found(() => tf.losses.sigmoidCrossEntropy(y, logits()), 'logits');
    expect(sigmoid[0][0]).toMatchObject({ kind: 'sigmoid', begin: 0, size: 3 });
    close(sigmoid[0][0].values!, [...tf.sigmoid(logits()).dataSync()]);
  });

  it('looks through batch normalisation and knows the slope of a leaky rectifier', () => {
    const model = tf.sequential({
      layers: [
        layers.dense({ units: 3, inputShape: [4], name: 'hidden' }),
        layers.batchNormalization(),
        layers.leakyReLU({ alpha: 0.25 }),
      ],
    });
    const x = values([5, 4], 3);
    const [[{ kind, slope, values: kept }]] = found(
      () => (model.apply(x, { training: true }) as tf.Tensor).mean(),
      'hidden',
    );
    expect({ kind, slope }).toEqual({ kind: 'rectifier', slope: 0.25 });
    // What is rectified has been normalised: its columns have mean zero.
    const column = [0, 3, 6, 9, 12].reduce((sum, i) => sum + kept![i], 0);
    expect(Math.abs(column)).toBeLessThan(1e-5);
  });

  it('counts outputs that are used in several ways as linear', () => {
    const w = tf.variable(values([4, 3], 2) as tf.Tensor2D, true, 'kernel');
    const x = values([5, 4], 3) as tf.Tensor2D;
    const swish = () => {
      const z = tf.matMul(x, w);
      return tf.mul(z, tf.sigmoid(z)).mean();
    };
    expect(found(swish, 'kernel')).toEqual([[{ kind: 'linear', begin: 0, size: 3 }]]);
  });

  it('tells the gates of an LSTM apart, in both kernels and every time step', () => {
    const model = tf.sequential({ layers: [layers.lstm({ units: 2, inputShape: [3, 4] })] });
    const x = values([5, 3, 4], 3);
    const loss = () => (model.apply(x, { training: true }) as tf.Tensor).mean();
    // In the order i, f, c, o; the last output gate and all others decide about the loss.
    const gates = ['hardSigmoid', 'hardSigmoid', 'tanh', 'hardSigmoid'];
    for (const kernel of ['lstm', 'recurrent']) {
      const uses = found(loss, kernel);
      expect(uses).toHaveLength(3);
      for (const use of uses.slice(2)) {
        expect(use.map(({ kind, begin, size }) => [kind, begin, size])).toEqual(
          gates.map((kind, i) => [kind, 2 * i, 2]),
        );
        for (const { values: kept } of use) expect(kept).toHaveLength(10);
      }
      for (const use of uses) expect(use.map(({ kind }) => kind)).toEqual(gates);
    }
  });
});
