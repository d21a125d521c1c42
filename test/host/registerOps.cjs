'use strict';

// Registers the op of two copies of the addon, each twice here and twice in worker threads that run at the same time, and lends a tensor
// through each. Prints the names as JSON: of the first copy, of the second, of the first in a worker thread.
//
//     node registerOps.cjs ADDON COPY

const { Worker, isMainThread, parentPort, workerData } = require('node:worker_threads');

const util = require('node:util');

util.isNullOrUndefined ??= (value) => value == null;
util.isArray ??= Array.isArray;
const tf = require('@tensorflow/tfjs');
require('@tensorflow/tfjs-node');

function registered(path) {
  const { tensorflow } = require(path);
  const { op, obstacle } = tensorflow.register();
  if (tensorflow.register().op !== op) throw new Error('it has another name the second time');
  if (!op) throw new Error(obstacle);
  const tensor = tf.range(0, 5000).add(1);
  const execute = () => tf.backend().executeMultipleOutputs(op, [], [tensor], 0);
  const last = tensorflow.lend(() => tensorflow.view(execute)[4999]);
  if (last !== 5000) throw new Error(`it lends ${last} for 5000`);
  return op;
}

if (isMainThread) {
  const [, , one, other] = process.argv;
  const workers = [one, other, one].map(
    (path) =>
      new Promise((resolve, reject) => {
        new Worker(require.main.filename, { workerData: path }).on('message', resolve).on('error', reject);
      }),
  );
  const names = [registered(one), registered(other)];
  Promise.all(workers).then(
    ([first, second, third]) => {
      if (second !== names[1] || third !== first) throw new Error('names differ between threads');
      console.log(JSON.stringify([...names, first]));
    },
    (error) => {
      throw error;
    },
  );
} else {
  parentPort.postMessage(registered(workerData));
}
