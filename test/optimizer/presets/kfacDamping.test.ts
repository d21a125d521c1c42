import { kfac } from '../../../src';
import { errorWithCode } from '../../errorWithCode';
import { plusDiagonal, relativeError, solve } from '../../support/matrices';
import { firstStep, kroneckerProduct } from '../../support/firstStep';
import { testPreset } from '../../support/presetSuite';

describe('kfac with exact damping', () => {
  testPreset((config) => kfac({ ...config, dampingSplit: 'exact' }), {
    structure: 'Kronecker factored, exact damping',
  });

  it('steps by (A (x) G + lambda I)^-1 V', async () => {
    const { A, G, V, step } = await firstStep((config) => kfac({ ...config, dampingSplit: 'exact' }), 0.05);
    const expected = solve(plusDiagonal(kroneckerProduct(A, G), 0.05), V);
    expect(relativeError(step, expected)).toBeLessThan(2e-6);
  });

  it('with an equal split steps by the factors plus sqrt(lambda)', async () => {
    const { A, G, V, step } = await firstStep((config) => kfac({ ...config, dampingSplit: 'equal' }), 0.05);
    const root = Math.sqrt(0.05);
    const expected = solve(kroneckerProduct(plusDiagonal(A, root), plusDiagonal(G, root)), V);
    expect(relativeError(step, expected)).toBeLessThan(2e-6);
  });

  it('refuses another split', () => {
    expect(() => kfac({ dampingSplit: 'half' as 'pi' })).toThrow(errorWithCode('ERR_NATGRAD_ARGUMENT'));
  });
});
