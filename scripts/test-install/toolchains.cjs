'use strict';

// Node, npm, pnpm and esbuild in the versions to test, fetched from the npm registry into build/test-install/tools and kept there.

const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const folder = path.join(__dirname, '..', '..', 'build', 'test-install');

/** Runs the npm of this machine, without what an outer `npm run` put into the environment. */
function npm(args, options = {}) {
  return spawnSync('npm', args, {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    env: plainEnvironment(),
    ...options,
  });
}

/** The environment without npm's own variables and without ours. */
function plainEnvironment() {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(npm_|NATGRAD_|NODE_OPTIONS$)/i.test(name)),
  );
}

/**
 * A package from the registry, unpacked with its dependencies.
 *
 * Returns {path, version}, or {missing} with the reason where it cannot be had.
 */
function fetchPackage(name, range) {
  const prefix = path.join(folder, 'tools', `${name}-${range}`);
  const target = path.join(prefix, 'node_modules', name);
  const manifest = path.join(target, 'package.json');
  if (!fs.existsSync(manifest)) {
    const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
    const { status, stderr } = npm(['install', '--prefix', prefix, ...quiet, `${name}@${range}`]);
    if (status !== 0) {
      fs.rmSync(prefix, { recursive: true, force: true });
      return { missing: `${name}@${range} cannot be installed: ${firstError(stderr)}` };
    }
  }
  return { path: target, version: JSON.parse(fs.readFileSync(manifest, 'utf8')).version };
}

/** What npm says went wrong, without the code before it and the advice after it. */
function firstError(text) {
  const lines = text.split('\n').filter((line) => line.startsWith('npm error'));
  const reason = lines.find((line) => !line.startsWith('npm error code')) ?? 'npm does not say why';
  return reason.replace(/^npm error /, '');
}

/** {executable, version} of a Node of a major version, or {missing}. */
function fetchNode(major) {
  const fetched = fetchPackage(
    `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`,
    major,
  );
  if (fetched.missing) return fetched;
  return { executable: path.join(fetched.path, 'bin', 'node'), version: fetched.version };
}

/** {name, script, version} of a package manager, or {missing}. */
function fetchManager(name, major) {
  const fetched = fetchPackage(name, major);
  if (fetched.missing) return fetched;
  const bin = JSON.parse(fs.readFileSync(path.join(fetched.path, 'package.json'), 'utf8')).bin[name];
  return { name, script: path.join(fetched.path, bin), version: fetched.version };
}

/** The Node that runs this and the npm on the path. */
function currentToolchain() {
  const root = npm(['root', '--global', '--loglevel=silent']).stdout.trim();
  const script = path.join(root, 'npm', 'bin', 'npm-cli.js');
  const { version } = JSON.parse(fs.readFileSync(path.join(root, 'npm', 'package.json'), 'utf8'));
  return {
    node: { executable: process.execPath, version: process.versions.node },
    manager: { name: 'npm', script, version },
  };
}

module.exports = { folder, fetchPackage, fetchNode, fetchManager, currentToolchain, npm, plainEnvironment };
