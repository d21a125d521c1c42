'use strict';

// Builds the native addon in build/cmake and copies it to build/Release/natgrad.node, where the loader looks for a local build, and on Linux
// natgrad-cuda.so beside it. With --sanitize: AddressSanitizer and UBSan, into build/asan.

const { join } = require('node:path');

const { AddonBuildError, builtFiles, cmakeAddon, replaceFile, root } = require('./cmake-addon.cjs');

const sanitize = process.argv.includes('--sanitize');
try {
  const built = cmakeAddon({
    work: join(root, 'build', sanitize ? 'cmake-asan' : 'cmake'),
    variables: sanitize ? { NATGRAD_SANITIZE: 'ON' } : {},
  });
  const target = join(root, 'build', sanitize ? 'asan' : 'Release');
  for (const name of builtFiles(built)) replaceFile(join(built, name), join(target, name));
} catch (error) {
  if (!(error instanceof AddonBuildError)) throw error;
  console.error(error.message);
  process.exit(1);
}
