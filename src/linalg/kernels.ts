import { requireBackend, type BackendChoice } from './backendChoice';
import { cudaKernels } from './cuda';
import type { Kernels } from './jobs';
import { loadAddon, requireAddon } from './loader';
import { nativeKernels } from './nativeKernels';
import { referenceKernels } from './reference';

let native: Kernels | undefined;
let warned = false;

/**
 * The kernels of a backend, 'auto' by default. Where 'auto' has to fall back to the reference it warns once per process, with the code
 * NATGRAD_REFERENCE.
 *
 * @throws NatgradError ERR_NATGRAD_ADDON if 'cpu' or 'cuda' is asked for and the addon does not load; ERR_NATGRAD_NO_CUDA, with the reason,
 *   or ERR_NATGRAD_NO_MEMORY if a CUDA device is asked for and cannot be had; ERR_NATGRAD_ARGUMENT for anything else.
 */
export function kernels(backend: BackendChoice = 'auto'): Kernels {
  requireBackend(backend);
  if (typeof backend === 'object') return cudaKernels(backend);
  switch (backend) {
    case 'cuda':
      return cudaKernels();
    case 'reference':
      return referenceKernels;
    case 'cpu':
      return (native ??= nativeKernels(requireAddon()));
    case 'auto': {
      const found = loadAddon();
      if (found.addon) return (native ??= nativeKernels(found.addon));
      if (!warned) {
        warned = true;
        process.emitWarning(
          `natgrad computes in plain TypeScript, which is several times to a hundred times slower. ${found.help}`,
          { code: 'NATGRAD_REFERENCE' },
        );
      }
      return referenceKernels;
    }
  }
}
