import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { NatgradError } from '../errors';
import type { Addon } from './addon';
import { describeLoadFailure, describeMissingFile } from './loaderHelp';
import { platformName } from './platform';

/** The outcome of looking for natgrad.node: the addon and its path, or the text that explains why there is none. */
export type Loaded = { addon: Addon; path: string } | { addon: undefined; help: string };

let loaded: Loaded | undefined;

/**
 * Finds and loads the native addon, once: the path in the environment variable NATGRAD_ADDON if it is set (and then nothing else), else
 * a local build, which somebody must have wanted, else the prebuilt binary of this platform. Never throws.
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
  for (const { path, origin, platform } of candidates()) {
    if (!existsSync(path)) {
      failures.push(`${origin}: ${describeMissingFile(path, platform)}`);
      continue;
    }
    try {
      // eslint-disable-next-line @typescript-eslint/no-require-imports
      return { addon: require(path) as Addon, path };
    } catch (error) {
      failures.push(`${origin}: ${describeLoadFailure(path, error)}`);
    }
  }
  return { addon: undefined, help: helpText(failures) };
}

interface Candidate {
  path: string;
  origin: string;
  /** The platform that a prebuilt binary is for. */
  platform?: string;
}

function candidates(): Candidate[] {
  const explicit = process.env.NATGRAD_ADDON;
  if (explicit) return [{ path: explicit, origin: 'NATGRAD_ADDON' }];
  const root = packageRoot();
  const platform = platformName();
  return [
    { path: join(root, 'build', 'Release', 'natgrad.node'), origin: 'local build' },
    { path: join(root, 'prebuilds', platform, 'natgrad.node'), origin: 'prebuilt binary', platform },
  ];
}

/** The folder with our package.json: two or three above this file, depending on whether it was compiled. */
function packageRoot(): string {
  let folder = __dirname;
  while (!existsSync(join(folder, 'package.json')) && dirname(folder) !== folder) folder = dirname(folder);
  return folder;
}

/** Nothing is compiled on Windows: the compiler whose vector types the kernels are written in makes its binaries on Linux too. */
const howToBuild =
  process.platform === 'win32'
    ? ['It is built on Debian, for Windows too: docs/building.md in the package says how.']
    : [
        'To build it from the sources in the package, with CMake, a C++17 compiler and OpenBLAS (Debian and Ubuntu: apt-get install cmake g++',
        'libopenblas-pthread-dev), run in your project: npm install --no-save cmake-js@8 node-addon-api@8 node-api-headers@1, and then',
        'npm run build:native --prefix node_modules/natgrad (in a clone of natgrad: npm run build:native).',
      ];

function helpText(failures: string[]): string {
  return [
    `natgrad's native addon could not be loaded (Node ${process.version}, ${platformName()}).`,
    ...failures.map((failure) => `  - ${failure}`),
    ...howToBuild,
    'To use a binary that lies elsewhere, set NATGRAD_ADDON to its path.',
  ].join('\n');
}
