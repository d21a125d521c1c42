import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(__dirname, '..', '..');
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const programs = [...readme.matchAll(/```js\n([\s\S]*?)```/g)].map(([, code]) => code);

describe('the JavaScript in the README', () => {
  it('is there', () => expect(programs.length).toBeGreaterThanOrEqual(2));

  it.each(programs.map((code, i) => [i + 1, code]))('runs: program %i', (_, code) => {
    // The package refers to itself by name, as a user's program does; `npm test` has built it.
    const output = execFileSync(process.execPath, ['-e', code], { cwd: root, encoding: 'utf8' });
    if (code.includes('console.table')) expect(output).toMatch(/Kronecker factored/);
  });
});
