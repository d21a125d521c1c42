import * as tf from '@tensorflow/tfjs';
import { NatgradError, requireKeys, shown } from '../errors';
import type { BackendName } from './memory';
import { register } from './registration';
import { nativeKernels } from './native';

export type { BackendName } from './memory';

export interface AccelerateOptions {
  /**
   * The tfjs backends whose kernels are replaced. Default: those of `cpu` and `wasm` that are registered, that is imported; neither
   * need have been started.
   */
  backends?: BackendName[];
}

const supported: readonly BackendName[] = ['cpu', 'wasm'];

/** Backends that are accelerated now, each with how many calls want it so and how to undo it. */
const active = new Map<BackendName, { holders: number; undo: () => void }>();

const isRegistered = (name: BackendName) => tf.findBackendFactory(name) !== null;

function chosen(backends: BackendName[] | undefined): BackendName[] {
  if (backends === undefined) {
    const registered = supported.filter(isRegistered);
    if (registered.length > 0) return registered;
    throw new NatgradError(
      'ERR_NATGRAD_BACKEND',
      `accelerate() found no tfjs backend to work on: import '@tensorflow/tfjs' (cpu) or '@tensorflow/tfjs-backend-wasm' before calling it.`,
    );
  }
  if (!Array.isArray(backends)) {
    throw new NatgradError(
      'ERR_NATGRAD_TYPE',
      `backends is ${shown(backends)}; give an array such as ['wasm'].`,
    );
  }
  for (const name of backends) {
    if (!supported.includes(name)) {
      throw new NatgradError(
        'ERR_NATGRAD_ARGUMENT',
        `backends contains ${JSON.stringify(name)}; accelerate() knows ${supported.join(' and ')}.`,
      );
    }
    if (!isRegistered(name)) {
      throw new NatgradError(
        'ERR_NATGRAD_BACKEND',
        `backends contains '${name}', but that backend is not registered: import '@tensorflow/tfjs-backend-${name}' before calling accelerate().`,
      );
    }
  }
  return [...new Set(backends)];
}

function hold(name: BackendName): void {
  const held = active.get(name);
  if (held !== undefined) held.holders += 1;
  else active.set(name, { holders: 1, undo: register(name, nativeKernels()) });
}

function release(name: BackendName): void {
  const held = active.get(name);
  if (held === undefined || --held.holders > 0) return;
  active.delete(name);
  held.undo();
}

/**
 * Replaces the kernels that cost most in training with native ones, in tfjs's `cpu` and `wasm` backends: matrix products,
 * convolutions, pooling, and their gradients. On wasm this also brings the kernels that backend lacks (the filter gradient of a
 * convolution, both gradients of a depthwise one, the gradient of an embedding), so that such models train there at all.
 *
 * Results are those of the replaced kernels up to rounding. What the native kernels do not take on (int32 operands, NCHW) goes to
 * the kernels they replaced. It works on the whole process, for every model and with any optimizer, until it is undone; calling
 * it again while it is in force changes nothing but has to be undone as often.
 *
 * @returns a function that puts the original kernels back; calling that twice is harmless
 * @throws NatgradError `ERR_NATGRAD_BACKEND` when a backend asked for (or any, by default) is not registered;
 * `ERR_NATGRAD_ARGUMENT` for an unknown option or backend name; `ERR_NATGRAD_ADDON` when the native addon cannot be loaded
 *
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs';
 * import '@tensorflow/tfjs-backend-wasm';
 * import { accelerate } from 'natgrad/accelerate';
 *
 * await tf.setBackend('wasm');
 * const restore = accelerate();
 * await model.fit(images, labels);
 * restore();
 * ```
 */
export function accelerate(options: AccelerateOptions = {}): () => void {
  requireKeys(options, ['backends'], 'accelerate');
  const names = chosen(options.backends);
  nativeKernels();
  names.forEach(hold);
  let inForce = true;
  return () => {
    if (inForce) names.forEach(release);
    inForce = false;
  };
}
