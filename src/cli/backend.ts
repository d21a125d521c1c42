import { createRequire } from 'node:module';

import * as tf from '@tensorflow/tfjs';

import { NatgradError } from '../errors';

export const backendNames = ['cpu', 'wasm', 'tensorflow'] as const;
export type BackendName = (typeof backendNames)[number];

/** The npm package that brings a backend; cpu comes with tfjs. */
const packages: Partial<Record<BackendName, string>> = {
  wasm: '@tensorflow/tfjs-backend-wasm',
  tensorflow: '@tensorflow/tfjs-node',
};

const requireModule = createRequire(__filename);

/** True if the package of the backend can be found; whether it loads is another matter. */
export function isInstalled(name: BackendName): boolean {
  const packageName = packages[name];
  if (packageName === undefined) return true;
  try {
    requireModule.resolve(packageName);
    return true;
  } catch {
    return false;
  }
}

/**
 * Makes a tfjs backend the current one.
 *
 * @param name Default: wasm if it is installed, cpu otherwise.
 * @throws NatgradError ERR_NATGRAD_BACKEND if it is not installed or does not start.
 */
export async function selectBackend(
  name: BackendName = isInstalled('wasm') ? 'wasm' : 'cpu',
): Promise<BackendName> {
  const packageName = packages[name];
  if (!isInstalled(name)) {
    throw new NatgradError(
      'ERR_NATGRAD_BACKEND',
      `the ${name} backend is not installed: run \`npm install ${packageName}\``,
    );
  }
  try {
    if (name === 'tensorflow') {
      process.env.TF_CPP_MIN_LOG_LEVEL ??= '2'; // Without it, TensorFlow praises the processor on stderr.
      await import('../host/tfjsNodePolyfill.js');
    }
    if (packageName !== undefined) requireModule(packageName);
    if (!(await tf.setBackend(name))) throw new Error('tfjs could not initialise it');
    await tf.ready();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
    throw new NatgradError('ERR_NATGRAD_BACKEND', `the ${name} backend does not start: ${reason}`, { cause });
  }
  tf.enableProdMode();
  return name;
}
