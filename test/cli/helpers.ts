import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(__dirname, '..', '..');
const register = join(root, 'test', 'support', 'register.cjs');
const main = join(root, 'src', 'cli', 'main.ts');

export interface Outcome {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** What starts the command line from its sources. */
export const command = [process.execPath, '--require', register, main];

/** Everything that a terminal of 100 columns gets to see, as util-linux's script records it. */
export function onTerminal(args: string[], env: NodeJS.ProcessEnv = {}): string {
  const words = [...command, ...args].map((word) => `'${word}'`).join(' ');
  const { stdout } = spawnSync('script', ['-qec', `stty cols 100; ${words}`, '/dev/null'], {
    cwd: root,
    encoding: 'utf8',
    // Where CI is set, Node takes no terminal for one with colours.
    env: {
      ...process.env,
      TERM: 'xterm-256color',
      CI: undefined,
      FORCE_COLOR: undefined,
      NO_COLOR: undefined,
      ...env,
    },
  });
  return stdout;
}

/** Runs the command line from its sources in a process of its own. */
export function natgrad(args: string[], env: NodeJS.ProcessEnv = {}, folder = root): Outcome {
  const { status, stdout, stderr } = spawnSync(command[0], [...command.slice(1), ...args], {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
  return { status, stdout, stderr };
}

/** What the last line of the output says. */
export function lastJson<T>(outcome: Outcome): T {
  const lines = outcome.stdout.trimEnd().split('\n');
  return JSON.parse(lines[lines.length - 1]) as T;
}

/** Calls `use` with a folder that is removed afterwards. */
export function withFolder<T>(use: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'natgrad-'));
  try {
    return use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** An IDX file of unsigned bytes, built from the format's description: 0, 0, type, rank, big-endian dimensions, values. */
export function idxFile(shape: number[], values: ArrayLike<number>, type = 0x08): Buffer {
  const header = Buffer.alloc(4 + 4 * shape.length);
  header[2] = type;
  header[3] = shape.length;
  shape.forEach((length, axis) => header.writeUInt32BE(length, 4 + 4 * axis));
  return Buffer.concat([header, Buffer.from(Array.from(values))]);
}
