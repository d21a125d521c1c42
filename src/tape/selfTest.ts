import * as tf from '@tensorflow/tfjs';

import { host } from '../host/currentHost';
import { apart } from './engine';
import { weightGradients } from './reconstruct';
import { record } from './record';
import type { Layer } from './types';

const verdicts = new Map<string, boolean>();

/**
 * Whether the tape of the tfjs that is loaded can be read: the gradients of a small net, rebuilt from what was read off the tape, are
 * those of autodiff. The tape is an internal of tfjs, so this is tried once per process and backend before it is relied on.
 *
 * Leaves nothing behind and does not disturb a gradient computation in progress.
 *
 * @throws NatgradError ERR_NATGRAD_BACKEND if the backend cannot be read synchronously
 */
export function tapeWorks(): boolean {
  const { backendName } = host();
  let verdict = verdicts.get(backendName);
  if (verdict === undefined) verdicts.set(backendName, (verdict = apart(() => tf.tidy(tryOut))));
  return verdict;
}

function tryOut(): boolean {
  const variables: tf.Variable[] = [];
  // A name of its own keeps tfjs's counter of unnamed variables, and so the names of the user's, as they are.
  const variable = (shape: number[], seed: number) => {
    const created = tf.variable(numbers(shape, seed), true, `natgradSelfTest${variables.length}`);
    variables.push(created);
    return created;
  };
  try {
    return agrees(net(variable), variables);
  } catch {
    return false;
  } finally {
    for (const created of variables) created.dispose();
  }
}

/** Embedding, convolution and two dense layers, as far as the backend can differentiate them. */
function net(variable: (shape: number[], seed: number) => tf.Variable): () => tf.Scalar {
  const has = (kernel: string) => tf.getKernel(kernel, tf.getBackend()) != null;
  const kernel = variable([6, 4], 1);
  const bias = variable([4], 2);
  const last = variable([4, 3], 3);
  const filter = has('Conv2DBackpropFilter') && has('Conv2DBackpropInput') ? variable([2, 2, 1, 2], 4) : null;
  const table = has('UnsortedSegmentSum') ? variable([5, 6], 5) : null;
  const labels = tf.tensor2d([0, 1, 0, 1, 0, 0], [2, 3]);
  return () => {
    let x = numbers([2, 6], 6) as tf.Tensor2D;
    if (table) x = tf.gather(table, tf.tensor1d([3, 1], 'int32')) as tf.Tensor2D;
    if (filter)
      x = tf.conv2d(x.reshape<tf.Tensor4D>([2, 2, 3, 1]), filter as tf.Tensor4D, 1, 'same').reshape([4, 6]);
    const hidden = tf.fused.matMul({ a: x, b: kernel, bias, activation: 'relu' });
    const logits = tf.fused.matMul({ a: hidden, b: last });
    return tf.losses.softmaxCrossEntropy(filter ? tf.concat([labels, labels]) : labels, logits);
  };
}

function agrees(loss: () => tf.Scalar, variables: tf.Variable[]): boolean {
  let layers: Layer[] = [];
  let headsFound = 0;
  let rebuilt: (Float64Array | null)[][] = [];
  const { grads } = record(loss, variables, {
    onForward(recording) {
      layers = recording.layers;
      headsFound = recording.heads.length;
      return layers.flatMap((layer) => layer.uses.map((use) => use.output));
    },
    onBackward(_, gradients) {
      let at = 0;
      rebuilt = layers.map((layer) => weightGradients(layer, gradients.slice(at, (at += layer.uses.length))));
    },
  });
  const isRebuilt = layers.every((layer, i) =>
    layer.variables.every((variable, j) => isClose(rebuilt[i][j], host().read(grads[variable.name]))),
  );
  // The kernel and its bias are one layer.
  return headsFound === 1 && layers.length === variables.length - 1 && isRebuilt;
}

/** Within what float32 sums of a handful of terms may differ by. */
function isClose(values: Float64Array | null, expected: Float32Array): boolean {
  if (values?.length !== expected.length) return false;
  const scale = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-3);
  return values.every((value, i) => Math.abs(value - expected[i]) <= 1e-4 * scale);
}

/** Numbers between -1 and 1 that are the same on every run. */
function numbers(shape: number[], seed: number): tf.Tensor {
  return tf.tensor(
    Array.from({ length: tf.util.sizeFromShape(shape) }, (_, i) => Math.sin(7 * seed + 3 * i)),
    shape,
  );
}
