/** `natgrad tfjs-node` in projects where npm, the storage of tfjs-node and tfjs-node itself are stand-ins; .ci/run does it for real. */
import { spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { command, natgrad, type Outcome } from './helpers';

/** What tfjs-node answers to the question whether it computes; on a version of TensorFlow that does not exist. */
const working = `
module.exports = {
  getBackend: () => 'tensorflow',
  backend: () => ({ binding: { TF_Version: '9.8.7' } }),
  scalar: (value) => ({ square: () => ({ dataSync: () => [value * value] }) }),
};
`;

const manifest = '{"name": "project", "version": "1.0.0"}\n';

/** A package folder below node_modules of `folder`. */
function addPackage(folder: string, name: string, main: string): string {
  const target = join(folder, 'node_modules', name);
  mkdirSync(target, { recursive: true });
  writeFileSync(join(target, 'package.json'), JSON.stringify({ name, version: '4.22.0', main: 'index.js' }));
  writeFileSync(join(target, 'index.js'), main);
  return target;
}

/** A folder of programs to be the whole path: node, and an npm that does what the script says. */
function programs(folder: string, npm: string): string {
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  symlinkSync(process.execPath, join(bin, 'node'));
  writeFileSync(join(bin, 'npm'), `#!/bin/sh\n${npm}\n`);
  chmodSync(join(bin, 'npm'), 0o755);
  return bin;
}

/** The command without the npm that may have started these tests. */
const cleanEnvironment = { npm_execpath: undefined, TFJS_NODE_BASE_URI: undefined };

function makeProject(folder: string): string {
  const project = join(folder, 'project');
  mkdirSync(project);
  writeFileSync(join(project, 'package.json'), manifest);
  return project;
}

describe('natgrad tfjs-node', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'natgrad-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('wants a project', () => {
    const { status, stderr } = natgrad(['tfjs-node'], cleanEnvironment, folder);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^natgrad: there is no package\.json in .*npm init/);
  });

  it('leaves alone what works, from a folder inside the project too', () => {
    const project = makeProject(folder);
    addPackage(project, '@tensorflow/tfjs-node', working);
    const PATH = programs(folder, 'if [ "$1" != --version ]; then exit 1; fi; echo 11.0.0');
    const inside = join(project, 'source');
    mkdirSync(inside);
    const { status, stderr } = natgrad(['tfjs-node'], { ...cleanEnvironment, PATH }, inside);
    expect(stderr).toMatch(/works, on TensorFlow 9\.8\.7/);
    expect(stderr).not.toMatch(/approve/);
    expect(status).toBe(0);
    expect(readFileSync(join(project, 'package.json'), 'utf8')).toBe(manifest);
  });

  it('says that npm will remove what package.json does not name', () => {
    const project = makeProject(folder);
    addPackage(project, '@tensorflow/tfjs-node', working);
    const env = { ...cleanEnvironment, PATH: programs(folder, 'echo 11.0.0') };
    expect(natgrad(['tfjs-node'], env, project).stderr).toMatch(/the next `npm install` removes it; --save/);
    const saved = {
      name: 'project',
      version: '1.0.0',
      devDependencies: { '@tensorflow/tfjs-node': '^4.22.0' },
    };
    writeFileSync(join(project, 'package.json'), JSON.stringify(saved));
    expect(natgrad(['tfjs-node'], env, project).stderr).not.toMatch(/removes it/);
  });

  it('has npm save what works already', () => {
    const project = makeProject(folder);
    addPackage(project, '@tensorflow/tfjs-node', working);
    addPackage(project, '@mapbox/node-pre-gyp', '');
    const PATH = programs(folder, 'echo "$@" >> ../calls; echo 11.0.0');
    const { status } = natgrad(['tfjs-node', '--save'], { ...cleanEnvironment, PATH }, project);
    expect(status).toBe(0);
    expect(readFileSync(join(folder, 'calls'), 'utf8')).toMatch(
      /^install --save-prod --ignore-scripts .*@4\.22\.0\n/,
    );
  });

  it('says what npm 12 needs', () => {
    const project = makeProject(folder);
    addPackage(project, '@tensorflow/tfjs-node', working);
    const PATH = programs(folder, 'echo 12.2.0');
    const { stderr } = natgrad(['tfjs-node'], { ...cleanEnvironment, PATH }, project);
    expect(stderr).toMatch(/npm install-scripts approve @tensorflow\/tfjs-node/);
  });

  it.each([
    ['pnpm-lock.yaml', 'pnpm add @tensorflow/tfjs-node@4.22.0'],
    ['yarn.lock', 'yarn add @tensorflow/tfjs-node@4.22.0'],
  ])('does not run npm beside %s', (lockFile, advice) => {
    const project = makeProject(folder);
    writeFileSync(join(project, lockFile), '');
    const { status, stderr } = natgrad(['tfjs-node'], cleanEnvironment, project);
    expect(status).toBe(1);
    expect(stderr).toContain(advice);
    expect(existsSync(join(project, 'node_modules'))).toBe(false);
  });

  it('shows what npm said when npm fails', () => {
    const project = makeProject(folder);
    const PATH = programs(folder, 'echo "no such registry" >&2; exit 1');
    const { status, stderr } = natgrad(['tfjs-node'], { ...cleanEnvironment, PATH }, project);
    expect(status).toBe(1);
    expect(stderr).toMatch(/no such registry/);
    expect(stderr).toMatch(/natgrad: `npm install .*@tensorflow\/tfjs-node@4\.22\.0` failed/);
  });

  it('says what a build from the wheel lacks where the storage does not answer', () => {
    const project = makeProject(folder);
    addPackage(project, '@tensorflow/tfjs-node', 'throw new Error("no binding");');
    addPackage(project, '@mapbox/node-pre-gyp', '');
    const PATH = programs(folder, 'echo 11.0.0');
    const TFJS_NODE_CDN_STORAGE = 'http://127.0.0.1:9/';
    const { status, stderr } = natgrad(
      ['tfjs-node'],
      { ...cleanEnvironment, PATH, TFJS_NODE_CDN_STORAGE },
      project,
    );
    expect(status).toBe(1);
    expect(stderr).toMatch(/http:\/\/127\.0\.0\.1:9 does not answer/);
    expect(stderr).toMatch(/needs python3, python3-pip, g\+\+, make|works on Linux only/);
  });

  it.each([
    [[], '--save-prod --no-save'],
    [['--save'], '--save-prod'],
  ])(
    '%p installs the package with %s and runs its installer if the storage answers',
    async (flags, saving) => {
      const asked: string[] = [];
      const storage = createServer((request, response) => {
        asked.push(`${request.method} ${request.url}`);
        response.end();
      });
      await new Promise<void>((resolve) => storage.listen(0, '127.0.0.1', resolve));
      const TFJS_NODE_CDN_STORAGE = `http://127.0.0.1:${(storage.address() as AddressInfo).port}/`;
      try {
        const project = makeProject(folder);
        // What npm will install: a tfjs-node that computes once its installer has run.
        const registry = join(folder, 'registry');
        const main = "module.exports = require('./binding');";
        const template = addPackage(registry, '@tensorflow/tfjs-node', main);
        addPackage(registry, '@mapbox/node-pre-gyp', '');
        mkdirSync(join(template, 'scripts'));
        const install = `require('node:fs').writeFileSync('binding.js', ${JSON.stringify(working)});`;
        writeFileSync(join(template, 'scripts', 'install.js'), install);
        const npm =
          'echo "$@" >> ../calls; if [ "$1" = install ]; then /bin/cp -r ../registry/* .; fi; echo 11.0.0';
        const PATH = programs(folder, npm);
        const env = { ...process.env, ...cleanEnvironment, PATH, TFJS_NODE_CDN_STORAGE };
        const outcome = await start(['tfjs-node', ...flags], env, project);
        expect(outcome.stderr).toMatch(/works, on TensorFlow 9\.8\.7/);
        const [call] = readFileSync(join(folder, 'calls'), 'utf8').split('\n');
        const options = '--ignore-scripts --no-audit --no-fund --loglevel=error';
        expect(call).toBe(`install ${saving} ${options} @tensorflow/tfjs-node@4.22.0`);
      } finally {
        storage.close();
      }
      // The URL that scripts/install.js of tfjs-node 4.22 downloads from on Linux.
      expect(asked).toEqual(['HEAD /tensorflow/libtensorflow/libtensorflow-cpu-linux-x86_64-2.9.1.tar.gz']);
    },
  );
});

/** Like `natgrad`, but leaves this process free to answer requests. */
function start(args: string[], env: NodeJS.ProcessEnv, folder: string): Promise<Outcome> {
  const child = spawn(command[0], [...command.slice(1), ...args], { cwd: folder, env });
  const outcome = { status: null as number | null, stdout: '', stderr: '' };
  child.stdout.on('data', (chunk) => (outcome.stdout += String(chunk)));
  child.stderr.on('data', (chunk) => (outcome.stderr += String(chunk)));
  return new Promise((resolve) => {
    child.on('close', (status) => resolve({ ...outcome, status }));
  });
}
