/* global test, expect */

// Run by jest, whose modules live in another realm than the addon's values.
const { train } = require('./training.cjs');

test.each(['cpu', 'wasm'])('trains on %s', async (backend) => {
  expect(await train(backend)).toHaveLength(10);
});
