import * as tf from '@tensorflow/tfjs';

import { NatgradError } from '../errors';
import { DataHost } from './dataHost';
import type { Host } from './host';
import { TensorFlowHost } from './tensorflowHost';
import { TensorFlowOp } from './tensorflowOp';
import { WasmHost } from './wasmHost';

const hosts = new Map<string, Host>();

/**
 * The host of the tfjs backend that is active now; one object per backend.
 *
 * @throws NatgradError ERR_NATGRAD_BACKEND if that backend cannot be read synchronously in Node (webgpu)
 */
export function host(): Host {
  // Asking for the backend itself starts it if nothing has yet; its name is not known before.
  tf.backend();
  const name = tf.getBackend();
  let found = hosts.get(name);
  if (!found) hosts.set(name, (found = hostOf(name)));
  return found;
}

/** Lets hosts be chosen anew, for programs that change the environment that they are chosen by. */
export function forgetHosts(): void {
  hosts.clear();
}

function hostOf(backendName: string): Host {
  switch (backendName) {
    case 'wasm':
      return new WasmHost();
    case 'tensorflow': {
      const { op } = TensorFlowOp.find();
      return op ? new TensorFlowHost(op) : new DataHost(backendName, false);
    }
    case 'webgpu':
      throw new NatgradError(
        'ERR_NATGRAD_BACKEND',
        `The tfjs backend '${backendName}' cannot be read synchronously in Node; call await tf.setBackend('wasm') (or 'cpu' or 'tensorflow') first.`,
      );
    default:
      return new DataHost(backendName, backendName === 'cpu');
  }
}
