import { readFileSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

import { NatgradError } from '../../errors';
import { run, say } from './childProcess';
import { resolveFrom, type Project } from './project';

/** The version that this package is tested with; the last one that was released. */
const version = '4.22.0';

/** The folder of tfjs-node if it is there with what its installer needs; other installations may have removed that. */
function installedFolder(project: Project): string | null {
  const manifest = resolveFrom(project.folder, '@tensorflow/tfjs-node/package.json');
  if (manifest === null) return null;
  return resolveFrom(dirname(manifest), '@mapbox/node-pre-gyp') === null ? null : dirname(manifest);
}

/** Whether package.json names tfjs-node, so that it stays when npm next installs something. */
export function isSaved(project: Project): boolean {
  const manifest = JSON.parse(readFileSync(join(project.folder, 'package.json'), 'utf8')) as Record<
    string,
    unknown
  >;
  return ['dependencies', 'devDependencies', 'optionalDependencies', 'peerDependencies'].some(
    (kind) => '@tensorflow/tfjs-node' in ((manifest[kind] as object | undefined) ?? {}),
  );
}

/**
 * Installs the npm package without running its installer, if it is not installed yet or is to be saved.
 *
 * @param save Whether to write it to package.json and the lock file.
 * @returns Its folder.
 * @throws NatgradError ERR_NATGRAD_BACKEND if npm fails, or if npm is not what manages the project.
 */
export function installPackage(project: Project, save: boolean): string {
  const installed = installedFolder(project);
  if (installed !== null && !save) return installed;
  if (project.otherManager !== null) {
    throw new NatgradError(
      'ERR_NATGRAD_BACKEND',
      `this project is managed by ${project.otherManager}: run \`${project.otherManager} add @tensorflow/tfjs-node@${version}\`, ` +
        'however its installer ends, and then this command again',
    );
  }
  say(`installing the package, version ${version}`);
  // npm would believe a folder that other installations took apart.
  if (installed === null)
    rmSync(join(project.folder, 'node_modules', '@tensorflow', 'tfjs-node'), {
      recursive: true,
      force: true,
    });
  // Without --save-prod npm skips it where this package, whose optional peer it is, is the project itself.
  const saving = save ? ['--save-prod'] : ['--save-prod', '--no-save'];
  const quiet = ['--no-audit', '--no-fund', '--loglevel=error'];
  npm(project.folder, [
    'install',
    ...saving,
    '--ignore-scripts',
    ...quiet,
    `@tensorflow/tfjs-node@${version}`,
  ]);
  const folder = installedFolder(project);
  if (folder === null)
    throw new NatgradError('ERR_NATGRAD_BACKEND', 'npm ended well but did not install @tensorflow/tfjs-node');
  return folder;
}

/** Runs the npm that started this process, else the one on the path. */
function npm(folder: string, args: readonly string[]): string {
  const script = process.env.npm_execpath;
  if (script !== undefined && basename(script) === 'npm-cli.js')
    return run(process.execPath, [script, ...args], { cwd: folder });
  return run('npm', args, { cwd: folder, shell: process.platform === 'win32' });
}

/** The major version of npm, or null where there is none. */
export function npmMajor(folder: string): number | null {
  try {
    return Number.parseInt(npm(folder, ['--version', '--loglevel=silent']), 10);
  } catch {
    return null;
  }
}
