'use strict';

// Runs the programs of pages one after the other in one process, each once everything that the one before began has come to an end, and
// writes what each printed as a line of JSON: [name, output]. Started with the names of Markdown files.
const { readFileSync } = require('node:fs');
const { createRequire } = require('node:module');
const { join } = require('node:path');
const { format } = require('node:util');

const tf = require('@tensorflow/tfjs');

const programs = process.argv.slice(2).flatMap((file) => {
  const page = readFileSync(file, 'utf8');
  return [...page.matchAll(/```js\n([\s\S]*?)```/g)].map(([, code], i) => [
    `${file}, program ${i + 1}`,
    code,
  ]);
});

let [current, output] = ['', ''];
for (const how of ['log', 'info', 'warn', 'error', 'table']) {
  console[how] = (...values) => (output += `${format(...values)}\n`);
}
const report = () => process.stdout.write(`${JSON.stringify([current, output])}\n`);

process.on('uncaughtException', (error) => {
  output += `failed: ${error.stack}`;
  report();
  process.exit(1);
});
process.on('beforeExit', () => {
  if (current !== '') report();
  // Losses without a list of variables are those of all there are, which in a process of its own are the program's.
  tf.disposeVariables();
  const next = programs.shift();
  [current, output] = [next ? next[0] : '', ''];
  if (!next) return;
  // The package refers to itself by name, as a user's program does.
  const require = createRequire(join(process.cwd(), 'program.js'));
  new Function('require', next[1])(require);
  // Keeps the loop going, so that the end of it is announced again, for programs that only compute.
  globalThis.setImmediate(() => {});
});
