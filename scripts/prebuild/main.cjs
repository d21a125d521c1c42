'use strict';

// Builds prebuilds/<platform>/natgrad.node, which the package ships and the loader takes where nothing was built.
//   npm run build:prebuild                            the platform of this machine, on Debian or Ubuntu
//   npm run build:prebuild -- linux-arm64 win32-x64   named platforms, cross-compiled where need be
//   npm run build:prebuild -- --openblas FILE         this machine's platform with its own compiler and that static OpenBLAS (macOS, musl)

const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { parseArgs } = require('node:util');

const { AddonBuildError } = require('../cmake-addon.cjs');
const { buildAddon, toolchain } = require('./addon.cjs');
const { PrebuildError, say } = require('./command.cjs');
const mingw = require('./mingw.cjs');
const { openblas } = require('./openblas.cjs');
const { sysroot } = require('./sysroot.cjs');
const { root, targets } = require('./targets.cjs');
const { tryOut } = require('./tryOut.cjs');
const verify = require('./verify.cjs');
const verifyWindows = require('./verifyWindows.cjs');

/** The folder's name under prebuilds/: the same rule as the loader's. */
function thisPlatform() {
  const musl =
    process.platform === 'linux' && process.report.getReport().header.glibcVersionRuntime === undefined;
  return `${process.platform}-${process.arch}${musl ? '-musl' : ''}`;
}

function requireTools(commands) {
  const missing = commands.filter((command) => spawnSync(command, ['--version']).status !== 0);
  if (missing.length > 0)
    throw new PrebuildError(
      `these commands are missing: ${missing.join(', ')} (Debian: g++, dpkg-dev, make, cmake, g++-aarch64-linux-gnu for linux-arm64, and ` +
        'g++-mingw-w64-x86-64-posix and gfortran-mingw-w64-x86-64-posix for win32-x64)',
    );
}

/** Shows what finished binaries need; where one must not be shipped, all are removed. */
function check(name, files, examine) {
  for (const file of files) {
    const { bytes, needs, found } = examine(file);
    if (found.length > 0) {
      for (const built of files) fs.rmSync(built);
      throw new PrebuildError(`${path.relative(root, file)} is not fit to be shipped:\n${found.join('\n')}`);
    }
    say(`${name}: ${path.basename(file)}, ${(bytes / 1e6).toFixed(1)} MB; needs ${needs.join(' ')}`);
  }
}

/** What is found in the addon or a plugin for Linux. */
function examineOnLinux(file, prefix) {
  const report = verify.inspect(file, prefix);
  const versions = Object.entries(report.newest).map(([library, version]) => `${library} ${version}`);
  return {
    bytes: report.bytes,
    needs: [`${versions.join(', ')};`, ...report.needed],
    found: path.basename(file) === 'natgrad.node' ? verify.problems(report) : verify.unmetNeeds(report),
  };
}

function examineForWindows(file, prefix) {
  const report = verifyWindows.inspect(file, prefix);
  return { bytes: report.bytes, needs: report.needed, found: verifyWindows.problems(report) };
}

/** How binaries for a system are compiled and examined: its compilers, the commands that they are, and the examination. */
const systems = {
  Linux: {
    commands: ({ triple }) => [`${triple}-gcc`, `${triple}-g++`],
    compilers: sysroot,
    examine: examineOnLinux,
  },
  Windows: {
    commands: (target) => Object.values(mingw.commands(target)),
    compilers: mingw.mingw,
    examine: examineForWindows,
  },
};

function prebuildOnDebian(name) {
  const target = targets[name];
  if (target === undefined)
    throw new PrebuildError(
      `Debian can build for ${Object.keys(targets).join(', ')}, not for ${name} (for musl it has no C++ library); on that platform itself: ` +
        'npm run build:prebuild -- --openblas path/to/libopenblas.a (docs/building.md)',
    );
  const { commands, compilers, examine } = systems[target.system];
  requireTools(['apt-get', 'dpkg-source', 'make', 'gcc', ...commands(target)]);
  const chosen = compilers(name, target);
  const archive = openblas(name, target, chosen);
  const files = buildAddon(name, {
    folder: 'cmake',
    archive,
    ...toolchain(chosen, target, name.split('-')[1]),
  });
  check(name, files, (file) => examine(file, `${target.triple}-`));
  tryOut(name, thisPlatform(), files[0]);
}

function prebuildHere(archive) {
  const name = thisPlatform();
  const strip = process.platform === 'darwin' ? ['strip', '-x'] : ['strip', '--strip-unneeded'];
  const files = buildAddon(name, { folder: 'cmake-here', archive: path.resolve(archive), strip });
  if (process.platform === 'linux') check(name, files, (file) => examineOnLinux(file, ''));
  tryOut(name, name, files[0]);
}

function main() {
  const { values, positionals } = parseArgs({
    options: { openblas: { type: 'string' } },
    allowPositionals: true,
  });
  if (values.openblas !== undefined) prebuildHere(values.openblas);
  else for (const name of positionals.length > 0 ? positionals : [thisPlatform()]) prebuildOnDebian(name);
}

try {
  process.chdir(root);
  main();
} catch (error) {
  if (!(error instanceof PrebuildError) && !(error instanceof AddonBuildError)) throw error;
  say(error.message);
  process.exit(1);
}
