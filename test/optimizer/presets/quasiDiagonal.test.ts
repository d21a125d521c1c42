import { quasiDiagonal } from '../../../src';
import { relativeError } from '../../support/matrices';
import { firstStep } from '../../support/firstStep';
import { testPreset } from '../../support/presetSuite';

describe('quasiDiagonal', () => {
  testPreset(quasiDiagonal, { structure: 'quasi-diagonal' });

  it('steps by the quasi-diagonal matrix of every unit', async () => {
    // Ollivier 2015: w_i = (v_i - F_ib v_b / F_bb) / (F_ii - F_ib^2 / F_bb), b = v_b / F_bb - sum_i F_ib w_i / F_bb.
    const { F, V, step } = await firstStep(quasiDiagonal, 0.05);
    const expected = new Float64Array(15);
    for (const unit of [0, 1, 2]) {
      const entry = (i: number, j: number) => F[15 * (3 * i + unit) + 3 * j + unit] + (i === j ? 0.05 : 0);
      const at = (i: number) => 3 * i + unit;
      expected[at(4)] = V[at(4)] / entry(4, 4);
      for (const i of [0, 1, 2, 3]) {
        const residual = entry(i, i) - entry(i, 4) ** 2 / entry(4, 4);
        expected[at(i)] = (V[at(i)] - (entry(i, 4) * V[at(4)]) / entry(4, 4)) / residual;
        expected[at(4)] -= (entry(i, 4) * expected[at(i)]) / entry(4, 4);
      }
    }
    expect(relativeError(step, expected)).toBeLessThan(2e-6);
  });
});
