/** What `instanceof` says; tf.Optimizer, from which these classes derive, takes whatever has its methods for an instance. */
import * as tf from '@tensorflow/tfjs';

import { kfac, NaturalGradientOptimizer, radam, RadamOptimizer, shampoo } from '../../src';
import type * as natgrad from '../../src';

/** The package once more, as a second dependency of a program brings it, on the same tfjs. */
function anotherCopy(): typeof natgrad {
  let copy: typeof natgrad;
  jest.isolateModules(() => {
    jest.doMock('@tensorflow/tfjs', () => tf);
    copy = jest.requireActual<typeof natgrad>('../../src');
  });
  return copy!;
}

class Derived extends NaturalGradientOptimizer {}

describe('instanceof', () => {
  const others: [string, unknown][] = [
    ['an optimizer of tfjs', tf.train.adam(0.1)],
    ['what has the methods of an optimizer', { minimize() {}, computeGradients() {}, applyGradients() {} }],
    ['an object without a prototype', Object.create(null)],
    ['null', null],
    ['undefined', undefined],
    ['a string', 'NaturalGradient'],
  ];
  it.each(others)('takes %s for no optimizer of natgrad', (_, value) => {
    expect(value instanceof NaturalGradientOptimizer).toBe(false);
    expect(value instanceof RadamOptimizer).toBe(false);
  });

  it('tells the classes of natgrad apart', () => {
    for (const optimizer of [kfac(), shampoo(), new Derived()]) {
      expect(optimizer instanceof NaturalGradientOptimizer).toBe(true);
      expect((optimizer as unknown) instanceof RadamOptimizer).toBe(false);
      expect(optimizer instanceof tf.Optimizer).toBe(true);
    }
    expect(radam() instanceof RadamOptimizer).toBe(true);
    expect((radam() as unknown) instanceof NaturalGradientOptimizer).toBe(false);
    expect(kfac() instanceof Derived).toBe(false);
    expect(new Derived() instanceof Derived).toBe(true);
  });

  it('knows the optimizers of another copy of natgrad', () => {
    const copy = anotherCopy();
    expect(copy.NaturalGradientOptimizer).not.toBe(NaturalGradientOptimizer);
    expect(copy.kfac() instanceof NaturalGradientOptimizer).toBe(true);
    expect(kfac() instanceof copy.NaturalGradientOptimizer).toBe(true);
    expect(copy.radam() instanceof RadamOptimizer).toBe(true);
    expect((copy.radam() as unknown) instanceof NaturalGradientOptimizer).toBe(false);
    expect((copy.kfac() as unknown) instanceof Derived).toBe(false);
  });
});
