'use strict';

// Two copies of the package in one process, as two dependencies with different versions of it bring: both train, and to the same losses.

const assert = require('node:assert/strict');
const { cpSync, symlinkSync } = require('node:fs');
const { createRequire } = require('node:module');
const path = require('node:path');

const { train } = require('./training.cjs');

async function main() {
  const original = path.dirname(require.resolve('natgrad/package.json'));
  const library = path.join(__dirname, 'node_modules', 'library');
  const packages = path.join(library, 'node_modules');
  cpSync(original, path.join(packages, 'natgrad'), { recursive: true, dereference: true });
  // Its dependencies lie beside it, wherever the package manager keeps both.
  for (const name of Object.keys(require('natgrad/package.json').dependencies))
    symlinkSync(path.join(path.dirname(original), name), path.join(packages, name));
  const other = createRequire(path.join(library, 'index.js'));
  const first = await train('wasm');
  const copy = { ...other('natgrad'), ...other('natgrad/accelerate') };
  assert.notEqual(copy.kfac, require('natgrad').kfac);
  assert.deepEqual(await train('wasm', copy), first);
  assert.deepEqual(await train('wasm'), first);
}

main();
