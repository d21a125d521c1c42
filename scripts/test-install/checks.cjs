'use strict';

// What must work in a sandbox in which the package is installed: one entry per column of the report. A check returns {ok, output}, or
// {missing} with the reason where this machine has not what it needs.

const path = require('node:path');

const { fetchPackage } = require('./toolchains.cjs');

const programs = path.join(__dirname, 'programs');

/** Runs a program in the sandbox; a line of natgrad's own on the terminal counts as a failure. */
function runProgram(sandbox, file, ...args) {
  const result = sandbox.run('node', [file, ...args]);
  const spoke = result.printed.split('\n').some((line) => line.startsWith('natgrad'));
  return { ...result, ok: result.ok && !spoke };
}

/** Packages that keep files beside their code must not be bundled: the addon, the wasm files and TensorFlow. */
function bundled(sandbox) {
  const esbuild = fetchPackage('esbuild', '0.28');
  if (esbuild.missing) return esbuild;
  const { buildSync } = require(esbuild.path);
  buildSync({
    entryPoints: [path.join(sandbox.project, 'train.cjs')],
    outfile: path.join(sandbox.project, 'bundle.cjs'),
    bundle: true,
    platform: 'node',
    external: ['natgrad', '@tensorflow/*'],
  });
  return runProgram(sandbox, 'bundle.cjs', 'wasm');
}

/** The jest of this repository, with the rules of a project that has none of its own. */
function underJest(sandbox) {
  const jest = path.join(path.dirname(require.resolve('jest/package.json')), 'bin', 'jest.js');
  return runProgram(sandbox, jest, '--rootDir', sandbox.project, '--watchman=false', '--transform={}');
}

const checks = {
  load: (sandbox) => runProgram(sandbox, 'load.cjs'),
  cpu: (sandbox) => runProgram(sandbox, 'train.cjs', 'cpu'),
  wasm: (sandbox) => runProgram(sandbox, 'train.cjs', 'wasm'),
  'tfjs-node': (sandbox, { binding }) =>
    binding.missing ? binding : runProgram(sandbox, 'train.cjs', 'tensorflow'),
  workers: (sandbox) => runProgram(sandbox, 'workers.cjs'),
  'two copies': (sandbox) => runProgram(sandbox, 'twoCopies.cjs'),
  jest: underJest,
  esbuild: bundled,
};

/** Puts the programs into the project of a sandbox. */
function addPrograms(sandbox) {
  for (const name of [
    'training.cjs',
    'train.cjs',
    'load.cjs',
    'workers.cjs',
    'twoCopies.cjs',
    'natgrad.test.js',
  ])
    sandbox.copy(path.join(programs, name));
}

module.exports = { checks, addPrograms };
