'use strict';
// Builds and runs the C++ tests of the numeric core. With --sanitize: under AddressSanitizer, UBSan and LeakSanitizer.
// The last line is "N passed, N failed", over all programs.

const { spawnSync } = require('node:child_process');
const { readdirSync } = require('node:fs');
const { basename, dirname, join } = require('node:path');

const root = dirname(__dirname);

function run(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: root, encoding: 'utf8', maxBuffer: 1 << 28, ...options });
  if (result.error) {
    console.error(`${command} could not be started: ${result.error.message}`);
    process.exit(1);
  }
  return result;
}

function build(folder, sanitize) {
  const configure = [
    '-S',
    root,
    '-B',
    folder,
    '-DNATGRAD_TESTS=ON',
    `-DNATGRAD_SANITIZE=${sanitize ? 'ON' : 'OFF'}`,
  ];
  const jobs = process.env.NATGRAD_BUILD_JOBS ?? '2';
  for (const args of [configure, ['--build', folder, '--parallel', jobs]]) {
    const { status, stdout, stderr } = run('cmake', args);
    if (status !== 0) {
      console.error(stdout + stderr);
      process.exit(1);
    }
  }
}

/** Runs every test program and returns how many tests passed and failed; a program that crashes counts as one failure. */
function testNative(sanitize) {
  const folder = join(root, 'build', sanitize ? 'test-asan' : 'test');
  build(folder, sanitize);
  const programs = readdirSync(join(root, 'native', 'test'))
    // The double of CUDA is for Linux.
    .filter((file) => file.endsWith('Test.cc') && (process.platform === 'linux' || !/cuda/i.test(file)))
    .map((file) => basename(file, '.cc'));
  const env = { ...process.env };
  if (sanitize) {
    env.ASAN_OPTIONS = 'detect_leaks=1';
    env.UBSAN_OPTIONS = 'print_stacktrace=1';
  }
  let passed = 0;
  let failed = 0;
  for (const program of programs) {
    const { status, signal, stdout, stderr } = run(join(folder, program), [], { env });
    process.stdout.write(`${program}\n${stdout}${stderr}`);
    const count = /(\d+) passed, (\d+) failed\s*$/.exec(stdout);
    passed += count ? Number(count[1]) : 0;
    failed += count ? Number(count[2]) : 0;
    if (status !== 0 && !(count && Number(count[2]) > 0)) {
      console.error(`${program} ended with ${signal ?? `status ${status}`}`);
      failed += 1;
    }
  }
  return { passed, failed };
}

module.exports = { testNative };

if (require.main === module) {
  const { passed, failed } = testNative(process.argv.includes('--sanitize'));
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed === 0 && passed > 0 ? 0 : 1);
}
