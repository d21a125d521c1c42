import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { withFolder } from './helpers';

// eslint-disable-next-line @typescript-eslint/no-require-imports
const { checkImports } = require('../../scripts/check-imports.cjs') as {
  checkImports: (folder: string) => string[];
};

const check = (files: Record<string, string>): string[] =>
  withFolder((folder) => {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), text);
    }
    return checkImports(folder);
  });

describe('the import checker', () => {
  it('accepts imports from the same floor, from lower ones, and from packages', () => {
    const files = {
      'errors.ts': '',
      'linalg/inverse.ts': "import { NatgradError } from '../errors';",
      'step/clip.ts':
        "import '../linalg/inverse'; import * as tf from '@tensorflow/tfjs'; import './momentum';",
      'step/momentum.ts': '',
      'index.ts': "export * from './step/clip';",
    };
    expect(check(files)).toEqual([]);
  });

  it.each([
    ['an import from a higher floor', "import { kfac } from '../optimizer/kfac';"],
    ['one of a type only', "import type { Kfac } from '../optimizer/kfac';"],
    ['an export from there', "export * from '../optimizer/kfac';"],
    ['a dynamic import', "void import('../optimizer/kfac.js');"],
    ['a require', "import kfac = require('../optimizer/kfac');"],
  ])('reports %s with both files', (_, text) => {
    const violations = check({ 'linalg/inverse.ts': text, 'optimizer/kfac.ts': '' });
    expect(violations).toEqual([
      expect.stringMatching(/^linalg\/inverse\.ts imports optimizer\/kfac\.ts.*may not import/),
    ]);
  });

  it('lets accelerate see linalg and host only', () => {
    const files = {
      'accelerate/index.ts': "import '../host/host'; import '../tape/walk';",
      'host/host.ts': '',
      'tape/walk.ts': '',
    };
    expect(check(files)).toEqual([expect.stringContaining("'accelerate' may not import 'tape'")]);
  });

  it('reports files that import each other around a corner', () => {
    const files = {
      'step/a.ts': "import './b';",
      'step/b.ts': "import './c';",
      'step/c.ts': "import './a';",
    };
    expect(check(files)).toEqual([
      'files import each other: step/a.ts -> step/b.ts -> step/c.ts -> step/a.ts',
    ]);
  });

  it('follows a folder to its index file', () => {
    const files = { 'host/host.ts': "import '../tape';", 'tape/index.ts': '' };
    expect(check(files)).toEqual([expect.stringContaining('imports tape/index.ts')]);
  });

  it('reports a folder it has no rule for', () => {
    expect(check({ 'elsewhere/a.ts': '' })).toEqual([
      expect.stringContaining("'elsewhere' is no known floor"),
    ]);
  });

  it('finds nothing to report in this package', () => {
    expect(checkImports(join(__dirname, '..', '..', 'src'))).toEqual([]);
  });
});
