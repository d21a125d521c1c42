'use strict';
// Runs the C++ tests, then the jest tests that call the addon most, under AddressSanitizer and UndefinedBehaviorSanitizer.
// Leaks are looked for in the C++ tests only: Node itself does not free everything when it ends.

const { execFileSync, spawnSync } = require('node:child_process');
const { dirname, join } = require('node:path');
const { testNative } = require('./test-native.cjs');

const root = dirname(__dirname);

const { passed, failed } = testNative(true);
console.log(`${passed} passed, ${failed} failed`);
if (failed > 0 || passed === 0) process.exit(1);

const built = spawnSync(process.execPath, [join(__dirname, 'build-native.cjs'), '--sanitize'], {
  cwd: root,
  stdio: 'inherit',
});
if (built.status !== 0) process.exit(built.status ?? 1);

// The sanitizer must be loaded before everything else in a process that was not built with it.
const library = (name) => execFileSync('gcc', [`-print-file-name=${name}`], { encoding: 'utf8' }).trim();
const jest = join(dirname(require.resolve('jest/package.json')), 'bin', 'jest.js');
const { status } = spawnSync(
  process.execPath,
  [jest, '--runInBand', 'test/linalg', 'test/accelerate', 'test/curvature'],
  {
    cwd: root,
    stdio: 'inherit',
    env: {
      ...process.env,
      NATGRAD_ADDON: join(root, 'build', 'asan', 'natgrad.node'),
      LD_PRELOAD: `${library('libasan.so')} ${library('libstdc++.so')}`,
      ASAN_OPTIONS: 'detect_leaks=0',
    },
  },
);
process.exit(status ?? 1);
