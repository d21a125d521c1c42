'use strict';

// Brings a checkout into a state in which everything runs: npm packages, compilers, addon, TypeScript. Each step first asks
// whether it has anything to do, so that a second run costs next to nothing. Only Node's own modules are used, because the
// first run starts from a bare clone.

const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const { snapshot, isFresh, markFresh } = require('./freshness.cjs');

const root = path.dirname(__dirname);
const at = (...parts) => path.join(root, ...parts);

function say(line) {
  process.stderr.write(`setup: ${line}\n`);
}

function fail(line) {
  say(line);
  process.exit(1);
}

/** Runs a command; what it printed is shown only if it fails, and then the setup ends. */
function run(command, args, options = {}) {
  const settings = { cwd: root, encoding: 'utf8', maxBuffer: 2 ** 28, ...options };
  const { status, error, stdout, stderr } = spawnSync(command, args, settings);
  if (status === 0) return;
  process.stderr.write(`${stdout ?? ''}${stderr ?? ''}`);
  fail(`${[command, ...args].join(' ')} failed${error ? `: ${error.message}` : ''}`);
}

function succeeds(command, args, input) {
  return spawnSync(command, args, { input, stdio: ['pipe', 'ignore', 'ignore'] }).status === 0;
}

/** True when every package the lock file asks for lies in node_modules in that version; extra packages do no harm. */
function packagesMatchLock() {
  const installedFile = at('node_modules', '.package-lock.json');
  if (!fs.existsSync(installedFile)) return false;
  const wanted = JSON.parse(fs.readFileSync(at('package-lock.json'), 'utf8')).packages;
  const installed = JSON.parse(fs.readFileSync(installedFile, 'utf8')).packages;
  return Object.entries(wanted).every(([name, entry]) => {
    if (name === '') return true;
    if (installed[name] === undefined) return entry.optional === true || entry.peer === true;
    return installed[name].version === entry.version;
  });
}

function installPackages() {
  if (packagesMatchLock()) return;
  say('installing npm packages');
  const args = ['ci', '--no-audit', '--no-fund', '--loglevel=error'];
  const npm = process.env.npm_execpath;
  // Another package manager that runs this names itself there.
  if (npm && path.basename(npm) === 'npm-cli.js') run(process.execPath, [npm, ...args]);
  else run('npm', args, { shell: process.platform === 'win32' });
}

/** Debian packages that are missing for building the addon. */
function missingTools() {
  const missing = [];
  if (!succeeds('g++', ['--version'])) missing.push('g++');
  if (!succeeds('cmake', ['--version'])) missing.push('cmake');
  if (!succeeds('ninja', ['--version'])) missing.push('ninja-build');
  const links = succeeds('g++', ['-x', 'c++', '-', '-lopenblas', '-o', '/dev/null'], 'int main() {}');
  if (!links) missing.push('libopenblas-dev');
  return missing;
}

function installTools() {
  if (process.platform !== 'linux') return; // CMake says what it misses elsewhere.
  const missing = missingTools();
  if (missing.length === 0) return;
  const isRoot = process.getuid() === 0;
  if (!isRoot || !succeeds('apt-get', ['--version'])) {
    const hint = isRoot
      ? `the equivalents of Debian's ${missing.join(', ')}`
      : `sudo apt-get install ${missing.join(' ')}`;
    fail(`the addon cannot be built yet; please install: ${hint}`);
  }
  say(`installing ${missing.join(', ')}`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  run('apt-get', ['update', '-qq'], { env });
  run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...missing], { env });
}

function buildAddon() {
  const inputs = ['native', 'CMakeLists.txt', 'scripts/build-native.cjs', 'package-lock.json'].map((name) =>
    at(name),
  );
  const stamp = at('build', 'addon.stamp');
  if (isFresh(stamp, at('build', 'Release', 'natgrad.node'), inputs)) return;
  installTools();
  say('building the addon');
  const noted = snapshot(inputs);
  run(process.execPath, [at('scripts', 'build-native.cjs')]);
  markFresh(stamp, noted);
}

function buildTypeScript() {
  const { inputs, stamp, output } = require('./typescript-inputs.cjs');
  if (isFresh(stamp, output, inputs)) return;
  say('building TypeScript');
  run(process.execPath, [at('scripts', 'build-ts.cjs')]);
}

if (Number(process.versions.node.split('.')[0]) < 20) {
  fail(`Node ${process.versions.node} is too old; please use Node 20 or newer`);
}
installPackages();
buildAddon();
buildTypeScript();
