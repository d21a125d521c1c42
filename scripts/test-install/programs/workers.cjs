'use strict';

// Trains in one worker thread, then on the main thread and in two workers at once: all get the losses of a thread that is alone.

const assert = require('node:assert/strict');
const { Worker, isMainThread, parentPort } = require('node:worker_threads');

const { train } = require('./training.cjs');

function trainInWorker() {
  return new Promise((resolve, reject) => {
    const worker = new Worker(__filename);
    worker.on('message', resolve);
    worker.on('error', reject);
    worker.on('exit', (code) => reject(new Error(`the worker ended with ${code} and without losses`)));
  });
}

async function main() {
  const alone = await trainInWorker();
  const together = await Promise.all([train('wasm'), trainInWorker(), trainInWorker()]);
  for (const losses of together) assert.deepEqual(losses, alone);
}

if (isMainThread) main();
else train('wasm').then((losses) => parentPort.postMessage(losses));
