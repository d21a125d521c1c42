'use strict';

// Runs the examples: node examples/run.js NAME... [--optimizer adam | --compare] [--epochs n] ...; see README.md beside this file.
// An example is a module with `title`, `optimizers` (a function of the learning rate each, the one of natgrad last), `settings` (the
// defaults of --epochs and --examples) and `train(optimizer, { epochs, examples, report, say })`.

const fs = require('node:fs');
const path = require('node:path');
const { parseArgs } = require('node:util');

const tf = require('@tensorflow/tfjs');
const natgrad = require('natgrad');
const { accelerate } = require('natgrad/accelerate');

const { seedRandomNumbers } = require('./support/random');

const names = fs
  .readdirSync(__dirname)
  .filter((file) => file.endsWith('.js') && file !== 'run.js')
  .map((file) => path.basename(file, '.js'));

const usage = `npm run example -- NAME... [options]

NAME is one of ${names.join(', ')}, or all.

  --optimizer NAME    one of the example's own, or any method of natgrad with its defaults
  --compare           all optimizers of the example, one after the other, on the same net
  --learning-rate N   in place of the example's
  --epochs N          how long to train
  --examples N        how much data to train on
  --seed N            of weights and of the order of examples (default 1)
  --backend NAME      wasm (default), cpu or tensorflow (which needs @tensorflow/tfjs-node)
  --json              the results as JSON, one line per optimizer`;

class UsageError extends Error {}

function readCommandLine(args) {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      optimizer: { type: 'string' },
      compare: { type: 'boolean', default: false },
      'learning-rate': { type: 'string' },
      epochs: { type: 'string' },
      examples: { type: 'string' },
      seed: { type: 'string', default: '1' },
      backend: { type: 'string', default: 'wasm' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const number = (name) => {
    if (values[name] === undefined) return undefined;
    const value = Number(values[name]);
    if (!(value > 0)) throw new UsageError(`--${name} needs a positive number`);
    return value;
  };
  const chosen = positionals.includes('all') ? names : positionals;
  const unknown = chosen.find((name) => !names.includes(name));
  if (unknown !== undefined) throw new UsageError(`there is no example '${unknown}'`);
  return {
    ...values,
    chosen,
    learningRate: number('learning-rate'),
    epochs: number('epochs'),
    examples: number('examples'),
    seed: number('seed'),
  };
}

/** The optimizers to train with, by name: functions of a learning rate, which may be undefined. */
function choose(example, { optimizer, compare }) {
  const own = Object.entries(example.optimizers);
  if (compare) return own;
  if (optimizer === undefined) return own.slice(-1);
  const preset = typeof natgrad[optimizer] === 'function' ? natgrad[optimizer] : undefined;
  const create = example.optimizers[optimizer] ?? (preset && ((learningRate) => preset({ learningRate })));
  if (create === undefined) throw new UsageError(`there is no optimizer '${optimizer}'`);
  return [[optimizer, create]];
}

const backendPackages = { wasm: '@tensorflow/tfjs-backend-wasm', tensorflow: '@tensorflow/tfjs-node' };

async function startBackend(name) {
  if (name in backendPackages) require(backendPackages[name]);
  await tf.setBackend(name);
  if (name !== 'tensorflow') accelerate();
}

/** Trains a fresh net and returns what was reported last. */
async function trainOnce(example, label, optimizer, options) {
  const { epochs = example.settings.epochs, examples = example.settings.examples } = options;
  let epoch = 0;
  let results = {};
  const report = (metrics) => {
    epoch++;
    results = Object.fromEntries(Object.entries(metrics).map(([name, value]) => [name, rounded(value)]));
    if (!options.json) console.log(`${label}, epoch ${epoch} of ${epochs}:`, results);
  };
  const restore = seedRandomNumbers(options.seed);
  const begin = performance.now();
  try {
    const say = options.json ? () => {} : console.log;
    await example.train(optimizer, { epochs, examples, report, say });
  } finally {
    restore();
  }
  return { ...results, seconds: rounded((performance.now() - begin) / 1000) };
}

const rounded = (value) => Number(value.toPrecision(3));

async function main(args) {
  const options = readCommandLine(args);
  if (options.help || options.chosen.length === 0) return console.log(usage);
  await startBackend(options.backend);
  for (const name of options.chosen) {
    const example = require(`./${name}`);
    const table = {};
    if (!options.json) console.log(example.title);
    for (const [label, create] of choose(example, options)) {
      table[label] = await trainOnce(example, label, create(options.learningRate), options);
      if (options.json) console.log(JSON.stringify({ example: name, optimizer: label, ...table[label] }));
    }
    if (!options.json) console.table(table);
  }
}

main(process.argv.slice(2)).catch((error) => {
  const isUsage = error instanceof UsageError || error.code?.startsWith('ERR_PARSE_ARGS');
  const [, missing] = /^Cannot find module '([^']+)'/.exec(error.message) ?? [];
  if (isUsage) console.error(`${error.message}\n\n${usage}`);
  else console.error(missing === undefined ? error : `This needs a package: npm install ${missing}`);
  process.exitCode = 1;
});
