'use strict';

// The platforms that are built on Debian, one row each, and the versions of what goes into their binaries.

const path = require('node:path');

const root = path.join(__dirname, '..', '..');

/**
 * `system` and `processor` are CMake's names, `architecture` is Debian's, `triple` the prefix of its tools. `dynamicList` names the processors that
 * OpenBLAS has kernels for besides its baseline; it picks one when the program runs, and a newer processor gets the newest that it can run.
 */
const targets = {
  'linux-x64': {
    system: 'Linux',
    architecture: 'amd64',
    triple: 'x86_64-linux-gnu',
    processor: 'x86_64',
    openblasTarget: 'GENERIC',
    dynamicList: 'HASWELL ZEN SKYLAKEX',
  },
  'linux-arm64': {
    system: 'Linux',
    architecture: 'arm64',
    triple: 'aarch64-linux-gnu',
    processor: 'aarch64',
    openblasTarget: 'ARMV8',
    dynamicList: 'CORTEXA57 NEOVERSEN1 NEOVERSEV1',
  },
  'win32-x64': {
    system: 'Windows',
    architecture: 'amd64',
    triple: 'x86_64-w64-mingw32',
    processor: 'AMD64',
    openblasTarget: 'GENERIC',
    dynamicList: 'HASWELL ZEN SKYLAKEX',
  },
};

module.exports = {
  root,
  targets,
  /** Everything that is downloaded or built on the way; may be removed at any time. */
  workFolder: path.join(root, 'build', 'prebuild'),
  /** Where the loader looks: the folder that the package ships. */
  outputFolder: (name) => path.join(root, 'prebuilds', name),
  /** The oldest Debian whose glibc (2.31) the compilers of today still build against. */
  sysrootSuite: 'bullseye',
  /** OpenBLAS and LAPACK of the same release; the versions make the name of the cached build. */
  blasSuite: 'trixie',
  openblasVersion: '0.3.29+ds-3',
  lapackPackage: 'liblapack-dev',
  /** LAPACK where it is compiled: of the release whose Fortran compiler does it. */
  lapackSource: { suite: 'bookworm', version: '3.11.0-2' },
};
