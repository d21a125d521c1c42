/** The CUDA back end: where its library lies, what it finds, and the devices that are open. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { NatgradError } from '../errors';
import type { CudaReport } from './addon';
import type { CudaChoice } from './backendChoice';
import { whoHasTheRest } from './deviceRoom';
import type { Kernels } from './jobs';
import { loadAddon, requireAddon } from './loader';
import { nativeKernels } from './nativeKernels';

/** What {@link inspectCuda} finds, and in which library of ours. */
export type CudaInspection = CudaReport & { plugin: string };

/** Says what is there for the CUDA back end, or why it cannot be used. Opens driver and libraries, but no device. */
export function inspectCuda(): CudaInspection {
  const nothing = (reason: string) => ({ reason, driver: '', libraries: [], devices: [], plugin: '' });
  const { addon } = loadAddon();
  if (!addon) return nothing('the native addon does not load, and the CUDA back end is a library beside it');
  const plugin = pluginPath();
  if (!existsSync(plugin)) return { ...nothing(noPlugin(plugin)), plugin };
  return { ...addon.probeCuda(plugin), plugin };
}

const open = new Map<string, Kernels>();

/**
 * The kernels of a CUDA device, which is opened at the first use and stays open.
 *
 * @throws NatgradError ERR_NATGRAD_NO_CUDA with the reason; ERR_NATGRAD_NO_MEMORY if the device has none left for it; ERR_NATGRAD_ADDON if
 *   the addon does not load
 */
export function cudaKernels({ precision = 'fp32', device = 0 }: Omit<CudaChoice, 'name'> = {}): Kernels {
  const addon = requireAddon();
  const plugin = pluginPath();
  const key = JSON.stringify([plugin, device, precision]);
  let kernels = open.get(key);
  if (!kernels) {
    if (!existsSync(plugin)) throw new NatgradError('ERR_NATGRAD_NO_CUDA', noPlugin(plugin));
    kernels = withRoom(() => nativeKernels(addon, () => addon.openCuda(plugin, device, precision)));
    open.set(key, kernels);
  }
  return kernels;
}

/** Tells a device without memory from one that is not there. */
function withRoom<T>(open: () => T): T {
  try {
    return open();
  } catch (error) {
    const { message } = error as Error;
    if (!/out of memory/i.test(message)) throw error;
    throw new NatgradError('ERR_NATGRAD_NO_MEMORY', `${message}${whoHasTheRest()}`, { cause: error });
  }
}

/** NATGRAD_CUDA_PLUGIN if it is set, else natgrad-cuda.so beside the addon that is loaded. */
function pluginPath(): string {
  const explicit = process.env.NATGRAD_CUDA_PLUGIN;
  if (explicit) return explicit;
  const { path = '' } = loadAddon() as { path?: string };
  return join(dirname(path), 'natgrad-cuda.so');
}

function noPlugin(path: string): string {
  return (
    `this installation has no CUDA back end: no file ${path}; build it with npm run build:native on Linux, ` +
    'or set NATGRAD_CUDA_PLUGIN to the path of a natgrad-cuda.so'
  );
}
