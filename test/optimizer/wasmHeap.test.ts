/** tfjs's wasm heap moves when it grows, while the addon's thread works on statistics that lay there. */
import * as tf from '@tensorflow/tfjs';

import { kfac } from '../../src';
import { useBackend } from '../support/backends';

const steps = 8;

/** The weights after some steps with inverses under way at all times; `between` is called after each. */
function trained(between: () => void): Float32Array {
  const x = tf.randomNormal([64, 30], 0, 1, 'float32', 1);
  const y = tf.randomNormal([64, 5], 0, 1, 'float32', 2);
  const weights = tf.variable(tf.zeros<tf.Rank.R2>([30, 5]));
  const optimizer = kfac({ refreshPeriod: 2, refreshLag: 2 });
  for (let step = 0; step < steps; step++) {
    optimizer.minimize(() => tf.losses.meanSquaredError(y, tf.matMul(x, weights)), false, [weights]);
    between();
  }
  const values = weights.dataSync<'float32'>().slice();
  optimizer.dispose();
  tf.dispose([x, y, weights]);
  return values;
}

const heapSize = () =>
  (tf.backend() as unknown as { wasm: { HEAPU8: Uint8Array } }).wasm.HEAPU8.buffer.byteLength;

describe('a wasm heap that grows while inverses are under way', () => {
  it('changes nothing about the steps', async () => {
    await useBackend('wasm');
    const sizes = [heapSize()];
    const held: tf.Tensor[] = [];
    const grown = trained(() => {
      held.push(tf.zeros([heapSize() / 8]));
      sizes.push(heapSize());
    });
    tf.dispose(held);
    expect(new Set(sizes).size).toBeGreaterThan(2);
    expect(grown).toEqual(trained(() => {}));
  });
});
