'use strict';

// Builds prebuilds/<platform>/natgrad.node, which the package ships and the loader takes where nothing was built.
//   npm run build:prebuild                            the platform of this machine, on Debian or Ubuntu
//   npm run build:prebuild -- linux-x64 linux-arm64   named platforms, cross-compiled where need be
//   npm run build:prebuild -- --openblas FILE         this machine's platform with its own compiler and that static OpenBLAS (macOS, musl)

const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { parseArgs } = require('node:util');

const { AddonBuildError } = require('../cmake-addon.cjs');
const { buildAddon, toolchain } = require('./addon.cjs');
const { PrebuildError, run, say } = require('./command.cjs');
const { openblas } = require('./openblas.cjs');
const { sysroot } = require('./sysroot.cjs');
const { root, targets } = require('./targets.cjs');
const { inspect, problems, unmetNeeds } = require('./verify.cjs');

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
      `these commands are missing: ${missing.join(', ')} (Debian: g++, dpkg-dev, make, cmake, and g++-aarch64-linux-gnu for linux-arm64)`,
    );
}

/** Shows what finished binaries need; where one must not be shipped, all are removed. */
function check(name, [addon, ...plugins], prefix) {
  for (const file of [addon, ...plugins]) {
    const report = inspect(file, prefix);
    const found = file === addon ? problems(report) : unmetNeeds(report);
    if (found.length > 0) {
      for (const built of [addon, ...plugins]) fs.rmSync(built);
      throw new PrebuildError(`${path.relative(root, file)} is not fit to be shipped:\n${found.join('\n')}`);
    }
    const versions = Object.entries(report.newest).map(([library, version]) => `${library} ${version}`);
    say(
      `${name}: ${path.basename(file)}, ${(report.bytes / 1e6).toFixed(1)} MB; needs ${versions.join(', ')}; ${report.needed.join(' ')}`,
    );
  }
}

/** Loads the binary in a process of its own, as far as this machine can. */
function tryOut(name, file) {
  if (name === thisPlatform()) run(process.execPath, ['-e', 'require(process.argv[1])', file]);
}

function prebuildOnDebian(name) {
  const target = targets[name];
  if (target === undefined)
    throw new PrebuildError(
      `Debian can build for ${Object.keys(targets).join(', ')}, not for ${name} (for musl it has no C++ library); on that platform itself: ` +
        'npm run build:prebuild -- --openblas path/to/libopenblas.a (docs/building.md)',
    );
  requireTools(['apt-get', 'dpkg-source', 'make', `${target.triple}-gcc`, `${target.triple}-g++`, 'gcc']);
  const compilers = sysroot(name, target);
  const archive = openblas(name, target, compilers);
  const files = buildAddon(name, {
    folder: 'cmake',
    archive,
    ...toolchain(compilers, target, name.split('-')[1]),
  });
  check(name, files, `${target.triple}-`);
  tryOut(name, files[0]);
}

function prebuildHere(archive) {
  const name = thisPlatform();
  const strip = process.platform === 'darwin' ? ['strip', '-x'] : ['strip', '--strip-unneeded'];
  const files = buildAddon(name, { folder: 'cmake-here', archive: path.resolve(archive), strip });
  if (process.platform === 'linux') check(name, files, '');
  tryOut(name, files[0]);
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
