import { join } from 'node:path';

import { NatgradError } from '../../errors';
import { run, say } from './childProcess';

/** Where the installer of tfjs-node fetches libtensorflow and its binding; the environment may name a mirror, for it as for us. */
const storage = process.env.TFJS_NODE_CDN_STORAGE ?? 'https://storage.googleapis.com/';
const base = process.env.TFJS_NODE_BASE_URI ?? `${storage}tensorflow/libtensorflow/libtensorflow-`;

/** Whether the storage can be reached from here, within five seconds; this file stands for those of all platforms. */
async function answers(): Promise<boolean> {
  try {
    const signal = AbortSignal.timeout(5000);
    return (await fetch(`${base}cpu-linux-x86_64-2.9.1.tar.gz`, { method: 'HEAD', signal })).ok;
  } catch {
    return false;
  }
}

/**
 * Runs the installer that tfjs-node comes with, if the storage it needs can be reached.
 *
 * @param packageFolder The folder of tfjs-node.
 * @returns Whether it ran and ended well.
 */
export async function installFromDownload(packageFolder: string): Promise<boolean> {
  if (!(await answers())) {
    say(`${new URL(base).origin} does not answer`);
    return false;
  }
  say('downloading libtensorflow and the binding');
  try {
    run(process.execPath, [join('scripts', 'install.js')], { cwd: packageFolder });
    return true;
  } catch (error) {
    if (!(error instanceof NatgradError)) throw error;
    say(error.message);
    return false;
  }
}
