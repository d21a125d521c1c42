'use strict';

// Runs the commands of a prebuild. A failure carries what the command printed; nothing is shown of one that succeeds.

const { spawnSync } = require('node:child_process');
const fs = require('node:fs');

/** A failure that one line explains; anything else that is thrown is a mistake in these scripts. */
class PrebuildError extends Error {}

function say(line) {
  process.stderr.write(`prebuild: ${line}\n`);
}

/** Runs a command and returns what it wrote to standard output. */
function run(command, args, options = {}) {
  const settings = { encoding: 'utf8', maxBuffer: 2 ** 28, ...options };
  const { status, error, stdout, stderr } = spawnSync(command, args, settings);
  if (status === 0) return stdout;
  const last = `${stdout ?? ''}${stderr ?? ''}`.trim().split('\n').slice(-40).join('\n');
  const reason = error ? error.message : `status ${status}`;
  throw new PrebuildError(`${last}\n${[command, ...args].join(' ')} failed (${reason})`);
}

/** Writes a command that is another one with some options always given. */
function writeCommand(file, command, options) {
  fs.writeFileSync(file, `#!/bin/sh\nexec ${[command, ...options].join(' ')} "$@"\n`, { mode: 0o755 });
}

module.exports = { PrebuildError, say, run, writeCommand };
