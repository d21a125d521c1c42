'use strict';

// Lets a plain Node process run the TypeScript sources, so that tests in a process of their own try what is written and not what was
// built last. Used as `node --require`.

const Module = require('node:module');

const { transformFileSync } = require('@swc/core');

const options = {
  jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
  module: { type: 'commonjs' },
};

Module._extensions['.ts'] = (module, filename) => {
  module._compile(transformFileSync(filename, options).code, filename);
};

// Dynamic imports name the compiled file, as ES modules must.
const resolve = Module._resolveFilename;
Module._resolveFilename = function (request, ...rest) {
  try {
    return resolve.call(this, request, ...rest);
  } catch (error) {
    if (!/^\..*\.js$/.test(request)) throw error;
    return resolve.call(this, request.replace(/\.js$/, '.ts'), ...rest);
  }
};
