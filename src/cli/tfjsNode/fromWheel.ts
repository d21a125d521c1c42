import { existsSync, mkdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { NatgradError } from '../../errors';
import { run, say, succeeds } from './childProcess';
import { resolveFrom } from './project';

/** A version whose libraries the binding of tfjs-node 4.22 compiles against and runs on. */
const wheel = 'tensorflow-cpu==2.21.0';

/** The libraries inside the wheel, and the names that the linker looks for. */
const libraries = {
  'libtensorflow_cc.so.2': 'libtensorflow.so',
  'libtensorflow_framework.so.2': 'libtensorflow_framework.so',
};

/**
 * Compiles the binding of tfjs-node against TensorFlow's library from the wheel for Python: what is left where the storage of tfjs-node
 * cannot be reached but a Python package index can. Takes about 820 MB in the folder of tfjs-node, and 1.3 GB while it works.
 *
 * @param packageFolder The folder of tfjs-node.
 * @throws NatgradError ERR_NATGRAD_BACKEND on other systems than Linux, without pip, a compiler or make, or if a step fails.
 */
export function buildFromWheel(packageFolder: string): void {
  checkTools();
  const deps = join(packageFolder, 'deps');
  const unpacked = join(deps, 'wheel');
  rmSync(deps, { recursive: true, force: true });
  mkdirSync(join(deps, 'lib'), { recursive: true });
  try {
    say(`fetching ${wheel} (270 MB)`);
    unpackWheel(unpacked);
    for (const [file, linkName] of Object.entries(libraries)) {
      renameSync(join(unpacked, 'tensorflow', file), join(deps, 'lib', file));
      symlinkSync(file, join(deps, 'lib', linkName));
    }
    symlinkSync(join(unpacked, 'tensorflow', 'include'), join(deps, 'include'));
    say('compiling the binding');
    compile(packageFolder);
  } finally {
    rmSync(join(deps, 'include'), { force: true });
    rmSync(unpacked, { recursive: true, force: true });
  }
}

function checkTools(): void {
  if (process.platform !== 'linux')
    throw new NatgradError(
      'ERR_NATGRAD_BACKEND',
      'a build from the wheel for Python works on Linux only: make the storage of tfjs-node reachable, or name a mirror in ' +
        'TFJS_NODE_CDN_STORAGE',
    );
  const tools = {
    python3: succeeds('python3', ['--version']),
    'python3-pip': succeeds('python3', ['-m', 'pip', '--version']),
    'g++': succeeds('g++', ['--version']),
    make: succeeds('make', ['--version']),
  };
  const missing = Object.entries(tools).flatMap(([name, found]) => (found ? [] : [name]));
  if (missing.length > 0)
    throw new NatgradError(
      'ERR_NATGRAD_BACKEND',
      `a build from the wheel for Python needs ${missing.join(', ')} (Debian and Ubuntu: apt-get install ${missing.join(' ')})`,
    );
}

/** Only TensorFlow's own files, not the Python packages it wants; so any version of Python will do to fetch them. */
function unpackWheel(target: string): void {
  const python = ['--python-version', '3.11', '--implementation', 'cp', '--only-binary', ':all:'];
  const quiet = ['--quiet', '--disable-pip-version-check', '--no-compile', '--root-user-action', 'ignore'];
  run('python3', ['-m', 'pip', 'install', ...quiet, '--no-deps', ...python, '--target', target, wheel]);
}

function compile(packageFolder: string): void {
  const nodePreGyp = resolveFrom(packageFolder, '@mapbox/node-pre-gyp/bin/node-pre-gyp');
  if (nodePreGyp === null)
    throw new NatgradError(
      'ERR_NATGRAD_BACKEND',
      `${packageFolder} lacks its dependency @mapbox/node-pre-gyp`,
    );
  // Headers that lie beside Node need not be downloaded.
  const prefix = dirname(dirname(process.execPath));
  const hasHeaders = existsSync(join(prefix, 'include', 'node', 'node_api.h'));
  const headers = hasHeaders ? [`--nodedir=${prefix}`] : [];
  run(process.execPath, [nodePreGyp, 'install', '--build-from-source', ...headers], { cwd: packageFolder });
}
