import { spawnSync, type SpawnSyncOptions } from 'node:child_process';

import { NatgradError } from '../../errors';

/** One line about what is being done, on stderr. */
export function say(line: string): void {
  process.stderr.write(`tfjs-node: ${line}\n`);
}

/**
 * Runs a command, silently.
 *
 * @returns What it wrote on stdout.
 * @throws NatgradError ERR_NATGRAD_BACKEND if it fails, after printing everything that it wrote.
 */
export function run(command: string, args: readonly string[], options: SpawnSyncOptions = {}): string {
  const { status, error, stdout, stderr } = spawnSync(command, args, {
    maxBuffer: 2 ** 28,
    ...options,
    encoding: 'utf8',
  });
  if (status === 0) return stdout;
  process.stderr.write(`${stdout ?? ''}${stderr ?? ''}`);
  const reason = error === undefined ? '' : `: ${error.message}`;
  throw new NatgradError('ERR_NATGRAD_BACKEND', `\`${[command, ...args].join(' ')}\` failed${reason}`);
}

export function succeeds(command: string, args: readonly string[], options: SpawnSyncOptions = {}): boolean {
  return spawnSync(command, args, { ...options, stdio: 'ignore' }).status === 0;
}
