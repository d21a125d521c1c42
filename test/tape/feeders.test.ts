import * as tf from '@tensorflow/tfjs';

import { record } from '../../src/tape/record';
import { variablesOf } from './nets';

const { layers } = tf;

/** For every layer with a kernel, by the names of the model, the names of those that feed it. */
function feedersIn(model: tf.LayersModel, inputShape: number[]): Record<string, string[]> {
  const nameOf = ({ name }: tf.Variable) => name.split('/')[0];
  const found: Record<string, string[]> = {};
  const x = tf.ones(inputShape);
  const { value, grads } = record(
    () => (model.apply(x, { training: true }) as tf.Tensor).mean<tf.Scalar>(),
    variablesOf(model),
    {
      onForward: (recording) => {
        for (const { variables, feeders } of recording.layers) {
          if (feeders)
            found[nameOf(variables[0])] = feeders.map((feeder) => nameOf(feeder.variables[0])).sort();
        }
      },
    },
  );
  tf.dispose([value, grads, x]);
  model.dispose();
  return found;
}

describe('the feeders of a layer', () => {
  beforeAll(() => tf.setBackend('cpu'));

  it('are the layer before it, through activations, reshapes, pooling and normalisation', () => {
    const model = tf.sequential({
      layers: [
        layers.conv2d({ name: 'conv', filters: 2, kernelSize: 3, activation: 'relu', inputShape: [6, 6, 1] }),
        layers.maxPooling2d({ poolSize: 2 }),
        layers.flatten(),
        layers.dense({ name: 'hidden', units: 4 }),
        layers.layerNormalization({ name: 'norm' }),
        layers.dense({ name: 'output', units: 3, activation: 'softmax', useBias: false }),
      ],
    });
    expect(feedersIn(model, [2, 6, 6, 1])).toEqual({ conv: [], hidden: ['conv'], output: ['hidden'] });
  });

  it('are all the layers that are added up or joined', () => {
    const input = tf.input({ shape: [4] });
    const dense = (name: string, x: tf.SymbolicTensor, units = 4) =>
      layers.dense({ name, units, activation: 'tanh' }).apply(x) as tf.SymbolicTensor;
    const a = dense('a', input);
    const b = dense('b', a);
    const sum = layers.add().apply([a, b]) as tf.SymbolicTensor;
    const c = dense('c', sum);
    const joined = layers.concatenate().apply([c, dense('d', input)]) as tf.SymbolicTensor;
    const model = tf.model({ inputs: input, outputs: dense('e', joined, 1) });
    expect(feedersIn(model, [2, 4])).toEqual({ a: [], b: ['a'], c: ['a', 'b'], d: [], e: ['c', 'd'] });
  });

  it('include the layer itself where it is recurrent', () => {
    const model = tf.sequential({
      layers: [layers.simpleRNN({ name: 'rnn', units: 2, inputShape: [3, 2], useBias: false })],
    });
    // Kernel and recurrent kernel share the name of their layer.
    const found = feedersIn(model, [2, 3, 2]);
    expect(found.rnn).toContain('rnn');
  });
});
