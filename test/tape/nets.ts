import * as tf from '@tensorflow/tfjs';

import { weightGradients } from '../../src/tape/reconstruct';
import { record } from '../../src/tape/record';
import type { Layer } from '../../src/tape/types';

/** Float32 values in [-1, 1] that depend on the seed only. */
export function values(shape: number[], seed = 1): tf.Tensor {
  const size = shape.reduce((product, length) => product * length, 1);
  let state = (seed * 2654435761) >>> 0;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };
  for (let i = 0; i < 8; i++) next();
  return tf.tensor(Array.from({ length: size }, next), shape);
}

/** Rows of one-hot labels, class (7 i) mod classes. */
export function labels(rows: number, classes: number): tf.Tensor2D {
  const data = new Float32Array(rows * classes);
  for (let i = 0; i < rows; i++) data[i * classes + ((7 * i) % classes)] = 1;
  return tf.tensor2d(data, [rows, classes]);
}

/** What one layer of a recording was, and how far its rebuilt gradients are from autodiff's, relative to their scale. */
export interface Finding {
  kind: Layer['kind'];
  names: string[];
  roles: string[];
  uses: number;
  inputSize: number;
  outputSize: number;
  reason?: string;
  error: number | null;
}

/** Records a loss and compares, for every layer, the gradients rebuilt from (a, g) with autodiff's. */
export function findings(loss: () => tf.Tensor, variables?: tf.Variable[]): Finding[] {
  const rebuilt: { layer: Layer; gradients: (Float64Array | null)[] }[] = [];
  const { value, grads } = record(loss as () => tf.Scalar, variables, {
    onForward: ({ layers }) => layers.flatMap((layer) => layer.uses.map((use) => use.output)),
    onBackward({ layers }, gradients) {
      let at = 0;
      for (const layer of layers) {
        rebuilt.push({
          layer,
          gradients: weightGradients(layer, gradients.slice(at, (at += layer.uses.length))),
        });
      }
    },
  });
  const found = rebuilt.map(({ layer, gradients }) => ({
    kind: layer.kind,
    names: layer.variables.map((variable) => variable.name.replace(/^.*\//, '').replace(/(_\d+)+$/, '')),
    roles: [...layer.roles],
    uses: layer.uses.length,
    inputSize: layer.inputSize,
    outputSize: layer.outputSize,
    reason: layer.reason,
    error: gradients.reduce<number | null>((worst, gradient, i) => {
      const expected = grads[layer.variables[i].name];
      return gradient ? Math.max(worst ?? 0, relativeError(gradient, expected?.dataSync())) : worst;
    }, null),
  }));
  tf.dispose([value, grads]);
  return found;
}

/** Largest absolute difference over the largest absolute value (at least 1e-3). */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number> | undefined): number {
  if (!expected || actual.length !== expected.length) return Infinity;
  let difference = 0;
  let scale = 1e-3;
  for (let i = 0; i < actual.length; i++) {
    if (!Number.isFinite(actual[i])) return Infinity;
    difference = Math.max(difference, Math.abs(actual[i] - expected[i]));
    scale = Math.max(scale, Math.abs(expected[i]));
  }
  return difference / scale;
}

/** A model's trainable variables. */
export function variablesOf(model: tf.LayersModel): tf.Variable[] {
  return model.trainableWeights.map((weight) => weight.read() as tf.Variable);
}

/** Gives every trainable weight values of its own, so that none is zero and gradients reach all of them. */
export function randomise(model: tf.LayersModel): void {
  variablesOf(model).forEach((variable, i) => {
    const next = tf.tidy(() => values(variable.shape, i + 11).mul(0.7));
    variable.assign(next);
    next.dispose();
  });
}
