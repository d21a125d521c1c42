import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import type { Measurements } from '../../src/cli/functionSpaceReport';
import { lastJson, natgrad, withFolder } from './helpers';

const small = [
  'reproduce',
  'function-space',
  '--width',
  '48,24',
  '--examples',
  '8',
  '--seeds',
  '1',
  '--steps',
  '6',
];

jest.setTimeout(120_000);

describe('natgrad reproduce function-space', () => {
  it('prints tables of isotropy, of one step, of the law of learning rates and of losses, and writes a report', () => {
    withFolder((folder) => {
      const file = join(folder, 'report.html');
      const { status, stdout, stderr } = natgrad([...small, '--report', file]);
      expect([status, stderr]).toEqual([0, '']);
      expect(stdout).toMatch(/metric +alpha +M = 24 +M = 48/);
      for (const [metric, tables] of [
        ['exact', 3],
        ['blockTridiagonal', 3],
        ['unitWise', 3],
        ['gradient', 3],
        ['truncatedTridiagonal', 2],
        ['adam', 1],
      ] as const) {
        expect(stdout.match(new RegExp(`^${metric} `, 'gm'))).toHaveLength(tables);
      }
      expect(stdout).toMatch(/optimizer +learning rate +t = 0 +t = 1 +t = 2 +t = 3 +t = 5 +t = 6$/m);
      expect(stdout).toMatch(/theory +0.7500 +0.5625/);
      const html = readFileSync(file, 'utf8');
      expect(html.match(/<svg/g)).toHaveLength(4);
      expect(html.match(/<table/g)).toHaveLength(4);
      expect(html).not.toMatch(/(src|href)=/);
    });
  });

  it('prints every measurement as JSON, of zeros and ones of MNIST too', () => {
    const outcome = natgrad([...small, '--data', 'mnist', '--json']);
    expect(outcome.stderr).toBe('');
    const { metrics, etaLaw, losses } = lastJson<Measurements>(outcome);
    expect(metrics).toHaveLength(2 * 8);
    expect(etaLaw.map(({ width, residuals }) => [width, residuals.length])).toEqual([
      [48, 5],
      [48, 5],
    ]);
    // 784 inputs and 8 examples: the kernels have full rank at any width, and alpha is 1 (Karakida & Osawa 2020).
    const exact = metrics.find(({ metric, width }) => metric === 'exact' && width === 48)!;
    expect(exact.alpha).toBeCloseTo(1, 3);
    expect(exact.deviation).toBeLessThan(1e-3);
    expect(losses.map(({ optimizer, width, losses: curve }) => [optimizer, width, curve.length])).toEqual(
      ['exact', 'blockDiagonal', 'blockTridiagonal', 'kfac', 'unitWise', 'gradient', 'adam'].map((name) => [
        name,
        48,
        7,
      ]),
    );
  });

  it.each([
    ['an experiment that it does not know', ['reproduce', 'something']],
    ['a width that is no number', ['reproduce', 'function-space', '--width', '64,wide']],
  ])('refuses %s', (_, args) => {
    const outcome = natgrad(args);
    expect(outcome.status).toBe(2);
    expect(outcome.stderr.trimEnd().split('\n')).toHaveLength(1);
  });
});
