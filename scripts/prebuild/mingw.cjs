'use strict';

// The compilers of MinGW-w64, which make binaries for Windows: of its two kinds of threads the one that std::thread needs.

const fs = require('node:fs');
const path = require('node:path');

const { writeCommand } = require('./command.cjs');
const { workFolder } = require('./targets.cjs');

/** What OpenBLAS and LAPACK are assembled with; CMakeLists.txt says why, and has it for the addon. */
const options = ['-Wa,-muse-unaligned-vector-move'];

/** Debian's names of the compilers for C, C++ and Fortran. */
const commands = ({ triple }) => ({
  cc: `${triple}-gcc-posix`,
  cxx: `${triple}-g++-posix`,
  fc: `${triple}-gfortran-posix`,
});

/** The compilers of a target: for C and Fortran, paths of commands that give the options. */
function mingw(name, target) {
  const folder = path.join(workFolder, name, 'mingw');
  fs.mkdirSync(folder, { recursive: true });
  const compilers = commands(target);
  for (const kind of ['cc', 'fc']) {
    const file = path.join(folder, kind);
    writeCommand(file, compilers[kind], options);
    compilers[kind] = file;
  }
  return compilers;
}

module.exports = { commands, mingw };
