import { TensorFlowOp } from '../host/tensorflowOp';
import { inspectCuda, type CudaInspection } from '../linalg/cuda';
import { whoHasTheRest } from '../linalg/deviceRoom';
import { loadAddon } from '../linalg/loader';
import { glibcVersion, platformName } from '../linalg/platform';
import { backendNames, isInstalled, selectBackend, type BackendName } from './backend';
import { packageVersion } from './versions';

export interface Inspection {
  natgrad: string;
  node: string;
  /** For example linux-x64, linux-x64-musl. */
  platform: string;
  /** For example `glibc 2.36`; null where the C library has no name of its own. */
  libc: string | null;
  addon: {
    path: string;
    version: string;
    blas: string;
    core: string;
    threads: number;
    processors: number;
  } | null;
  /** Why there is no addon. */
  addonProblem: string | null;
  /** What there is for the CUDA back end; `reason` says why it cannot be used, and is empty if it can. */
  cuda: CudaInspection;
  tfjs: string | null;
  /** By name: 'works', 'not installed', or why it does not start. */
  backends: Record<BackendName, string>;
}

/** Finds out what this package runs on here, loading the addon and starting every backend that is installed. */
export async function inspect(): Promise<Inspection> {
  const loaded = loadAddon();
  const glibc = glibcVersion();
  const backends = {} as Record<BackendName, string>;
  for (const name of backendNames) backends[name] = await backendVerdict(name);
  return {
    natgrad: packageVersion('natgrad') ?? 'unknown',
    node: process.versions.node,
    platform: platformName(),
    libc: glibc === undefined ? null : `glibc ${glibc}`,
    addon: loaded.addon === undefined ? null : { path: loaded.path, ...loaded.addon.info() },
    addonProblem: loaded.addon === undefined ? loaded.help : null,
    cuda: inspectCuda(),
    tfjs: packageVersion('@tensorflow/tfjs') ?? null,
    backends,
  };
}

/** `natgrad inspect` */
export async function inspectCommand(flags: { json?: true }): Promise<void> {
  const found = await inspect();
  process.stdout.write(flags.json === true ? `${JSON.stringify(found)}\n` : describe(found));
}

async function backendVerdict(name: BackendName): Promise<string> {
  if (!isInstalled(name)) return 'not installed';
  try {
    await selectBackend(name);
    const lent = name === 'tensorflow' ? TensorFlowOp.find() : undefined;
    return lent && !lent.op ? `works, but its tensors are copied: ${lent.obstacle}` : 'works';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Back end, driver, libraries and devices, one to a line, or why there is none. */
function describeCuda({ reason, plugin, driver, libraries, devices }: CudaInspection): string {
  const lines = [
    ...(reason === '' ? [] : [`not available: ${reason}`]),
    ...(driver === '' ? [] : [`driver for CUDA up to ${driver}`]),
    ...libraries.map(({ name, version, path }) => `${`${name} ${version}`.trimEnd()}: ${path}`),
    ...devices.map(({ name, computeCapability, freeBytes, totalBytes }, i) => {
      const [free, total] = [freeBytes, totalBytes].map((bytes) => (bytes / 2 ** 30).toFixed(1));
      return `device ${i}: ${name}, compute capability ${computeCapability}, ${free} of ${total} GiB free`;
    }),
    ...(reason === '' ? [`back end: ${plugin}`] : []),
  ];
  const isCrowded =
    devices.length > 0 && devices.every((device) => device.freeBytes < device.totalBytes / 10);
  return [...lines, ...(isCrowded ? [`hardly any memory is free${whoHasTheRest()}`] : [])].join('\n');
}

function describe(found: Inspection): string {
  const { addon } = found;
  const rows: [string, string][] = [
    ['natgrad', found.natgrad],
    ['Node', [found.node, found.platform, found.libc].filter((part) => part !== null).join(', ')],
    ['addon', addon === null ? `none: ${found.addonProblem}` : `${addon.path} (version ${addon.version})`],
    ...(addon === null
      ? []
      : ([
          ['BLAS', `${addon.blas}; kernels for ${addon.core}`],
          ['threads', `${addon.threads} of ${addon.processors} processors`],
        ] as [string, string][])),
    ['CUDA', describeCuda(found.cuda)],
    ['tfjs', found.tfjs ?? 'not installed'],
    ...Object.entries(found.backends).map(([name, verdict]): [string, string] => [`  ${name}`, verdict]),
  ];
  return rows
    .map(([label, text]) => `${label.padEnd(14)}${text.replaceAll('\n', `\n${' '.repeat(14)}`)}\n`)
    .join('');
}
