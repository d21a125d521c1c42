'use strict';

// Installs tfjs and then the tarball in a sandbox, as a user does, and listens to what the package manager says about the latter.

const fs = require('node:fs');
const path = require('node:path');

const { folder } = require('./toolchains.cjs');

/** How a package manager is told to add packages, from its cache where it can, and to remove one. */
const commands = {
  npm: {
    add: ['install', '--prefer-offline', '--no-audit', '--no-fund'],
    remove: ['uninstall', '--no-audit', '--no-fund'],
  },
  pnpm: {
    add: ['add', '--prefer-offline', '--store-dir', path.join(folder, 'pnpm-store')],
    remove: ['remove', '--store-dir', path.join(folder, 'pnpm-store')],
  },
};

const version = '4.22.0';

/** tfjs and its wasm backend; with the folder of a tfjs-node that works, also tfjs-node, with what its installer made there. */
function installBackends(sandbox, tfjsNode) {
  const names = ['tfjs', 'tfjs-backend-wasm', ...(tfjsNode ? ['tfjs-node'] : [])];
  const { name } = sandbox.toolchain.manager;
  const added = sandbox.run(name, [
    ...commands[name].add,
    '--ignore-scripts',
    ...names.map((each) => `@tensorflow/${each}@${version}`),
  ]);
  if (added.ok && tfjsNode) {
    const target = fs.realpathSync(path.join(sandbox.project, 'node_modules', '@tensorflow', 'tfjs-node'));
    fs.cpSync(path.join(tfjsNode, 'lib'), path.join(target, 'lib'), { recursive: true });
    fs.symlinkSync(path.join(tfjsNode, 'deps'), path.join(target, 'deps'));
  }
  return added;
}

/** Lines that warn, other than npm's about itself and about the settings of this machine. */
function warnings(text) {
  return text
    .split('\n')
    .filter((line) => /warn|error|deprecated/i.test(line))
    .filter((line) => !/^npm warn (cli|Unknown \w+ config)/.test(line));
}

/**
 * Installs the tarball, removes it, and installs it again, now from a warm cache.
 *
 * Returns {ok, output, seconds}: the time of the second installation.
 */
function installPackage(sandbox, tarball) {
  const { name } = sandbox.toolchain.manager;
  const { add, remove } = commands[name];
  let last;
  for (const args of [
    [...add, tarball],
    [...remove, 'natgrad'],
    [...add, tarball],
  ]) {
    last = sandbox.run(name, args);
    if (!last.ok) return last;
    const heard = warnings(last.printed);
    if (heard.length > 0) return { ok: false, output: `not silent:\n${last.printed}` };
  }
  return last;
}

module.exports = { installBackends, installPackage };
