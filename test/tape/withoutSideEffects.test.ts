import * as tf from '@tensorflow/tfjs';

import { withoutSideEffects } from '../../src/tape/withoutSideEffects';
import { backends, useBackend } from '../support/backends';

describe.each(backends)('calling a loss again without side effects, on %s', (backend) => {
  beforeAll(() => useBackend(backend));
  afterEach(() => tf.disposeVariables());

  /** Keeps its metric and appends it to a list, as the loss function of tfjs-layers does. */
  const lossWithMetric = (metrics: tf.Tensor[]) => () =>
    tf.tidy(() => {
      const x = tf.tensor1d([1, 2, 3]);
      const metric = tf.keep(x.mean());
      metrics.push(metric);
      return x.sum().dataSync()[0];
    });

  test('what is kept and appended is left out and released; the value is there', () => {
    const metrics: tf.Tensor[] = [];
    const call = lossWithMetric(metrics);
    call();
    const before = tf.memory().numTensors;
    expect(withoutSideEffects(call)).toBe(6);
    expect(metrics).toHaveLength(1);
    expect(metrics[0].isDisposed).toBe(false);
    expect(tf.memory().numTensors).toBe(before);
    call();
    expect(metrics).toHaveLength(2);
    tf.dispose(metrics);
  });

  test('a tensor that was kept before is left out but not released', () => {
    const earlier = tf.keep(tf.scalar(1));
    const list: tf.Tensor[] = [];
    withoutSideEffects(() => {
      tf.keep(earlier);
      list.push(earlier);
    });
    expect(list).toEqual([]);
    expect(earlier.isDisposed).toBe(false);
    earlier.dispose();
  });

  test('lists of other things are appended to as ever, and everything is put back, also when the call throws', () => {
    const functions = () =>
      [Reflect.get(Array.prototype, 'push'), Reflect.get(tf.engine(), 'keep')] as unknown[];
    const before = functions();
    const list: number[] = [];
    expect(() =>
      withoutSideEffects(() => {
        const kept = tf.keep(tf.scalar(1));
        list.push(1);
        list.push(2, 3);
        kept.dispose();
        tf.keep(tf.scalar(2)).dispose();
        throw new Error('mine');
      }),
    ).toThrow('mine');
    expect(list).toEqual([1, 2, 3]);
    expect(functions()).toEqual(before);
    expect(Object.keys(Array.prototype)).toEqual([]);
    expect(Object.hasOwn(tf.engine(), 'keep')).toBe(false);
  });

  test('variables that are not trained get back the values they had; trained ones do not', () => {
    const average = tf.variable(tf.tensor1d([1, 2]), false);
    const weight = tf.variable(tf.tensor1d([3, 4]));
    const before = tf.memory().numTensors;
    withoutSideEffects(() =>
      tf.tidy(() => {
        average.assign(average.add(1));
        weight.assign(weight.add(1));
      }),
    );
    expect([...average.dataSync()]).toEqual([1, 2]);
    expect([...weight.dataSync()]).toEqual([4, 5]);
    expect(tf.memory().numTensors).toBe(before);
  });
});
