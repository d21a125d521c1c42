/** Programs of the tests in processes of their own. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';

const root = join(__dirname, '..', '..');
const register = join(root, 'test', 'support', 'register.cjs');

const command = (program: string, args: string[]) => ['--require', register, join(root, program), ...args];

/** Runs a TypeScript program of the repository to its end and returns what it printed. */
export function runProgram(program: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, command(program, args), {
    cwd: root,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`${program} ended with ${status}:\n${stderr}`);
  return stdout;
}

/** Starts one without waiting for it. */
export function startProgram(program: string, ...args: string[]): ChildProcess {
  return spawn(process.execPath, command(program, args), { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
}
