'use strict';

// Builds the addon of a target with OpenBLAS inside, and lays it, stripped, where the package ships it.

const path = require('node:path');

const { builtFiles, cmakeAddon, replaceFile } = require('../cmake-addon.cjs');
const { run } = require('./command.cjs');
const { outputFolder, workFolder } = require('./targets.cjs');

/**
 * Builds natgrad.node in a folder, which belongs to one compiler, with the archive of OpenBLAS and LAPACK inside; `strip` is the command
 * that removes what only a debugger reads. Returns the addon and after it the plugins that go with it.
 */
function buildAddon(name, { folder, archive, variables = {}, args = [], strip }) {
  const built = cmakeAddon({
    work: path.join(workFolder, name, folder),
    variables: { NATGRAD_OPENBLAS: archive, ...variables },
    args,
  });
  return builtFiles(built).map((file) => {
    const target = path.join(outputFolder(name), file);
    replaceFile(path.join(built, file), target);
    run(strip[0], [...strip.slice(1), target]);
    return target;
  });
}

/** CMake variables and cmake-js arguments that make the compilers of a target build for its system and architecture. */
function toolchain({ cxx }, { system, processor, triple }, nodeArchitecture) {
  return {
    variables: {
      CMAKE_CXX_COMPILER: cxx,
      CMAKE_AR: `/usr/bin/${triple}-ar`,
      CMAKE_RANLIB: `/usr/bin/${triple}-ranlib`,
      CMAKE_SYSTEM_NAME: system,
      CMAKE_SYSTEM_PROCESSOR: processor,
    },
    args: ['--arch', nodeArchitecture],
    strip: [`${triple}-strip`, '--strip-unneeded'],
  };
}

module.exports = { buildAddon, toolchain };
