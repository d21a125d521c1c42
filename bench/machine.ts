import { cpus, loadavg } from 'node:os';

import { packageVersion } from '../src/cli/versions';
import { inverse } from '../src/linalg';
import type { AddonInfo } from '../src/linalg/addon';
import { requireAddon } from '../src/linalg/loader';

/** Facts about the addon once its BLAS is in use, before which it has not chosen its kernels. */
export function addonInfo(): AddonInfo {
  inverse(new Float32Array(128 * 128), { damping: 1, backend: 'cpu' });
  return requireAddon().info();
}

/** What the figures depend on, as text by heading. */
export function describeMachine(): Record<string, string | undefined> {
  const { blas, core, processors } = addonInfo();
  return {
    processor: `${cpus()[0].model}, ${processors} logical`,
    load: loadavg()
      .map((load) => load.toFixed(1))
      .join(' '),
    node: process.versions.node,
    tfjs: packageVersion('@tensorflow/tfjs'),
    natgrad: `${packageVersion('natgrad')}, ${blas}, kernels for ${core}`,
  };
}
