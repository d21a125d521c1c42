/**
 * The backends of tfjs that tests run on: cpu and wasm always, and TensorFlow's own where @tensorflow/tfjs-node is installed
 * (`npm run tfjs-node`).
 */
import * as tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-wasm';

/** Node 23 took functions from `util` that tfjs-node 4.22 still calls. */
const missing = { isNullOrUndefined: (value: unknown) => value == null, isArray: Array.isArray };

function tensorflowIsInstalled(): boolean {
  try {
    /* eslint-disable @typescript-eslint/no-require-imports */
    const util = require('node:util') as Record<string, unknown>;
    for (const [name, replacement] of Object.entries(missing)) util[name] ??= replacement;
    process.env.TF_CPP_MIN_LOG_LEVEL ??= '2';
    require('@tensorflow/tfjs-node');
    /* eslint-enable @typescript-eslint/no-require-imports */
    return true;
  } catch {
    return false;
  }
}

export const backends: readonly string[] = [
  'cpu',
  'wasm',
  ...(tensorflowIsInstalled() ? ['tensorflow'] : []),
];

export async function useBackend(name: string): Promise<void> {
  await tf.setBackend(name);
  await tf.ready();
}
