'use strict';
// Builds the native addon with cmake-js into build/cmake and copies it to build/Release/natgrad.node, where the loader looks for a local
// build. CMake rebuilds only what changed. With --sanitize: AddressSanitizer and UBSan, into build/asan/natgrad.node.

const { spawnSync } = require('node:child_process');
const { copyFileSync, existsSync, mkdirSync, renameSync } = require('node:fs');
const { dirname, join } = require('node:path');

const root = dirname(__dirname);
const sanitize = process.argv.includes('--sanitize');
const work = join(root, 'build', sanitize ? 'cmake-asan' : 'cmake');
const target = join(root, 'build', sanitize ? 'asan' : 'Release', 'natgrad.node');

// A build inside a build (node-gyp runs this script from a Makefile) must not inherit the outer one's flags.
const env = { ...process.env };
for (const name of ['MAKEFLAGS', 'MAKELEVEL', 'MFLAGS', 'BUILDTYPE']) delete env[name];

let cmakeJs;
try {
  cmakeJs = join(dirname(require.resolve('cmake-js/package.json')), 'bin', 'cmake-js');
} catch {
  console.error('cmake-js is not installed: run npm install in the folder of natgrad first.');
  process.exit(1);
}
if (spawnSync('cmake', ['--version'], { stdio: 'ignore' }).status !== 0) {
  console.error(
    'CMake is not installed: it is needed to build the addon (Debian and Ubuntu: apt-get install cmake).',
  );
  process.exit(1);
}

const options = ['--directory', root, '--out', work];
if (sanitize) options.push('--CDNATGRAD_SANITIZE=ON');
if (process.env.NATGRAD_BUILD_JOBS) options.push('--parallel', process.env.NATGRAD_BUILD_JOBS);
const { status } = spawnSync(process.execPath, [cmakeJs, 'build', ...options], {
  cwd: root,
  stdio: 'inherit',
  env,
});
if (status !== 0) process.exit(status ?? 1);

const built = [join(work, 'Release', 'natgrad.node'), join(work, 'natgrad.node')].find((path) =>
  existsSync(path),
);
if (!built) {
  console.error(`the build left no natgrad.node in ${work}`);
  process.exit(1);
}
// Renaming replaces the file in one step, so that a process that has the old one loaded keeps it.
mkdirSync(dirname(target), { recursive: true });
copyFileSync(built, `${target}.new`);
renameSync(`${target}.new`, target);
