'use strict';

// A folder with the headers and libraries of an older Debian, and compilers that look nowhere else. What they build asks for no newer
// symbol of glibc or libstdc++ than that Debian has.

const fs = require('node:fs');
const path = require('node:path');

const { run, say, writeCommand } = require('./command.cjs');
const { debian } = require('./debian.cjs');
const { addMathStub } = require('./mathStub.cjs');
const { sysrootSuite, workFolder } = require('./targets.cjs');

/** The C++ headers are of that Debian too: newer ones call functions that its library lacks. */
const gcc = '10';
const packages = ['libc6', 'libc6-dev', 'linux-libc-dev', 'libgcc-s1', 'libstdc++6', `libstdc++-${gcc}-dev`];

function* linksUnder(folder) {
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    const name = path.join(folder, entry.name);
    if (entry.isSymbolicLink()) yield name;
    else if (entry.isDirectory()) yield* linksUnder(name);
  }
}

/** Absolute links of the packages would lead out of the sysroot. */
function makeLinksRelative(folder) {
  for (const link of linksUnder(folder)) {
    const aim = fs.readlinkSync(link);
    if (!path.isAbsolute(aim)) continue;
    fs.rmSync(link);
    fs.symlinkSync(path.relative(path.dirname(link), path.join(folder, aim)), link);
  }
}

/** What the linker looks for is in packages with a compiler of their own; these two names are all that we want of them. */
function addLinkerNames(folder, triple) {
  const libraries = path.join(folder, 'usr', 'lib', triple);
  fs.symlinkSync('libstdc++.so.6', path.join(libraries, 'libstdc++.so'));
  const support = `GROUP ( /lib/${triple}/libgcc_s.so.1 -lgcc )\n`;
  fs.writeFileSync(path.join(libraries, 'libgcc_s.so'), support);
}

/** Cross compilers would look into folders of their own first, so that they are told every folder. */
function writeCompilers({ folder, cc, cxx }, triple) {
  const libraries = path.join(folder, 'usr', 'lib', triple);
  const headers = path.join(folder, 'usr', 'include');
  const common = [`--sysroot=${folder}`, `-B${libraries}`, `-L${libraries}`, '-nostdinc'];
  const ownHeaders = run(`${triple}-gcc`, ['-print-file-name=include']).trim();
  const cFolders = [ownHeaders, path.join(headers, triple), headers];
  const cxxFolders = [path.join(headers, 'c++', gcc), path.join(headers, triple, 'c++', gcc)];
  const include = (folders) => folders.map((name) => `-isystem ${name}`);
  writeCommand(cc, `${triple}-gcc`, [...common, ...include(cFolders)]);
  writeCommand(cxx, `${triple}-g++`, [
    ...common,
    ...include([...cxxFolders, ...cFolders]),
    // These headers move an empty std::function by swapping bytes that nobody reads, of which newer compilers warn.
    '-Wno-uninitialized',
    '-Wno-maybe-uninitialized',
  ]);
}

/** Makes the sysroot of a target unless it is there; returns its folder and compilers. */
function sysroot(name, { architecture, triple }) {
  const work = path.join(workFolder, name, 'sysroot');
  const folder = path.join(work, 'root');
  const result = { folder, cc: path.join(work, 'cc'), cxx: path.join(work, 'c++') };
  const done = path.join(work, 'done');
  if (fs.existsSync(done)) return result;

  say(`${name}: fetching the libraries of Debian ${sysrootSuite}`);
  fs.rmSync(work, { recursive: true, force: true });
  debian({ suite: sysrootSuite, architecture, folder: work }).unpack(packages, folder);
  makeLinksRelative(folder);
  addLinkerNames(folder, triple);
  addMathStub(folder, triple);
  writeCompilers(result, triple);
  fs.writeFileSync(done, '');
  return result;
}

module.exports = { sysroot };
