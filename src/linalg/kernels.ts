import { NatgradError, type ErrorCode } from '../errors';
import { reportFields, type Addon, type PackedReports } from './addon';
import type { FloatArray, Kernels, Pending, Report, Status } from './jobs';
import { loadAddon, requireAddon } from './loader';
import { referenceKernels } from './reference';

/**
 * Which kernels compute: the native addon ('cpu'), plain TypeScript ('reference', several times to a hundred times slower), or the addon
 * where it loads and otherwise the reference ('auto').
 */
export type BackendChoice = 'auto' | 'cpu' | 'reference';

let native: Kernels | undefined;
let warned = false;

/**
 * The kernels of a backend, 'auto' by default. Where 'auto' has to fall back to the reference it warns once per process, with the code
 * NATGRAD_REFERENCE.
 *
 * @throws NatgradError ERR_NATGRAD_ADDON if 'cpu' is asked for and the addon does not load; ERR_NATGRAD_ARGUMENT for another name.
 */
export function kernels(backend: BackendChoice = 'auto'): Kernels {
  switch (backend) {
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
    default:
      throw new NatgradError(
        'ERR_NATGRAD_ARGUMENT',
        `backend must be 'auto', 'cpu' or 'reference', got ${JSON.stringify(backend)}`,
      );
  }
}

function nativeKernels(addon: Addon): Kernels {
  return {
    name: 'cpu',

    run(phases) {
      return unpack(
        phases,
        translated(() => addon.run(phases)),
      );
    },

    submit(phases): Pending {
      const shape = Array.isArray(phases) ? phases.map((jobs) => ({ length: jobs?.length ?? 0 })) : [];
      const pending = translated(() => addon.submit(phases));
      let reports: Report[][] | undefined;
      return {
        get finished() {
          return pending.finished;
        },
        wait: () =>
          (reports ??= unpack(
            shape,
            translated(() => pending.wait()),
          )),
        promise: async () => {
          const packed = await pending.promise();
          return (reports ??= unpack(shape, packed));
        },
      };
    },

    firstNonFinite: (arrays: FloatArray[]) => translated(() => addon.firstNonFinite(arrays)),

    get threads() {
      return addon.getThreads();
    },
    set threads(count: number) {
      translated(() => addon.setThreads(count));
    },
  };
}

const statuses: Status[] = ['ok', 'notConverged', 'notPositiveDefinite', 'notFinite', 'outOfMemory'];

function unpack(phases: { length: number }[], packed: PackedReports): Report[][] {
  let at = 0;
  return phases.map((jobs) =>
    Array.from({ length: jobs.length }, () => {
      const [status, residual, iterations, converged, minEigenvalue, damping, retries, dot] = packed.subarray(
        at,
        (at += reportFields.length),
      );
      return {
        status: statuses[status],
        residual,
        iterations,
        converged: converged !== 0,
        minEigenvalue,
        damping,
        retries,
        dot,
      };
    }),
  );
}

/** Turns an error of the addon, a plain Error with a code of ours, into a NatgradError. */
function translated<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    const { code, message } = error as { code?: unknown; message: string };
    if (typeof code === 'string' && code.startsWith('ERR_NATGRAD_')) {
      throw new NatgradError(code as ErrorCode, message, { cause: error });
    }
    throw error;
  }
}
