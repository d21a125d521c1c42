import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describeLoadFailure } from '../../src/linalg/loaderHelp';
import { platformName } from '../../src/linalg/platform';

const root = join(__dirname, '..', '..');
const localBuild = process.env.NATGRAD_ADDON ?? join(root, 'build', 'Release', 'natgrad.node');
let folder: string;

/** A package as it is installed, compiled code and no addon, in a folder of its own. */
function install(name: string): string {
  const target = join(folder, name);
  cpSync(join(root, 'dist'), join(target, 'dist'), { recursive: true });
  cpSync(join(root, 'package.json'), join(target, 'package.json'));
  return target;
}

function addBinary(installed: string, ...place: string[]): string {
  const file = join(installed, ...place, 'natgrad.node');
  mkdirSync(dirname(file), { recursive: true });
  cpSync(localBuild, file);
  return file;
}

/** Runs a program that has `linalg` of an installed package; what it prints, on both streams. */
function run(installed: string, program: string, { addon = '', options = [] as string[] } = {}) {
  const child = spawnSync(
    process.execPath,
    [...options, '-e', `const linalg = require('./dist/linalg/index.js'); ${program}`],
    { cwd: installed, encoding: 'utf8', env: { ...process.env, NATGRAD_ADDON: addon } },
  );
  return { out: child.stdout, err: child.stderr };
}

/** The message of the error where the addon is asked for and does not load. */
function reason(installed: string, settings?: Parameters<typeof run>[2]): string {
  const program = `try { linalg.inverse(new Float32Array([4]), {backend: 'cpu'}); } catch (error) { console.log(error.code, error.message); }`;
  return run(installed, program, settings).out;
}

/** Compiles a library from C in the folder of the tests, with its name as soname. */
function compile(file: string, source: string, ...options: string[]): string {
  const args = ['-shared', '-fPIC', '-x', 'c', '-', '-x', 'none', '-o', file, ...options];
  execFileSync('gcc', args, { cwd: folder, input: source });
  return join(folder, file);
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'natgrad-loader-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('where the loader looks', () => {
  it('takes the prebuilt binary where nothing was built, and a local build rather than that', () => {
    const installed = install('both');
    const print = `console.log(require('./dist/linalg/loader.js').loadAddon().path)`;
    const prebuilt = addBinary(installed, 'prebuilds', platformName());
    expect(run(installed, print).out).toBe(`${prebuilt}\n`);
    const built = addBinary(installed, 'build', 'Release');
    expect(run(installed, print).out).toBe(`${built}\n`);
  });

  it('takes the prebuilt binary where a local build does not load', () => {
    const installed = install('broken');
    const prebuilt = addBinary(installed, 'prebuilds', platformName());
    writeFileSync(addBinary(installed, 'build', 'Release'), 'no machine code');
    const program = `console.log(require('./dist/linalg/loader.js').loadAddon().path)`;
    expect(run(installed, program).out).toBe(`${prebuilt}\n`);
  });

  it('says for which platforms the package has binaries, and works without, with one warning of how slow that is', () => {
    const installed = install('elsewhere');
    addBinary(installed, 'prebuilds', 'plan9-mips');
    const { out, err } = run(
      installed,
      `console.log(linalg.inverse(new Float32Array([4]))[0], linalg.inverse(new Float32Array([8]))[0])`,
    );
    expect(out).toBe('0.25 0.125\n');
    expect(err).toContain(`this package brings no binary for ${platformName()}, only for plan9-mips`);
    expect(err.match(/several times to a hundred times slower/g)).toHaveLength(1);
  });
});

