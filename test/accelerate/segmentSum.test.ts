import * as tf from '@tensorflow/tfjs';
import { expectSameAsPlainCpu, randomTensor, runKernel } from './support';

describe('sums over segments', () => {
  it('equal those of the plain cpu backend, with repeated, missing and outlying ids', async () => {
    const ids = [3, 0, 3, 7, -1, 2, 3];
    for (const shape of [[7], [7, 5], [7, 2, 3], [7, 0]]) {
      for (const numSegments of [1, 4, 9]) {
        await expectSameAsPlainCpu(() =>
          runKernel(
            tf.UnsortedSegmentSum,
            { x: randomTensor(shape, 1), segmentIds: tf.tensor1d(ids, 'int32') },
            { numSegments },
          ),
        );
      }
    }
  });

  it('of no rows are zero', async () => {
    await expectSameAsPlainCpu(() =>
      runKernel(
        tf.UnsortedSegmentSum,
        { x: tf.zeros([0, 3]), segmentIds: tf.tensor1d([], 'int32') },
        { numSegments: 4 },
      ),
    );
  });

  it('are the gradient of a look-up, along every axis', async () => {
    for (const axis of [0, 1, 2]) {
      await expectSameAsPlainCpu(
        () => {
          const indices = tf.tensor1d([1, 0, 1, 2], 'int32');
          return tf.grad((x) => tf.gather(x, indices, axis).square().sum())(randomTensor([3, 4, 5], 1));
        },
        { left: [tf.Sum] },
      );
    }
  });
});
