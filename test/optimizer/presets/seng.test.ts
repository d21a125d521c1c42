import { seng, tengrad } from '../../../src';
import { compiled, itTrains, stepError, train } from '../../support/batchPresets';
import { useBackend } from '../../support/backends';
import { weightsOf } from '../../support/classifier';

describe.each([
  ['with sketches larger than its layers', {}],
  ['with sketches of three coordinates', { sketchSize: 3 }],
])('seng %s', (_, options) => {
  itTrains(
    (config) => seng({ ...config, ...options }),
    [
      { structure: 'SENG', matrices: '16 x 16, of 16 scores' },
      { structure: 'SENG', matrices: '16 x 16, of 16 scores' },
    ],
  );
});

describe('seng', () => {
  beforeAll(() => useBackend('cpu'));

  it.each([null, 256])(
    'is tengrad with the sketch size %j, which leaves nothing out of these layers',
    async (sketchSize) => {
      const runs = await Promise.all(
        [tengrad, (config?: object) => seng({ ...config, sketchSize })].map(async (create) => {
          const { model } = compiled(create);
          await train(model, 5);
          return weightsOf(model);
        }),
      );
      expect(runs[0]).toEqual(runs[1]);
      // Oracle: for each layer the solution by elimination with its diagonal block of the float64 Fisher matrix.
      const error = await stepError((config) => seng({ ...config, sketchSize }), 'empirical', 0.05, 'layers');
      expect(error).toBeLessThan(1e-4);
    },
  );

  it('draws the same coordinates for the same seed, others for another', async () => {
    const run = async (seed: number) => {
      const { model } = compiled((config) => seng({ ...config, sketchSize: 2, seed }));
      await train(model, 4);
      return weightsOf(model);
    };
    const first = await run(1);
    expect(await run(1)).toEqual(first);
    expect(await run(2)).not.toEqual(first);
  });

  it.each([0, 2.5, 'all'])('refuses the sketch size %j', (sketchSize) => {
    expect(() => seng({ sketchSize } as object)).toThrow(/sketchSize is .*positive integer/);
  });
});
