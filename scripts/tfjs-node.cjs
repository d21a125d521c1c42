'use strict';

// Installs @tensorflow/tfjs-node, which is no dependency of this package but one of the backends it runs on. Its own installer
// fetches libtensorflow from a storage bucket that firewalls tend to block and that npm 12 no longer runs unasked; where it does not
// answer, the binding is compiled against the same library from the tensorflow-cpu wheel of Python, in a virtual environment.
// package.json and package-lock.json stay as they are, so `npm ci` removes tfjs-node again.

const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const root = path.dirname(__dirname);
const tfjsNode = path.join(root, 'node_modules', '@tensorflow', 'tfjs-node');
const version = '4.22.0';
const wheel = 'tensorflow-cpu==2.21.0';
const storage = process.env.TFJS_NODE_CDN_STORAGE ?? 'https://storage.googleapis.com/';
const library = `${storage}tensorflow/libtensorflow/libtensorflow-cpu-linux-x86_64-2.9.1.tar.gz`;

/** Node 23 dropped functions of `util` that tfjs-node 4.22 calls. */
const polyfill =
  'const util = require("node:util"); util.isNullOrUndefined ??= (v) => v == null; util.isArray ??= Array.isArray;';

function say(line) {
  process.stderr.write(`tfjs-node: ${line}\n`);
}

function fail(line) {
  say(line);
  process.exit(1);
}

/** Runs a command; what it printed is shown only if it fails. */
function run(command, args, options = {}) {
  const { status, error, stdout, stderr } = spawnSync(command, args, {
    cwd: root,
    encoding: 'utf8',
    ...options,
  });
  if (status === 0) return;
  process.stderr.write(`${stdout ?? ''}${stderr ?? ''}`);
  fail(`${[command, ...args].join(' ')} failed${error ? `: ${error.message}` : ''}`);
}

/** The version of TensorFlow that tfjs-node runs on, or null if it does not load and compute. */
function runningVersion() {
  const program = `${polyfill}
    const tf = require('@tensorflow/tfjs-node');
    if (tf.getBackend() !== 'tensorflow' || tf.scalar(2).square().dataSync()[0] !== 4) process.exit(1);
    process.stdout.write(tf.backend().binding.TF_Version);`;
  const env = { ...process.env, TF_CPP_MIN_LOG_LEVEL: '2' };
  const { status, stdout } = spawnSync(process.execPath, ['-e', program], {
    cwd: root,
    encoding: 'utf8',
    env,
  });
  return status === 0 ? stdout : null;
}

async function answers(url) {
  try {
    return (await fetch(url, { method: 'HEAD', signal: AbortSignal.timeout(5000) })).ok;
  } catch {
    return false;
  }
}

function nodePreGyp() {
  return require.resolve('@mapbox/node-pre-gyp/bin/node-pre-gyp', { paths: [tfjsNode] });
}

/** Whether the package is there in the right version with what its build needs; other installations may have removed that. */
function isInstalled() {
  try {
    nodePreGyp();
    return JSON.parse(fs.readFileSync(path.join(tfjsNode, 'package.json'), 'utf8')).version === version;
  } catch {
    return false;
  }
}

function installPackage() {
  if (isInstalled()) return;
  fs.rmSync(tfjsNode, { recursive: true, force: true });
  say(`installing the package, version ${version}`);
  // As an optional peer of this package it would not be installed; --save-prod says that it is wanted, --no-save that nobody writes it down.
  const args = [
    'install',
    '--no-save',
    '--save-prod',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
  ];
  run('npm', [...args, `@tensorflow/tfjs-node@${version}`], { shell: process.platform === 'win32' });
}

/** Lays the headers and libraries of the wheel where the binding's build looks for those of libtensorflow. */
function linkTensorFlow(tensorflow) {
  const deps = path.join(tfjsNode, 'deps');
  fs.rmSync(deps, { recursive: true, force: true });
  fs.mkdirSync(path.join(deps, 'lib'), { recursive: true });
  fs.symlinkSync(path.join(tensorflow, 'include'), path.join(deps, 'include'));
  const libraries = {
    'libtensorflow_cc.so.2': 'libtensorflow.so',
    'libtensorflow_framework.so.2': 'libtensorflow_framework.so',
  };
  for (const [file, linkName] of Object.entries(libraries)) {
    fs.symlinkSync(path.join(tensorflow, file), path.join(deps, 'lib', file));
    fs.symlinkSync(file, path.join(deps, 'lib', linkName));
  }
}

function buildAgainstWheel() {
  if (process.platform !== 'linux')
    fail('the download does not answer, and the build from a Python wheel works on Linux only');
  const python = path.join(root, '.venv', 'bin', 'python');
  if (!fs.existsSync(python)) run('python3', ['-m', 'venv', path.join(root, '.venv')]);
  say(`installing ${wheel} into .venv (about 800 MB)`);
  run(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-deps', wheel]);
  const where = 'import sysconfig; print(sysconfig.get_paths()["platlib"])';
  const sitePackages = spawnSync(python, ['-c', where], { encoding: 'utf8' }).stdout.trim();
  linkTensorFlow(path.join(sitePackages, 'tensorflow'));
  say('compiling the binding');
  const nodePrefix = path.resolve(process.execPath, '..', '..');
  const hasHeaders = fs.existsSync(path.join(nodePrefix, 'include', 'node', 'node_api.h'));
  const args = [
    nodePreGyp(),
    'install',
    '--build-from-source',
    ...(hasHeaders ? [`--nodedir=${nodePrefix}`] : []),
  ];
  run(process.execPath, args, { cwd: tfjsNode });
}

async function main() {
  installPackage();
  if (runningVersion() === null) {
    if (await answers(library))
      run(process.execPath, [path.join('scripts', 'install.js')], { cwd: tfjsNode });
    else buildAgainstWheel();
  }
  const running = runningVersion();
  if (running === null)
    fail(`it was installed but does not load; try: node -e "require('@tensorflow/tfjs-node')"`);
  say(`works, on TensorFlow ${running}`);
  if (Number(process.versions.node.split('.')[0]) >= 23)
    say(`in programs of your own, run this before requiring it: ${polyfill}`);
}

void main();
