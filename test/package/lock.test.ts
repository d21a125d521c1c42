import { readFileSync } from 'node:fs';
import { join } from 'node:path';

interface LockedPackage {
  version?: string;
  resolved?: string;
  integrity?: string;
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
}

const file = join(__dirname, '..', '..', 'package-lock.json');
const { packages } = JSON.parse(readFileSync(file, 'utf8')) as { packages: Record<string, LockedPackage> };

/** Whether Node, starting at the package in `folder`, finds `name` in what the lock file installs. */
function isLocked(name: string, folder: string): boolean {
  const place = `${folder === '' ? '' : `${folder}/`}node_modules/${name}`;
  if (packages[place] !== undefined) return true;
  return folder !== '' && isLocked(name, folder.slice(0, Math.max(0, folder.lastIndexOf('/node_modules/'))));
}

describe('package-lock.json', () => {
  it('has an entry for every dependency, of other platforms too, without which `npm ci` of npm 11 and later refuses it', () => {
    const missing = Object.entries(packages).flatMap(([from, entry]) =>
      Object.keys({ ...entry.dependencies, ...entry.optionalDependencies })
        .filter((name) => !isLocked(name, from))
        .map((name) => `${name}, wanted by ${from}`),
    );
    expect(missing).toEqual([]);
  });

  it('names no registry, and the checksum of everything', () => {
    for (const [from, { resolved, integrity }] of Object.entries(packages)) {
      if (from === '') continue;
      expect({ from, resolved }).toEqual({ from, resolved: undefined });
      expect(integrity).toMatch(/^sha512-/);
    }
  });
});
