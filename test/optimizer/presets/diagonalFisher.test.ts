import { diagonalFisher } from '../../../src';
import { errorWithCode } from '../../errorWithCode';
import { relativeError } from '../../support/matrices';
import { firstStep } from '../../support/firstStep';
import { testPreset } from '../../support/presetSuite';

describe('diagonalFisher', () => {
  testPreset(diagonalFisher, { structure: 'diagonal Fisher' });

  it.each([1, 0.5] as const)('steps by V / (diag F + lambda)^%p', async (power) => {
    const { F, V, step } = await firstStep((config) => diagonalFisher({ ...config, power }), 0.05);
    const expected = V.map((value, i) => value / (F[16 * i] + 0.05) ** power);
    expect(relativeError(step, expected)).toBeLessThan(2e-6);
  });

  it('refuses another power', () => {
    expect(() => diagonalFisher({ power: 2 as 1 })).toThrow(errorWithCode('ERR_NATGRAD_ARGUMENT'));
  });
});
