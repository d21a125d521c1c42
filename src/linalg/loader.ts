import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { NatgradError } from '../errors';
import type { Addon } from './addon';

/** The outcome of looking for natgrad.node: the addon and its path, or the text that explains why there is none. */
export type Loaded = { addon: Addon; path: string } | { addon: undefined; help: string };

let loaded: Loaded | undefined;

/**
 * Finds and loads the native addon, once: the path in the environment variable NATGRAD_ADDON if it is set (and then nothing else), else
 * the prebuilt binary of this platform, else a local build. Never throws.
 */
export function loadAddon(): Loaded {
  return (loaded ??= search());
}

/** The addon, or an ERR_NATGRAD_ADDON whose message says what was tried, why it failed, and what to do. */
export function requireAddon(): Addon {
  const found = loadAddon();
  if (!found.addon) throw new NatgradError('ERR_NATGRAD_ADDON', found.help);
  return found.addon;
}

function search(): Loaded {
  const failures: string[] = [];
  for (const { path, origin } of candidates()) {
    if (!existsSync(path)) {
      failures.push(`${origin}: no file ${path}`);
      continue;
    }
    try {
      // eslint-disable-next-line @typescript-eslint/no-require-imports
      return { addon: require(path) as Addon, path };
    } catch (error) {
      failures.push(
        `${origin}: ${path} does not load: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  }
  return { addon: undefined, help: helpText(failures) };
}

function candidates(): { path: string; origin: string }[] {
  const explicit = process.env.NATGRAD_ADDON;
  if (explicit) return [{ path: explicit, origin: 'NATGRAD_ADDON' }];
  const root = packageRoot();
  return [
    { path: join(root, 'prebuilds', platformName(), 'natgrad.node'), origin: 'prebuilt binary' },
    { path: join(root, 'build', 'Release', 'natgrad.node'), origin: 'local build' },
  ];
}

/** The folder with our package.json: two or three above this file, depending on whether it was compiled. */
function packageRoot(): string {
  let folder = __dirname;
  while (!existsSync(join(folder, 'package.json')) && dirname(folder) !== folder) folder = dirname(folder);
  return folder;
}

/** `linux-x64`, `darwin-arm64`, `linux-x64-musl` ...: the name of a folder under prebuilds/. */
export function platformName(): string {
  return `${process.platform}-${process.arch}${isMusl() ? '-musl' : ''}`;
}

function isMusl(): boolean {
  if (process.platform !== 'linux') return false;
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
  return header.glibcVersionRuntime === undefined;
}

function helpText(failures: string[]): string {
  return [
    `natgrad's native addon could not be loaded (Node ${process.version}, ${platformName()}).`,
    ...failures.map((failure) => `  - ${failure}`),
    'To build it from the sources in the package: npm run build:native in the folder of natgrad. It needs CMake, a C++17 compiler',
    'and OpenBLAS (Debian and Ubuntu: apt-get install cmake g++ libopenblas-pthread-dev).',
    'To use a binary that lies elsewhere, set NATGRAD_ADDON to its path.',
  ].join('\n');
}
