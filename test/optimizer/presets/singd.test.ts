import { singd } from '../../../src';
import { errorWithCode } from '../../errorWithCode';
import {
  crossMoment,
  identity,
  plus,
  scaled,
  times,
  trace,
  transpose,
  type Matrix,
} from '../../support/dense';
import { exactStep, oneStep } from '../../support/exactStep';
import { relativeError } from '../../support/matrices';
import { classifier, examples } from '../../support/classifier';
import { testPreset } from '../../support/presetSuite';

describe('singd', () => {
  describe('with dense factors', () =>
    testPreset(singd, {
      structure: 'inverse-free Kronecker factored (INGD)',
      learning: { learningRate: 0.1 },
    }));
  describe('with blocks, without normalisation', () => {
    const own = { factors: 'blockDiagonal', factorBlockSize: 4, normalize: false, kfacLike: true } as const;
    const facts = {
      structure: 'inverse-free Kronecker factored (IKFAC)',
      learning: { learningRate: 0.1 },
      on: ['cpu'],
    };
    testPreset((config) => singd({ ...own, ...config }), facts);
  });

  it.each([true, false])(
    'takes the step K K^T V C C^T after one update of K and C, like K-FAC: %p',
    async (kfacLike) => {
      // Oracle: SINGD's update from the identity in float64, K = I - rate/2 [A tr(G) / dim G + (lambda - 1) I] and C likewise; the traces
      // count as the dimension when like K-FAC.
      const [lambda, rate] = [0.1, 0.2];
      const own = { kfacLike, normalize: false, factorLearningRate: rate };
      const step = await exactStep(singd({ ...oneStep, ...own, damping: lambda, fisher: 'exact' }));
      step.gradient.forEach((V, l) => {
        const A = crossMoment(step.inputs[l], step.inputs[l]);
        const G = step.columns.map((g) => crossMoment(g[l], g[l])).reduce((sum, each) => plus(sum, each));
        const root = (m: Matrix, other: Matrix) => {
          const share = kfacLike ? 1 : trace(other) / other.length;
          const change = plus(scaled(m, share), identity(m.length), lambda - 1);
          return plus(identity(m.length), change, -rate / 2);
        };
        const [K, C] = [root(A, G), root(G, A)];
        const expected = times(K, transpose(K), V, C, transpose(C));
        expect(relativeError(step.direction[l].flat(), expected.flat())).toBeLessThan(2e-5);
      });
    },
  );

  it.each([
    ['dense', '5 x 5, 6 x 6'],
    ['triangular', 'triangular 5 x 5, triangular 6 x 6'],
    ['blockDiagonal', '2 of 2 x 2, 1 x 1, 3 of 2 x 2'],
    ['diagonal', 'diagonal 5, diagonal 6'],
  ] as const)('tells that its factors are %s', async (factors, matrices) => {
    const model = classifier({ hidden: [6, 5] });
    const optimizer = singd({ factors, factorBlockSize: 2 });
    model.compile({ optimizer, loss: 'categoricalCrossentropy' });
    const { x, y } = examples(8);
    await model.trainOnBatch(x, y);
    expect(optimizer.summary()[0]).toMatchObject({ matrices, parameters: 30 });
    expect(optimizer.summary()[0].structure).toMatch(/INGD/);
  });

  it.each([
    [{ factors: 'sparse' }, /factors/],
    [{ factorMomentum: 1 }, /factorMomentum/],
    [{ factorLearningRate: -1 }, /factorLearningRate/],
    [{ kfacLike: 'yes' }, /kfacLike/],
  ])('refuses %p', (config, message) => {
    expect(() => singd(config as never)).toThrow(errorWithCode('ERR_NATGRAD_ARGUMENT'));
    expect(() => singd(config as never)).toThrow(message);
  });
});
