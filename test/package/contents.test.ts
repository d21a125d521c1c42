import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

interface Manifest {
  license?: string;
  main?: string;
  bin?: string | Record<string, string>;
  exports?: unknown;
  scripts?: Record<string, string>;
  gypfile?: boolean;
  dependencies?: Record<string, string>;
}

const root = join(__dirname, '..', '..');
const manifestIn = (folder: string) =>
  JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
const manifest = manifestIn(root);

/** Every file in a nest of export conditions. */
function filesIn(exported: unknown): string[] {
  return typeof exported === 'string'
    ? [exported.slice('./'.length)]
    : Object.values(exported as object).flatMap(filesIn);
}

/** Sources of the addon in a folder of native. */
function nativeFiles(part: string): string[] {
  return readdirSync(join(root, 'native', part), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(cc|h|map|cmake)$/.test(name))
    .map((name) => `native/${part}/${name.replaceAll('\\', '/')}`);
}

/** Runs the program of a development dependency. */
function runTool(name: string, args: string[]) {
  const folder = join(root, 'node_modules', name);
  const { bin } = manifestIn(folder);
  const program = typeof bin === 'string' ? bin : Object.values(bin ?? {})[0];
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(folder, program), ...args], {
    cwd: root,
    encoding: 'utf8',
  });
  return { status, printed: stdout + stderr };
}

/** Folders of all packages that come with an installation of this one, its peers aside. */
function runtimePackages(folder = root, found = new Set<string>()): Set<string> {
  for (const name of Object.keys(manifestIn(folder).dependencies ?? {})) {
    const dependency = join(
      require.resolve.paths(name)!.find((path) => isPackage(join(path, name)))!,
      name,
    );
    if (found.has(dependency)) continue;
    found.add(dependency);
    runtimePackages(dependency, found);
  }
  return found;
}

function isPackage(folder: string): boolean {
  try {
    return readdirSync(folder).includes('package.json');
  } catch {
    return false;
  }
}

let folder: string;
let tarball: string;
let files: string[];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'natgrad-package-'));
  // Without scripts: the project is built before its tests run, and `prepack` would build it again.
  const args = ['pack', '--ignore-scripts', '--json', '--loglevel=error', '--pack-destination', folder];
  const report = execFileSync('npm', args, {
    cwd: root,
    encoding: 'utf8',
    shell: process.platform === 'win32',
  });
  const [packed] = Object.values(
    JSON.parse(report) as Record<string, { filename: string; files: { path: string }[] }>,
  );
  tarball = join(folder, packed.filename);
  files = packed.files.map(({ path }) => path);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the package', () => {
  it('has every file that package.json names, the notices, and what the addon is built from', () => {
    const named = [
      ...filesIn(manifest.exports),
      ...filesIn(manifest.bin),
      ...filesIn({ main: manifest.main }),
      ...['README.md', 'LICENSE', 'THIRD_PARTY_NOTICES.md', 'CHANGELOG.md'],
      ...['CMakeLists.txt', 'scripts/build-native.cjs', 'scripts/cmake-addon.cjs'],
      ...['core', 'cpu', 'node'].flatMap(nativeFiles),
    ];
    expect(named.filter((file) => !files.includes(file))).toEqual([]);
  });

  it('has nothing else: no tests, no TypeScript sources, no tools of development, no build', () => {
    const expected = [
      /^dist\/.*\.(js|mjs|d\.ts|d\.mts|js\.map)$/,
      /^(native\/(core|cpu|cuda|node)|examples)\//,
      /^prebuilds\/[a-z0-9]+-[a-z0-9]+(-musl)?\/natgrad(\.node|-cuda\.(so|dll))$/,
      /^docs\/.*\.(md|svg|png)$/,
      /^scripts\/(build-native|cmake-addon)\.cjs$/,
      /^(CMakeLists\.txt|package\.json|LICENSE|(README|CHANGELOG|THIRD_PARTY_NOTICES)\.md)$/,
    ];
    expect(files.filter((file) => !expected.some((pattern) => pattern.test(file)))).toEqual([]);
  });

  it('runs nothing when it is installed', () => {
    expect(files).not.toContain('binding.gyp');
    expect(manifest.gypfile).toBe(false);
    for (const name of ['preinstall', 'install', 'postinstall', 'prepare'])
      expect(manifest.scripts).not.toHaveProperty(name);
  });

  it('comes with no dependency that runs something when it is installed, or whose licence is not permissive', () => {
    const packages = runtimePackages();
    expect(packages.size).toBeGreaterThanOrEqual(Object.keys(manifest.dependencies!).length);
    for (const dependency of packages) {
      const { scripts = {}, gypfile, license } = manifestIn(dependency);
      const runs = ['preinstall', 'install', 'postinstall'].filter((name) => scripts[name] !== undefined);
      const compiles = gypfile !== false && readdirSync(dependency).includes('binding.gyp');
      expect({ dependency, runs, compiles }).toEqual({ dependency, runs: [], compiles: false });
      const permissive = /^(MIT|ISC|BSD-[23]-Clause|Apache-2\.0)$/.test(license ?? '');
      expect({ dependency, license, permissive }).toEqual({ dependency, license, permissive: true });
    }
  });

  it('names what its binaries contain, in the versions that they are built from', () => {
    const notices = readFileSync(join(root, 'THIRD_PARTY_NOTICES.md'), 'utf8');
    const { openblasVersion } = jest.requireActual<{ openblasVersion: string }>(
      '../../scripts/prebuild/targets.cjs',
    );
    expect(notices).toContain(`0.3.${openblasVersion.split(/[.+]/)[2]}`);
    for (const name of [
      'OpenBLAS',
      'GotoBLAS2',
      'LAPACK',
      'node-addon-api',
      'GCC Runtime Library Exception',
      'winpthreads',
    ])
      expect(notices).toContain(name);
  });

  it('passes publint without a suggestion', () => {
    const { status, printed } = runTool('publint', ['run', tarball, '--strict']);
    expect(printed).toContain('All good');
    expect(status).toBe(0);
  });

  it('has the right types for require and import (are the types wrong?)', () => {
    // node16: TypeScript's older resolution knows no exports, and no version of Node that the package runs on resolves like it.
    const { status, printed } = runTool('@arethetypeswrong/cli', [
      tarball,
      '--profile',
      'node16',
      '--no-definitely-typed',
    ]);
    expect(printed).toContain('natgrad/linalg');
    expect({ status, printed }).toEqual({ status: 0, printed });
  });
});
