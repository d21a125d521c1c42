/** A run that is saved, and goes on in another process, ends with the weights of a run in one piece: all bits of them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { radam } from '../../src';
import * as presets from '../../src/optimizer/presets/index';
import { runProgram } from '../support/child';

type Weights = Record<string, string[]>;

describe('training that is resumed in a new process', () => {
  let whole: Weights;
  let resumed: Weights;

  beforeAll(() => {
    const folder = mkdtempSync(join(tmpdir(), 'natgrad-'));
    const run = (part: string) =>
      JSON.parse(runProgram('test/saving/resumeEveryPreset.ts', part, folder)) as Weights;
    try {
      whole = run('begin');
      resumed = run('resume');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it.each(Object.keys({ ...presets, radam }))('gives the weights of %s bit for bit', (preset) => {
    const [weights] = whole[preset];
    expect(weights).toMatch(/^[0-9a-f]{192},[0-9a-f]{48},[0-9a-f]{144},[0-9a-f]{24}$/);
    expect(resumed[preset]).toEqual([weights, weights, weights]);
  });
});
