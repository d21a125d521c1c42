'use strict';

// Builds the native addon with cmake-js; CMake rebuilds only what changed. Shared by the local build and the prebuilt binaries.

const { spawnSync } = require('node:child_process');
const { copyFileSync, existsSync, mkdirSync, renameSync } = require('node:fs');
const { dirname, join } = require('node:path');

const root = dirname(__dirname);

/** Why an addon cannot be built or was not. */
class AddonBuildError extends Error {}

/** The folder with what a build in `work` left: generators for several configurations add a folder for each. */
function outputFolder(work) {
  const folder = [join(work, 'Release'), work].find((name) => existsSync(join(name, 'natgrad.node')));
  if (!folder) throw new AddonBuildError(`the build left no natgrad.node in ${work}`);
  return folder;
}

/** Builds in the folder `work` with the given CMake variables, and returns the folder that holds natgrad.node. */
function cmakeAddon({ work, variables = {}, args = [] }) {
  // A build inside a build (node-gyp runs this from a Makefile) must not inherit the outer one's flags.
  const env = { ...process.env };
  for (const name of ['MAKEFLAGS', 'MAKELEVEL', 'MFLAGS', 'BUILDTYPE']) delete env[name];

  let cmakeJs;
  try {
    cmakeJs = join(dirname(require.resolve('cmake-js/package.json')), 'bin', 'cmake-js');
  } catch {
    throw new AddonBuildError('cmake-js is not installed: run npm install in the folder of natgrad first.');
  }
  if (spawnSync('cmake', ['--version'], { stdio: 'ignore' }).status !== 0) {
    throw new AddonBuildError(
      'CMake is not installed: it is needed to build the addon (Debian and Ubuntu: apt-get install cmake).',
    );
  }
  const options = ['--directory', root, '--out', work, ...args];
  for (const [name, value] of Object.entries(variables)) options.push(`--CD${name}=${value}`);
  if (process.env.NATGRAD_BUILD_JOBS) options.push('--parallel', process.env.NATGRAD_BUILD_JOBS);
  const { status } = spawnSync(process.execPath, [cmakeJs, 'build', ...options], {
    cwd: root,
    stdio: 'inherit',
    env,
  });
  if (status !== 0) throw new AddonBuildError('the addon could not be built; the compiler says why above.');
  return outputFolder(work);
}

/** Libraries that CMake builds where it can, and that the addon looks for beside itself. */
const plugins = ['natgrad-cuda.so'];

/** The files in that folder that belong together: the addon and the plugins that were built. */
function builtFiles(folder) {
  return ['natgrad.node', ...plugins.filter((name) => existsSync(join(folder, name)))];
}

/** Copies a file in one step, so that a process that has the old one loaded keeps it. */
function replaceFile(from, to) {
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(from, `${to}.new`);
  renameSync(`${to}.new`, to);
}

module.exports = { AddonBuildError, builtFiles, cmakeAddon, replaceFile, root };