describe('a binary that does not load', () => {
  const linux = process.platform === 'linux' ? it : it.skip;
  let installed: string;
  beforeAll(() => {
    installed = install('plain');
  });

  it('is told to need addons where Node runs with --no-addons, and TypeScript computes', () => {
    const settings = { addon: localBuild, options: ['--no-addons'] };
    expect(reason(installed, settings)).toContain('Node runs with --no-addons; start it without');
    expect(run(installed, `console.log(linalg.inverse(new Float32Array([4]))[0])`, settings).out).toBe(
      '0.25\n',
    );
  });

  linux('is told to need a newer glibc', () => {
    const versions = join(folder, 'glibc.map');
    writeFileSync(versions, 'GLIBC_9.99 { global: future; };');
    const newer = compile(
      'newer.so',
      'void future(void) {}',
      '-Wl,-soname,libc.so.6',
      `-Wl,--version-script=${versions}`,
    );
    const source = 'void future(void); void napi_register_module_v1(void) { future(); }';
    const addon = compile('glibc.node', source, '-nostdlib', newer);
    const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
    expect(reason(installed, { addon })).toContain(
      `it needs glibc 9.99 and this system has ${header.glibcVersionRuntime}`,
    );
  });

  linux('is told to need a newer C++ library', () => {
    const versions = join(folder, 'libstdc++.map');
    writeFileSync(versions, 'GLIBCXX_9.9.99 { global: future; };');
    const newer = compile(
      'newerC++.so',
      'void future(void) {}',
      '-Wl,-soname,libstdc++.so.6',
      `-Wl,--version-script=${versions}`,
    );
    const source = 'void future(void); void napi_register_module_v1(void) { future(); }';
    const addon = compile('libstdc++.node', source, newer);
    expect(reason(installed, { addon })).toContain('it needs a newer C++ library (GLIBCXX_9.9.99)');
  });

  linux('is told to need a library that is missing, and how to get OpenBLAS', () => {
    const source = 'void future(void); void napi_register_module_v1(void) { future(); }';
    for (const name of ['libnowhere.so.3', 'libopenblas.so.77']) {
      const library = compile(`${name}.link`, 'void future(void) {}', `-Wl,-soname,${name}`);
      const message = reason(installed, { addon: compile(`${name}.node`, source, library) });
      expect(message).toContain(`it was built against ${name}, which is missing`);
      expect(message.includes('apt-get install libopenblas0-pthread)')).toBe(name.includes('openblas'));
    }
  });

  linux('is told to be for another processor, which the system calls a missing file', () => {
    const addon = compile('foreign.node', 'void napi_register_module_v1(void) {}');
    const bytes = readFileSync(addon);
    // e_machine of the ELF header: 243 is RISC-V.
    bytes.writeUInt16LE(243, 18);
    writeFileSync(addon, bytes);
    expect(existsSync(addon)).toBe(true);
    const message = reason(installed, { addon });
    expect(message).toContain(`it was built for riscv64 and Node runs on ${process.arch}`);
    expect(message).toContain('install natgrad on this machine');
  });

  linux('is told to be for another system', () => {
    // The header of Microsoft's "PE Format" with the number of x64.
    const bytes = Buffer.alloc(512);
    bytes.write('MZ', 0, 'latin1');
    bytes.writeUInt32LE(0x80, 0x3c);
    bytes.write('PE\0\0', 0x80, 'latin1');
    bytes.writeUInt16LE(0x8664, 0x84);
    const addon = join(folder, 'windows.node');
    writeFileSync(addon, bytes);
    expect(reason(installed, { addon })).toContain(
      `it was built for win32-x64 and Node runs on linux-${process.arch}; install natgrad on this machine`,
    );
    // What lies behind the end of the file is no header.
    writeFileSync(addon, bytes.subarray(0, 0x40));
    expect(reason(installed, { addon })).toContain('it is damaged, or no addon for this system');
  });

  it.each([
    ['The specified module could not be found.', 'a library that it was built against is missing'],
    ['An Application Control policy has blocked this file.', 'a policy of this machine blocks it'],
    ['%1 is not a valid Win32 application.', `it was not built for ${process.arch}`],
  ])('is explained where Windows says "%s"', (says, advice) => {
    // Node puts the path that it asked Windows for after the message.
    const path = 'C:\\project\\node_modules\\natgrad\\prebuilds\\win32-x64\\natgrad.node';
    const text = describeLoadFailure(path, new Error(`${says}\r\n\\\\?\\${path}`));
    expect(text).toContain(`${path} does not load: ${says}`);
    expect(text).toContain(advice);
  });

  linux('is told to be damaged where it is no library at all, cut off, or no addon', () => {
    const text = join(folder, 'text.node');
    writeFileSync(text, 'no machine code'.repeat(100));
    const short = join(folder, 'short.node');
    writeFileSync(short, readFileSync(localBuild).subarray(0, 40));
    const stranger = compile('stranger.node', 'void future(void) {}');
    for (const addon of [text, short, stranger])
      expect(reason(installed, { addon })).toContain('it is damaged, or no addon for this system');
  });
});
