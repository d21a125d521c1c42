'use strict';

const { TestEnvironment } = require('jest-environment-node');

// jest runs tests in a context of its own, where an array that a native addon made is no instance of the context's own
// Float32Array. Giving the context the outer classes removes the difference; users' programs have only one set of them.
const shared = [
  'Float32Array',
  'Float64Array',
  'Int32Array',
  'Uint8Array',
  'ArrayBuffer',
  'SharedArrayBuffer',
  'Error',
  'TypeError',
  'RangeError',
];

module.exports = class extends TestEnvironment {
  async setup() {
    await super.setup();
    for (const name of shared) this.global[name] = globalThis[name];
  }
};
