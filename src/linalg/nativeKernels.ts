import { NatgradError, type ErrorCode } from '../errors';
import { reportFields, type Addon, type NativeDevice, type PackedReports } from './addon';
import { crowded } from './deviceRoom';
import type { FloatArray, Kernels, Pending, Report, Status } from './jobs';

/**
 * The jobs of the rest of the package, computed by the addon: on the processor, or on the device that `open` opens.
 *
 * @throws NatgradError what `open` throws
 */
export function nativeKernels(addon: Addon, open?: () => NativeDevice): Kernels {
  const device = open && translated(open);
  return {
    name: device ? 'cuda' : 'cpu',
    ...(device && {
      memory: {
        keep(array) {
          const kept = translated(() => device.keep(array));
          if (!kept) {
            const room = crowded(array.byteLength, device.room());
            throw new NatgradError('ERR_NATGRAD_NO_MEMORY', `The CUDA device cannot keep an array: ${room}.`);
          }
          return { fetch: () => translated(() => kept.fetch()), release: () => kept.release() };
        },
        room: () => translated(() => device.room()),
      },
    }),

    run(phases) {
      return unpack(
        phases,
        translated(() => addon.run(phases, device)),
      );
    },

    submit(phases, { soon = false } = {}): Pending {
      const shape = Array.isArray(phases) ? phases.map((jobs) => ({ length: jobs?.length ?? 0 })) : [];
      const pending = translated(() => addon.submit(phases, device, soon));
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

const statuses: Status[] = [
  'ok',
  'notConverged',
  'notPositiveDefinite',
  'notFinite',
  'outOfMemory',
  'deviceLost',
];

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
