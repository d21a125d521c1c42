import * as tf from '@tensorflow/tfjs';

import { kfac, type NamedVectors } from '../../src';
import { useBackend } from '../support/backends';
import { classifier, examples } from '../support/classifier';

describe("the view of an optimizer's curvature", () => {
  let model: tf.Sequential;
  let batch: { x: tf.Tensor2D; y: tf.Tensor2D };
  beforeAll(() => useBackend('cpu'));
  beforeEach(() => {
    model = classifier();
    batch = examples(10);
  });
  afterEach(() => {
    model.dispose();
    tf.dispose([batch.x, batch.y]);
  });

  const variables = () => model.weights.map((weight) => (weight as unknown as { val: tf.Variable }).val);
  const loss = () =>
    tf.metrics.categoricalCrossentropy(batch.y, model.apply(batch.x) as tf.Tensor).mean<tf.Scalar>();
  const weights = (): NamedVectors =>
    Object.fromEntries(
      variables().map((variable) => [variable.name, variable.dataSync<'float32'>().slice()]),
    );

  it.each(['immediate', 'overlapped'] as const)(
    'turns gradients into the steps that are taken, with %s refresh',
    (refresh) => {
      const optimizer = kfac({ learningRate: 1, momentum: 0, klClip: null, refresh, seed: 3 });
      for (let step = 0; step < 3; step++) {
        const { value, grads } = optimizer.computeGradients(loss, variables());
        const gradients = Object.fromEntries(
          Object.entries(grads).map(([name, gradient]) => [name, gradient.dataSync<'float32'>().slice()]),
        );
        // The inverses of later refreshes come into use when the step is applied, so the view is taken after that.
        const before = weights();
        optimizer.applyGradients(grads);
        const after = weights();
        const directions = optimizer.curvature().precondition(gradients);
        for (const [name, direction] of Object.entries(directions)) {
          direction.forEach((value_, i) => expect(before[name][i] - after[name][i]).toBeCloseTo(value_, 5));
        }
        tf.dispose([value, grads]);
      }
      optimizer.dispose();
    },
  );

  it('takes vectors of some variables, and leaves alone those that no block covers', () => {
    const optimizer = kfac({ refresh: 'immediate' });
    tf.dispose(optimizer.computeGradients(loss, variables()).grads);
    const [kernel, bias] = variables();
    const vector = Float32Array.from({ length: kernel.size }, (_, i) => Math.sin(i));
    const curvature = optimizer.curvature();
    const alone = curvature.precondition({ [kernel.name]: vector, other: Float32Array.of(1, 2) });
    const both = curvature.precondition({ [kernel.name]: vector, [bias.name]: new Float32Array(bias.size) });
    expect(alone[kernel.name]).toEqual(both[kernel.name]);
    expect(alone.other).toEqual(Float32Array.of(1, 2));
    expect(Object.keys(alone)).toEqual([kernel.name, 'other']);
    expect(curvature.multiply({ other: Float32Array.of(1, 2) })).toEqual({ other: new Float32Array(2) });
    expect(curvature.blocks.map(({ names, sizes }) => [names.length, sizes])).toEqual([
      [2, [24, 6]],
      [2, [18, 3]],
    ]);
  });

  it('is not to be had of an optimizer without statistics, or one that was disposed', () => {
    const optimizer = kfac();
    expect(() => optimizer.curvature().precondition({})).toThrow(/computeGradients/);
    optimizer.dispose();
    expect(() => optimizer.curvature()).toThrow(/disposed/);
  });
});
