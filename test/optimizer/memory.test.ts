import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

import { backends } from '../support/backends';
import type { Held } from './trainAndMeasure';

const register = join(__dirname, '..', 'support', 'register.cjs');
const program = join(__dirname, 'trainAndMeasure.ts');
const megabyte = 2 ** 20;

describe.each(backends)('training with kfac for 10,000 steps on the %s backend', (backend) => {
  it('keeps the number of tensors and the resident memory', () => {
    const child = spawnSync(process.execPath, ['--expose-gc', '--require', register, program, backend], {
      encoding: 'utf8',
    });
    expect({ status: child.status, signal: child.signal }).toEqual({ status: 0, signal: null });
    const [early, late] = JSON.parse(child.stdout.trimEnd().split('\n').at(-1)!) as [Held, Held];
    expect(late.tensors).toBe(early.tensors);
    // One forgotten object of 1 kB per step would be 7 MB.
    expect((late.heap - early.heap) / megabyte).toBeLessThan(4);
    // One copy of the batch's activations (37 kB) left behind per step would be 257 MB.
    expect((late.native - early.native) / megabyte).toBeLessThan(50);
  }, 300_000);
});
