import { TensorFlowOp } from '../host/tensorflowOp';
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
  cuda: { available: false; reason: string };
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
    cuda: { available: false, reason: `this version has no CUDA back end; ${cudaDriver()}` },
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

/** Asks the dynamic linker for the driver library: it is no Node addon, so both answers are errors, but different ones. */
function cudaDriver(): string {
  const library = process.platform === 'win32' ? 'nvcuda.dll' : 'libcuda.so.1';
  try {
    process.dlopen({ exports: {} }, library);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (!message.includes('self-register')) return `no CUDA driver either (${message.split('\n')[0]})`;
  }
  return `a CUDA driver (${library}) is installed but not used`;
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
    ['CUDA', found.cuda.reason],
    ['tfjs', found.tfjs ?? 'not installed'],
    ...Object.entries(found.backends).map(([name, verdict]): [string, string] => [`  ${name}`, verdict]),
  ];
  return rows
    .map(([label, text]) => `${label.padEnd(14)}${text.replaceAll('\n', `\n${' '.repeat(14)}`)}\n`)
    .join('');
}
