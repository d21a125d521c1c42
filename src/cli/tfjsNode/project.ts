import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

import { NatgradError } from '../../errors';

/** The npm project that a command was started in. */
export interface Project {
  /** The folder with package.json. */
  folder: string;
  /** What else than npm manages its packages, by its lock file. */
  otherManager: 'pnpm' | 'yarn' | 'bun' | null;
}

const lockFiles = {
  'pnpm-lock.yaml': 'pnpm',
  'yarn.lock': 'yarn',
  'bun.lock': 'bun',
  'bun.lockb': 'bun',
} as const;

/**
 * The project around a folder.
 *
 * @throws NatgradError ERR_NATGRAD_STATE if neither it nor a folder above it has a package.json.
 */
export function findProject(start: string): Project {
  for (let folder = start; ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'package.json'))) return { folder, otherManager: managerOf(folder) };
    if (folder === dirname(folder)) {
      throw new NatgradError(
        'ERR_NATGRAD_STATE',
        `there is no package.json in ${start} or above it: run this in a project (\`npm init -y\` makes one)`,
      );
    }
  }
}

function managerOf(folder: string): Project['otherManager'] {
  const found = Object.entries(lockFiles).find(([file]) => existsSync(join(folder, file)));
  return found === undefined ? null : found[1];
}

/** The file that `require(id)` in `folder` would load, or null. */
export function resolveFrom(folder: string, id: string): string | null {
  try {
    return createRequire(join(folder, 'package.json')).resolve(id);
  } catch {
    return null;
  }
}
