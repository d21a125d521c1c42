import { spawn, spawnSync, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';

import type { Competitor } from './interleave';

/** BLAS libraries of every kind on one thread, as ours. */
const oneThread = Object.fromEntries(
  ['OMP', 'OPENBLAS', 'MKL', 'BLIS', 'NUMEXPR'].map((name) => [`${name}_NUM_THREADS`, '1']),
);

/**
 * A long-lived process that measures other implementations. It is sent a line `operation n count seconds`, repeats the operation for about
 * so many seconds and answers with the mean time of one, so that the way there and back is not measured; or with `error:` and why.
 */
export class Peer {
  private readonly process: ChildProcessWithoutNullStreams;
  private readonly answers: AsyncIterator<string, undefined>;

  constructor(command: string, args: string[], environment: Record<string, string> = {}) {
    this.process = spawn(command, args, { env: { ...process.env, ...oneThread, ...environment } });
    this.process.stderr.pipe(process.stderr);
    this.answers = createInterface({ input: this.process.stdout })[Symbol.asyncIterator]();
  }

  async ask(line: string): Promise<string> {
    this.process.stdin.write(`${line}\n`);
    const answer = await this.answers.next();
    if (answer.done === true) throw new Error(`the peer process ended at '${line}'`);
    if (answer.value.startsWith('error:')) throw new Error(`${line}: ${answer.value}`);
    return answer.value;
  }

  /** `operation` on n by n matrices; `count` is what the operation says it is. */
  competitor(name: string, operation: string, n: number, count: number): Competitor {
    return {
      name,
      burst: async (seconds) => Number(await this.ask(`${operation} ${n} ${count} ${seconds}`)),
    };
  }

  close(): void {
    this.process.stdin.end();
  }
}

/** The folder with package.json above this file, which runs compiled in a folder beside the sources. */
const root = (() => {
  let folder = __dirname;
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return folder;
})();

function note(line: string): void {
  process.stderr.write(`bench: ${line}\n`);
}

function succeeds(command: string, args: string[]): boolean {
  const { status, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0 && stderr) process.stderr.write(stderr.split('\n').slice(-6).join('\n'));
  return status === 0;
}

/**
 * Peak of the processor, BLAS and LAPACK, compiled here for this machine; undefined, with a note, where that is not possible.
 *
 * @param core Which of its kernels OpenBLAS is to use: those that the addon uses, for what is compared are algorithms.
 */
export function lapackPeer(core: string): Peer | undefined {
  const source = join(root, 'bench', 'native', 'lapackPeer.cc');
  const program = join(root, 'build', 'bench', 'lapackPeer');
  const fresh = existsSync(program) && statSync(program).mtimeMs > statSync(source).mtimeMs;
  if (!fresh) {
    mkdirSync(dirname(program), { recursive: true });
    const args = ['-std=c++17', '-O3', '-march=native', source, '-o', program, '-lopenblas'];
    if (!succeeds('g++', args)) {
      note('no comparison with BLAS and LAPACK: g++ could not compile bench/native/lapackPeer.cc');
      return undefined;
    }
  }
  return new Peer(program, [], { OPENBLAS_CORETYPE: core });
}

/** numpy, scipy and torch in .venv-peers, which is made if need be; undefined, with a note, where that is not possible. */
export function pythonPeer(): Peer | undefined {
  const environment = join(root, '.venv-peers');
  const python = join(environment, 'bin', 'python');
  const works = () => succeeds(python, ['-c', 'import numpy, scipy.linalg, torch']);
  if (!existsSync(python) || !works()) {
    note('installing numpy, scipy and torch in .venv-peers, which takes some minutes');
    const made =
      succeeds('python3', ['-m', 'venv', environment]) &&
      succeeds(python, ['-m', 'pip', 'install', '--quiet', 'numpy', 'scipy']) &&
      (succeeds(python, ['-m', 'pip', 'install', '--quiet', 'torch']) ||
        succeeds(python, ['-m', 'pip', 'install', '--quiet', 'torch==2.13.0']));
    if (!made || !works()) {
      note('no comparison with Python: numpy, scipy and torch could not be installed in .venv-peers');
      return undefined;
    }
  }
  return new Peer(python, ['-u', join(root, 'bench', 'pythonPeer.py')]);
}
