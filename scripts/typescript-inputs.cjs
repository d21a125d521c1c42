'use strict';

// What the TypeScript build reads and leaves behind, known to the build itself and to the setup that decides whether to run it.

const path = require('node:path');

const root = path.dirname(__dirname);

module.exports = {
  inputs: [
    'src',
    'bench',
    'tsconfig.json',
    'tsconfig.build.json',
    'tsconfig.bench.json',
    'package.json',
    'package-lock.json',
    'scripts/build-ts.cjs',
  ].map((name) => path.join(root, name)),
  stamp: path.join(root, 'dist', '.stamp'),
  output: path.join(root, 'dist', 'cli', 'main.js'),
};
