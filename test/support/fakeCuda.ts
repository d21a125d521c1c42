/** Runs tasks of cudaProgram.cjs in processes that see the test doubles of the CUDA libraries. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const root = join(__dirname, '..', '..');
/** Where `npm run test:native` leaves them. */
export const fakeLibraries = join(root, 'build', 'test', 'fake-cuda');
const plugin = join(root, 'build', 'Release', 'natgrad-cuda.so');

export interface Failure {
  code: string;
  message: string;
}

/** What a task returns; a process that a violation has ended is an error. */
export function run<T>(task: string, argument: unknown = null, env: Record<string, string> = {}): T {
  const { result, error } = outcome(task, argument, env);
  if (error) throw new Error(`${error.code}: ${error.message}`);
  return result as T;
}

/** The error that a task ends with. */
export function failureOf(task: string, argument: unknown, env: Record<string, string> = {}): Failure {
  const { error } = outcome(task, argument, env);
  if (!error) throw new Error(`${task} did not fail`);
  return error;
}

function outcome(
  task: string,
  argument: unknown,
  env: Record<string, string>,
): { result?: unknown; error?: Failure } {
  const program = join(__dirname, 'cudaProgram.cjs');
  const all = { ...process.env, LD_LIBRARY_PATH: fakeLibraries, ...env };
  const text = execFileSync(process.execPath, ['--expose-gc', program, task, JSON.stringify(argument)], {
    env: all,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  return JSON.parse(text) as { result?: unknown; error?: Failure };
}

/** `describe` where there is everything that the tests need, and otherwise a skipped one that says what is missing. */
export function describeWithCuda(name: string, body: () => void): void {
  const missing = [fakeLibraries, plugin].find((path) => !existsSync(path));
  if (missing === undefined) describe(name, body);
  else describe.skip(`${name} (no ${missing}: npm run test:native and npm run build:native make it)`, body);
}
