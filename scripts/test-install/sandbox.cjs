'use strict';

// An empty project in a temporary folder, and a path on which there are node, the package manager and sh, and nothing else: no compiler.

const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const { plainEnvironment } = require('./toolchains.cjs');

/**
 * The project has decided that installers of tfjs do not run, in the words of npm and of pnpm, so that warnings about undecided ones are
 * about others.
 */
const manifest = {
  name: 'project',
  version: '1.0.0',
  private: true,
  allowScripts: { 'core-js': false, '@tensorflow/tfjs-node': false },
  pnpm: { ignoredBuiltDependencies: ['core-js', '@tensorflow/tfjs-node'] },
};

class Sandbox {
  /** @param {string} folder is made. @param toolchain {node, manager} */
  constructor(folder, { node, manager }) {
    this.folder = folder;
    this.toolchain = { node, manager };
    const bin = path.join(folder, 'bin');
    this.project = path.join(folder, 'project');
    fs.mkdirSync(bin, { recursive: true });
    fs.mkdirSync(this.project);
    fs.symlinkSync(node.executable, path.join(bin, 'node'));
    fs.symlinkSync('/bin/sh', path.join(bin, 'sh'));
    fs.writeFileSync(path.join(bin, manager.name), `#!/bin/sh\nexec node '${manager.script}' "$@"\n`, {
      mode: 0o755,
    });
    fs.writeFileSync(path.join(this.project, 'package.json'), JSON.stringify(manifest));
    this.environment = { ...plainEnvironment(), PATH: bin, TF_CPP_MIN_LOG_LEVEL: '2' };
  }

  /** Runs a program of the sandbox's path in the project. Returns {ok, output, warnings, seconds}. */
  run(program, args) {
    const started = process.hrtime.bigint();
    const { status, signal, stdout, stderr, error } = spawnSync(
      path.join(this.folder, 'bin', program),
      args,
      {
        cwd: this.project,
        encoding: 'utf8',
        env: this.environment,
        timeout: 600_000,
        maxBuffer: 2 ** 28,
      },
    );
    const seconds = Number(process.hrtime.bigint() - started) / 1e9;
    const ending = error ? error.message : signal ? `ended by ${signal}` : `ended with ${status}`;
    return {
      ok: status === 0,
      output: `${stdout}${stderr}${ending}`,
      printed: `${stdout}${stderr}`,
      seconds,
    };
  }

  copy(file) {
    fs.copyFileSync(file, path.join(this.project, path.basename(file)));
  }

  remove() {
    fs.rmSync(this.folder, { recursive: true, force: true });
  }
}

module.exports = { Sandbox };
