import { blockDiagonal, tengrad } from '../../../src';
import { compiled, itTrains, stepError, train } from '../../support/batchPresets';
import { useBackend } from '../../support/backends';
import { weightsOf } from '../../support/classifier';

describe('tengrad', () => {
  beforeAll(() => useBackend('cpu'));

  itTrains(tengrad, [
    { structure: 'TENGraD', matrices: '16 x 16, of 16 scores' },
    { structure: 'TENGraD', matrices: '16 x 16, of 16 scores' },
  ]);

  // Oracle: for each layer the solution by elimination with its diagonal block of the float64 Fisher matrix.
  it.each(['empirical', 'exact'] as const)(
    'takes exactly minus the damped natural gradient of each layer, %s',
    async (fisher) => {
      expect(await stepError(tengrad, fisher, 0.05, 'layers')).toBeLessThan(1e-4);
    },
  );

  it('is the dual form of blockDiagonal', async () => {
    const runs = await Promise.all(
      [tengrad, (config?: object) => blockDiagonal({ fisher: 'empirical', form: 'dual', ...config })].map(
        async (create) => {
          const { model } = compiled(create, { learningRate: 1, damping: 10 });
          await train(model, 5);
          return weightsOf(model);
        },
      ),
    );
    expect(runs[0]).toEqual(runs[1]);
  });
});
