'use strict';

// LAPACK as a static library, for the eigensolver: on Linux Debian's archive of it for linking into shared libraries, for Windows, which
// Debian has none for, compiled from Debian's source.

const fs = require('node:fs');
const path = require('node:path');

const { run } = require('./command.cjs');
const { debian } = require('./debian.cjs');
const { blasSuite, lapackPackage, lapackSource } = require('./targets.cjs');

/** A text that changes with the library. */
const lapackVersion = ({ system }) =>
  system === 'Linux' ? lapackPackage : Object.values(lapackSource).join(' ');

/** Lays the library in a folder, and returns its path. */
function lapack(target, compilers, folder) {
  return target.system === 'Linux' ? unpackArchive(target, folder) : compile(target, compilers, folder);
}

function unpackArchive({ architecture, triple }, folder) {
  const unpacked = path.join(folder, 'lapack');
  debian({ suite: blasSuite, architecture, folder }).unpack([lapackPackage], unpacked);
  return path.join(unpacked, 'usr', 'lib', triple, 'liblapack_pic.a');
}

function compile({ architecture, triple }, { fc }, folder) {
  const source = path.join(folder, 'lapack');
  debian({ suite: lapackSource.suite, architecture, folder }).unpackSource(
    'lapack',
    lapackSource.version,
    source,
  );
  fs.copyFileSync(path.join(source, 'make.inc.example'), path.join(source, 'make.inc'));
  const archive = path.join(source, 'liblapack.a');
  const settings = [
    `FC=${fc}`,
    // Local arrays on the stack, as several threads call it at once.
    'FFLAGS=-O2 -frecursive',
    `AR=${triple}-ar`,
    `RANLIB=${triple}-ranlib`,
    `LAPACKLIB=${archive}`,
  ];
  // One file at a time: its Makefile does not say which files need Fortran's modules and the archive at the same time.
  run('nice', ['make', '-C', 'SRC', '-j1', 'single', 'double', ...settings], { cwd: source });
  return archive;
}

module.exports = { lapack, lapackVersion };
