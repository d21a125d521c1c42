'use strict';

// glibc 2.29 gave exp, log and pow new versions that differ from the old ones only in how errors are reported; a binary that is linked
// against it asks for them and does not load where glibc is older. The linker is therefore shown an empty library in place of libm, with
// every function in the newest version that is old enough.

const fs = require('node:fs');
const path = require('node:path');

const { run } = require('./command.cjs');
const { compareVersions, floors } = require('./verify.cjs');

/** Names of a library's functions, by the version of each that a binary may ask for. */
function functionsByVersion(library, triple) {
  const chosen = new Map();
  for (const line of run(`${triple}-nm`, ['--dynamic', '--defined-only', library]).split('\n')) {
    const [, name, version] = /^\S+ [TWi] (\w+)@+GLIBC_([0-9.]+)$/.exec(line) ?? [];
    if (name === undefined || compareVersions(version, floors.GLIBC) > 0) continue;
    if (compareVersions(version, chosen.get(name) ?? '0') > 0) chosen.set(name, version);
  }
  const byVersion = new Map();
  for (const [name, version] of chosen) byVersion.set(version, [...(byVersion.get(version) ?? []), name]);
  return byVersion;
}

/** Replaces the libm that the linker finds in the sysroot. */
function addMathStub(folder, triple) {
  const libraries = path.join(folder, 'usr', 'lib', triple);
  const byVersion = functionsByVersion(path.join(folder, 'lib', triple, 'libm.so.6'), triple);
  const versions = path.join(libraries, 'libm.map');
  fs.writeFileSync(
    versions,
    [...byVersion].map(([version, names]) => `GLIBC_${version} { global: ${names.join('; ')}; };\n`).join(''),
  );
  const stub = path.join(libraries, 'libm.so');
  fs.rmSync(stub);
  const source = [...byVersion.values()].flat().map((name) => `void ${name}(void) {}\n`);
  const options = ['-shared', '-nostdlib', '-fno-builtin', '-Wl,-soname,libm.so.6'];
  run(`${triple}-gcc`, [...options, `-Wl,--version-script=${versions}`, '-x', 'c', '-', '-o', stub], {
    input: source.join(''),
  });
}

module.exports = { addMathStub };
