import type * as tf from '@tensorflow/tfjs';
import type { Kernel } from './kernel';

/** The gradient of an embedding look-up: rows of `x` added up by their ids. */
export const unsortedSegmentSum: Kernel<tf.UnsortedSegmentSumInputs, tf.UnsortedSegmentSumAttrs> = ({
  inputs: { x, segmentIds },
  attrs: { numSegments },
  memory,
  native,
}) => {
  if (x.dtype !== 'float32' || segmentIds.dtype !== 'int32') return null;
  if (segmentIds.shape.length !== 1 || x.shape[0] !== segmentIds.shape[0] || !(numSegments > 0)) return null;
  return memory.create([numSegments, ...x.shape.slice(1)], (out) => {
    if (out.length === 0) return;
    native.segmentSum(
      memory.integers(segmentIds),
      out.length / numSegments,
      numSegments,
      memory.floats(x),
      out,
    );
  });
};
