'use strict';

// Every public entry can be required and imported, both ways give the same values, and the command line finds the prebuilt binary.

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const { realpathSync } = require('node:fs');
const path = require('node:path');

async function main() {
  const manifest = require('natgrad/package.json');
  const root = path.dirname(require.resolve('natgrad/package.json'));
  for (const entry of Object.keys(manifest.exports).filter((name) => !name.endsWith('.json'))) {
    const name = path.posix.join('natgrad', entry);
    const required = require(name);
    const imported = await import(name);
    assert.deepEqual(Object.keys(imported).sort(), Object.keys(required).sort(), name);
    for (const key of Object.keys(required)) assert.equal(imported[key], required[key], `${name}: ${key}`);
  }
  const cli = path.join(root, manifest.bin.natgrad);
  const found = JSON.parse(execFileSync('node', [cli, 'inspect', '--json'], { encoding: 'utf8' }));
  assert.equal(found.addonProblem, null);
  assert.equal(found.addon.version, manifest.version);
  assert.equal(
    realpathSync(found.addon.path),
    path.join(realpathSync(root), 'prebuilds', found.platform, 'natgrad.node'),
  );
}

main();
