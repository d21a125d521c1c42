import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

interface Report {
  bytes: number;
  needed: string[];
  newest: Record<string, string>;
  exported: string[];
  unknown: string[];
}

const { inspect, problems } = jest.requireActual<{
  inspect: (file: string, prefix: string) => Report;
  problems: (report: Report) => string[];
}>('../../scripts/prebuild/verify.cjs');

const linux = process.platform === 'linux' ? describe : describe.skip;

linux('the check of a prebuilt binary', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'natgrad-prebuild-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  function compile(file: string, source: string, ...options: string[]): string {
    const args = ['-shared', '-fPIC', '-nostdlib', '-x', 'c', '-', '-x', 'none', '-o', file, ...options];
    execFileSync('gcc', args, { cwd: folder, input: source });
    return join(folder, file);
  }

  /** A stand-in for a library of the system, with one function in one version. */
  function library(soname: string, version: string): string {
    const map = join(folder, `${soname}.map`);
    writeFileSync(map, `${version} { global: f_${version.replaceAll('.', '_')}; };`);
    return compile(
      `${soname}.link`,
      `void f_${version.replaceAll('.', '_')}(void) {}`,
      `-Wl,-soname,${soname}`,
      `-Wl,--version-script=${map}`,
    );
  }

  const entries = `
    int node_api_module_get_api_version_v1(void) { return 8; }
    void napi_create_object(void);`;

  it('passes one that needs what Node needs and exports what Node calls', () => {
    const file = compile(
      'good.node',
      `${entries} void f_GLIBC_2_27(void);
       void napi_register_module_v1(void) { f_GLIBC_2_27(); napi_create_object(); }`,
      library('libc.so.6', 'GLIBC_2.27'),
    );
    expect(inspect(file, '')).toMatchObject({
      needed: ['libc.so.6'],
      newest: { GLIBC: '2.27' },
      exported: expect.arrayContaining([
        'napi_register_module_v1',
        'node_api_module_get_api_version_v1',
      ]) as string[],
      unknown: [],
    });
    expect(problems(inspect(file, ''))).toEqual([]);
  });

  it('names every symbol and library that a system might lack, and every symbol too many', () => {
    const file = compile(
      'bad.node',
      `${entries} void f_GLIBC_2_29(void); void f_GLIBCXX_3_4_30(void); void f_OTHER_1(void); void nowhere(void);
       void dgemm_(void) { f_GLIBC_2_29(); f_GLIBCXX_3_4_30(); f_OTHER_1(); nowhere(); }`,
      library('libc.so.6', 'GLIBC_2.29'),
      library('libstdc++.so.6', 'GLIBCXX_3.4.30'),
      library('libopenblas.so.0', 'OTHER_1'),
    );
    const found = problems(inspect(file, ''));
    const expected = [
      /needs GLIBC_2\.29, newer than 2\.28/,
      /needs GLIBCXX_3\.4\.30, newer than 3\.4\.25/,
      /needs OTHER_1, of a library of its own/,
      /needs libopenblas\.so\.0, which machines may lack/,
      /does not export napi_register_module_v1/,
      /exports dgemm_/,
      /needs nowhere, which is nowhere/,
    ];
    expect(found).toHaveLength(expected.length);
    for (const line of expected) expect(found).toContainEqual(expect.stringMatching(line));
  });

  it('refuses one that has become far too large', () => {
    const report = {
      bytes: 25_700_000,
      needed: [],
      newest: {},
      exported: ['napi_register_module_v1', 'node_api_module_get_api_version_v1'],
      unknown: [],
    };
    expect(problems(report)).toEqual([expect.stringContaining('25700000 bytes')]);
  });
});
