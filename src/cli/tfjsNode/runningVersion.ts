import { spawnSync } from 'node:child_process';

const program = `
  const tf = require('@tensorflow/tfjs-node');
  if (tf.getBackend() !== 'tensorflow' || tf.scalar(2).square().dataSync()[0] !== 4) process.exit(1);
  process.stdout.write(tf.backend().binding.TF_Version);`;

/**
 * The version of TensorFlow that tfjs-node runs on in a project, or null if it is not there, does not load or does not compute. A process
 * of its own finds out, because a broken installation can end the process that tries it.
 */
export function runningVersion(folder: string): string | null {
  const polyfill = require.resolve('../../host/tfjsNodePolyfill');
  const { status, stdout } = spawnSync(
    process.execPath,
    [...process.execArgv, '--require', polyfill, '-e', program],
    {
      cwd: folder,
      encoding: 'utf8',
      env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: '2' },
    },
  );
  return status === 0 ? stdout : null;
}
