import { shampoo } from '../../../src';
import { errorWithCode } from '../../errorWithCode';
import { identity, plus, spectral, times, transpose, type Matrix } from '../../support/dense';
import { exactStep, oneStep } from '../../support/exactStep';
import { relativeError } from '../../support/matrices';
import { classifier, examples } from '../../support/classifier';
import { testPreset } from '../../support/presetSuite';

describe('shampoo', () => {
  describe('with roots', () =>
    testPreset(shampoo, { structure: 'Shampoo', learning: { learningRate: 0.03 } }));
  describe('in the eigenbases', () => {
    const facts = { structure: 'Shampoo, eigenbasis', learning: { learningRate: 0.02 }, on: ['cpu'] };
    testPreset((config) => shampoo({ basis: 'eigen', ...config }), facts);
  });
  describe('with the length of Adam', () => {
    const facts = { structure: 'Shampoo', learning: { learningRate: 0.02 }, on: ['cpu'] };
    testPreset((config) => shampoo({ grafting: 'adam', startStep: 2, ...config }), facts);
  });

  it.each([0.25, 0.5] as const)('takes a step of minus L^-e V R^-e with e = %d', async (exponent) => {
    // Oracle: Gupta, Koren & Singer 2018, algorithm 1, on the gradient of one batch in float64; a bias has one factor, with 2 e.
    const damping = 0.01;
    const { direction, gradient } = await exactStep(
      shampoo({ ...oneStep, damping, exponent, grafting: 'none' }),
    );
    const root = (m: Matrix, e: number) => spectral(plus(m, identity(m.length), damping), (x) => x ** -e);
    gradient.forEach((own, l) => {
      const [V, bias] = [own.slice(0, -1), own.slice(-1)];
      const expected = [
        ...times(root(times(V, transpose(V)), exponent), V, root(times(transpose(V), V), exponent)),
        ...times(bias, root(times(transpose(bias), bias), 2 * exponent)),
      ];
      expect(relativeError(direction[l].flat(), expected.flat())).toBeLessThan(2e-5);
    });
  });

  it('tells its factors, and gives every variable its own', async () => {
    const model = classifier({ hidden: [6, 5] });
    const optimizer = shampoo({ blockSize: 4 });
    model.compile({ optimizer, loss: 'categoricalCrossentropy' });
    const { x, y } = examples(8);
    await model.trainOnBatch(x, y);
    expect(optimizer.summary()[0]).toMatchObject({
      structure: 'Shampoo',
      matrices: '4 x 4, 4 x 4, 4 x 4, 2 x 2, 4 x 4, 2 x 2',
      parameters: 30,
    });
    expect(optimizer.stats().fisher).toBe('empirical');
  });

  it.each([
    [{ basis: 'qr' }, /basis/],
    [{ exponent: 0.3 }, /exponent/],
    [{ grafting: 'adagrad' }, /grafting/],
    [{ beta2: 1 }, /beta2/],
    [{ epsilon: -1 }, /epsilon/],
    [{ blockSize: 0 }, /blockSize/],
  ])('refuses %p', (config, message) => {
    expect(() => shampoo(config as never)).toThrow(errorWithCode('ERR_NATGRAD_ARGUMENT'));
    expect(() => shampoo(config as never)).toThrow(message);
  });

  it('refuses factors that would not fit into memoryLimit', async () => {
    const model = classifier({ hidden: [6, 5] });
    model.compile({ optimizer: shampoo({ memoryLimit: 100 }), loss: 'categoricalCrossentropy' });
    const { x, y } = examples(8);
    await expect(model.trainOnBatch(x, y)).rejects.toThrow(errorWithCode('ERR_NATGRAD_NO_MEMORY'));
  });
});
