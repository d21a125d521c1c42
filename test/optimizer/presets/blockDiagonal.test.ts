import { blockDiagonal, exactNaturalGradient } from '../../../src';
import { compiled, itTrains, stepError, train } from '../../support/batchPresets';
import { useBackend } from '../../support/backends';
import { classifier, weightsOf } from '../../support/classifier';

describe('blockDiagonal', () => {
  beforeAll(() => useBackend('cpu'));

  // The first layer has 30 parameters and the second 21, fewer than the 16 examples times 3 passes.
  itTrains(blockDiagonal, [
    { structure: 'exact block, primal', matrices: '30 x 30' },
    { structure: 'exact block, primal', matrices: '21 x 21' },
  ]);

  // Oracle: for each layer the solution by elimination with its diagonal block of the float64 Fisher matrix.
  it.each([
    ['exact', 'primal'],
    ['exact', 'dual'],
    ['empirical', 'primal'],
    ['empirical', 'dual'],
  ] as const)(
    'takes exactly minus the damped natural gradient of each layer, %s and %s',
    async (fisher, form) => {
      const error = await stepError((config) => blockDiagonal({ ...config, form }), fisher, 0.05, 'layers');
      expect(error).toBeLessThan(1e-4);
    },
  );

  it('is exactNaturalGradient where there is only one layer', async () => {
    const runs = await Promise.all(
      [blockDiagonal, exactNaturalGradient].map(async (create) => {
        const model = classifier();
        model.layers[0].trainable = false;
        const { model: net } = compiled(create, { learningRate: 1, damping: 10 }, model);
        await train(net, 5);
        return weightsOf(net);
      }),
    );
    expect(runs[0]).toEqual(runs[1]);
  });
});
