import * as tf from '@tensorflow/tfjs';
import { NatgradError } from '../errors';
import { catalogue, type AnyKernel } from './catalogue';
import { memoryOf, type BackendName } from './memory';
import type { NativeKernels } from './native';

/** A kernel that stands in for `original`, or for none where the backend lacks one. */
function replacement(
  kernelName: string,
  backendName: BackendName,
  kernel: AnyKernel,
  native: NativeKernels,
  original: tf.KernelConfig | undefined,
): tf.KernelConfig {
  const kernelFunc: tf.KernelFunc = (call) => {
    const { attrs } = call;
    const inputs = call.inputs as Record<string, tf.TensorInfo>;
    const memory = memoryOf(backendName, call.backend);
    const result = kernel({ inputs, attrs: attrs ?? {}, memory, native });
    if (result !== null) return result;
    if (original !== undefined) return original.kernelFunc(call);
    const shapes = Object.entries(inputs).map(
      ([name, { dtype, shape }]) => `${name} ${dtype}[${shape.join(', ')}]`,
    );
    throw new NatgradError(
      'ERR_NATGRAD_BACKEND',
      `tfjs's ${backendName} backend has no ${kernelName}, and accelerate() brings it only for float32 tensors in NHWC ` +
        `format whose shapes fit together; this call has ${shapes.join(', ')} with ${JSON.stringify(attrs)}. ` +
        `Convert the operands, or run this part on the cpu backend.`,
    );
  };
  // A backend that starts later prepares its kernels then, the original among them.
  const { setupFunc, disposeFunc } = original ?? {};
  return { kernelName, backendName, kernelFunc, setupFunc, disposeFunc };
}

function exchange(from: tf.KernelConfig | undefined, to: tf.KernelConfig | undefined): void {
  if (from !== undefined) tf.unregisterKernel(from.kernelName, from.backendName);
  if (to !== undefined) tf.registerKernel(to);
}

/** Puts every replacement in place for one backend; the result takes out those that are still there. */
export function register(backendName: BackendName, native: NativeKernels): () => void {
  const replaced = [...catalogue[backendName]].map(([kernelName, kernel]) => {
    const original = tf.getKernel(kernelName, backendName) as tf.KernelConfig | undefined;
    const ours = replacement(kernelName, backendName, kernel, native, original);
    exchange(original, ours);
    return { original, ours };
  });
  return () => {
    for (const { original, ours } of replaced) {
      // Somebody who replaced our kernel in turn keeps theirs.
      if (tf.getKernel(ours.kernelName, backendName) === ours) exchange(ours, original);
    }
  };
}
