'use strict';

// Loads a finished binary in a process of its own, as far as this machine can, and computes with it.

const fs = require('node:fs');
const path = require('node:path');

const { run, say } = require('./command.cjs');
const { root } = require('./targets.cjs');
const { findWine, runNode } = require('./wine.cjs');

/** OpenBLAS's sets of kernels for x64 by the names that OPENBLAS_CORETYPE has for them, with what they need of a processor. */
const kernelSets = { Prescott: 'sse2', Haswell: 'avx2', Zen: 'avx2', SkylakeX: 'avx512bw' };

function availableKernelSets() {
  const flags = new Set(/^flags\s*:(.*)$/m.exec(fs.readFileSync('/proc/cpuinfo', 'utf8'))?.[1].split(' '));
  return Object.keys(kernelSets).filter((name) => flags.has(kernelSets[name]));
}

/** Computes with every set of kernels that this processor can run, in Wine, and says how that went. */
function exerciseInWine(name, file) {
  const wine = findWine();
  if (wine === undefined) return say(`${name}: not run, because Wine is not installed (Debian: wine64)`);
  run(process.execPath, [path.join(root, 'scripts', 'build-ts.cjs')]);
  for (const kernels of availableKernelSets()) {
    const variables = { NATGRAD_ADDON: file, OPENBLAS_CORETYPE: kernels };
    const [description] = runNode(wine, ['scripts/prebuild/exercise.cjs'], variables).split('\n');
    say(`${name}: run in Wine: ${description.trim()}`);
  }
}

/** Tries out the binary of a platform on a machine of the platform `here`. */
function tryOut(name, here, file) {
  if (name === here) run(process.execPath, ['-e', 'require(process.argv[1])', file]);
  else if (name === 'win32-x64' && here === 'linux-x64') exerciseInWine(name, file);
}

module.exports = { tryOut };
