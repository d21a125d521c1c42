import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

interface Report {
  bytes: number;
  needed: string[];
  exported: string[];
  alignedMoves: number;
}

const { inspect, problems } = jest.requireActual<{
  inspect: (file: string, prefix: string) => Report;
  problems: (report: Report) => string[];
}>('../../scripts/prebuild/verifyWindows.cjs');

const triple = 'x86_64-w64-mingw32';
const crossCompiler = spawnSync(`${triple}-gcc`, ['--version']).status === 0 ? describe : describe.skip;

// The expected libraries, functions and instructions are those that the sources below name.
crossCompiler('the check of a binary for Windows', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'natgrad-windows-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  function compile(file: string, source: string, ...options: string[]): string {
    const args = ['-shared', '-nostdlib', '-e', '0', '-x', 'c', '-', '-x', 'none', '-o', file, ...options];
    execFileSync(`${triple}-gcc`, args, { cwd: folder, input: source });
    return join(folder, file);
  }

  /** An import library for a function of a library that is not there. */
  function library(name: string, imported: string): string {
    writeFileSync(join(folder, `${name}.def`), `LIBRARY ${name}\nEXPORTS\n${imported}\n`);
    const args = ['--input-def', `${name}.def`, '--output-lib', `lib${name}.a`];
    execFileSync(`${triple}-dlltool`, args, { cwd: folder });
    return join(folder, `lib${name}.a`);
  }

  const exported = ['napi_register_module_v1', 'node_api_module_get_api_version_v1'];
  const entry = (name: string, body: string) =>
    `__declspec(dllexport) int ${name}(void) { ${body} return 8; }\n`;
  it('passes one that needs what is in Windows and exports what Node calls', () => {
    const file = compile(
      'good.node',
      `void Sleep(int); ${entry(exported[0], 'Sleep(0);')} ${entry(exported[1], '')}`,
      '-lkernel32',
    );
    const report = inspect(file, `${triple}-`);
    expect(report).toMatchObject({ needed: ['KERNEL32.dll'], exported, alignedMoves: 0 });
    expect(problems(report)).toEqual([]);
  });

  it('names every library that a system might lack, a program with a fixed name too, and every symbol too many', () => {
    const file = compile(
      'bad.node',
      `void _gfortran_st_write(void); void napi_create_object(void);
       ${entry('dgemm_', '_gfortran_st_write(); napi_create_object();')} ${entry(exported[1], '')}`,
      library('libgfortran-5.dll', '_gfortran_st_write'),
      library('node.exe', 'napi_create_object'),
    );
    const found = problems(inspect(file, `${triple}-`));
    const expected = [
      /needs libgfortran-5\.dll, which machines may lack/,
      /needs node\.exe, which machines may lack/,
      /does not export napi_register_module_v1/,
      /exports dgemm_/,
    ];
    expect(found).toHaveLength(expected.length);
    for (const pattern of expected) expect(found).toContainEqual(expect.stringMatching(pattern));
  });

  it('finds moves that need memory aligned to more than the stack is, which the assembler can be told not to write', () => {
    const source = `__asm__("vmovaps %ymm1, 32(%rsp)\\n vmovdqa64 (%rax), %zmm2\\n vmovapd %zmm3, (%rsp){%k1}\\n"
                            "vmovaps %xmm1, 16(%rsp)\\n vmovups %ymm1, 32(%rsp)\\n vmovaps %ymm1, %ymm2");
       ${exported.map((name) => entry(name, '')).join('')}`;
    const aligned = inspect(compile('aligned.node', source), `${triple}-`);
    expect(aligned.alignedMoves).toBe(3);
    expect(problems(aligned)).toEqual([expect.stringMatching(/3 moves of wide vectors that fail/)]);
    const unaligned = compile('unaligned.node', source, '-Wa,-muse-unaligned-vector-move');
    expect(problems(inspect(unaligned, `${triple}-`))).toEqual([]);
  });
});
