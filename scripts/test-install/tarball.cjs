'use strict';

// The package as it would be published. Where no prebuilt binary of this platform lies in prebuilds, the local build takes its place, in the
// tarball alone: how it installs and loads can be tested with it, what it needs of the system cannot.

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const { npm } = require('./toolchains.cjs');

const root = path.join(__dirname, '..', '..');

function pack(source, target) {
  const { status, stdout, stderr } = npm(
    ['pack', '--ignore-scripts', '--json', '--loglevel=error', '--pack-destination', target],
    { cwd: source },
  );
  if (status !== 0) throw new Error(`npm pack failed: ${stderr}`);
  const report = JSON.parse(stdout);
  const { filename } = Object.values(report)[0];
  return path.join(target, filename);
}

/** Whether the binary needs no OpenBLAS of the system: a library that it needs is named in its table of strings. */
function isSelfContained(binary) {
  return !fs.readFileSync(binary).includes('libopenblas.so');
}

/**
 * Packs the project, which must be built, into `target`.
 *
 * Returns {file, binary, description}: the tarball, the binary of this platform that is in it, and what that is, in words.
 */
function packProject(target) {
  const { platformName } = require('../../dist/linalg/platform.js');
  const inside = path.join('prebuilds', platformName(), 'natgrad.node');
  const prebuilt = path.join(root, inside);
  const packed = pack(root, target);
  if (fs.existsSync(prebuilt)) {
    const kind = isSelfContained(prebuilt) ? 'with OpenBLAS inside' : "which needs the system's OpenBLAS";
    return {
      file: packed,
      binary: prebuilt,
      selfContained: isSelfContained(prebuilt),
      description: `prebuilt binary ${kind}`,
    };
  }
  const binary = path.join(root, 'build', 'Release', 'natgrad.node');
  execFileSync('tar', ['-xzf', packed, '-C', target]);
  const copy = path.join(target, 'package', inside);
  fs.mkdirSync(path.dirname(copy), { recursive: true });
  fs.copyFileSync(binary, copy);
  const file = pack(path.join(target, 'package'), target);
  const description = `local build in place of ${inside}, which is missing`;
  return { file, binary, selfContained: isSelfContained(binary), description };
}

module.exports = { packProject };
