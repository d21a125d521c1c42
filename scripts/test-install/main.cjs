'use strict';

// Installs the packed project with every package manager on every Node and tries it out there. Usage:
//   node scripts/test-install/main.cjs [--quick] [--report page.md]
// --quick: only the Node and npm of this machine. --report: also rewrites the results in a page.

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { parseArgs } = require('node:util');

const { addPrograms, checks } = require('./checks.cjs');
const { installBackends, installPackage } = require('./installation.cjs');
const { fullMatrix, quickMatrix } = require('./matrix.cjs');
const { heading, table, writeSection } = require('./report.cjs');
const { Sandbox } = require('./sandbox.cjs');
const { packProject } = require('./tarball.cjs');

const root = path.join(__dirname, '..', '..');
const { values: flags } = parseArgs({ options: { quick: { type: 'boolean' }, report: { type: 'string' } } });

function say(line) {
  process.stderr.write(`test-install: ${line}\n`);
}

/** {folder} of the tfjs-node of this repository, with its binding, or {missing}. */
function findBinding() {
  const folder = path.join(root, 'node_modules', '@tensorflow', 'tfjs-node');
  const isThere = ['deps/lib', 'lib'].every((name) => fs.existsSync(path.join(folder, name)));
  return isThere ? { folder } : { missing: '`npm run tfjs-node` has not been run' };
}

/** Installs in a sandbox and runs every check there; what depends on a step that failed is left out. */
function tryOut(toolchain, folder, context) {
  if (toolchain.missing) return { install: toolchain };
  const sandbox = new Sandbox(folder, toolchain);
  try {
    const binding = toolchain.binding ?? context.binding;
    const backends = installBackends(sandbox, binding.folder);
    if (!backends.ok) return { install: { ok: false, output: `tfjs:\n${backends.output}` } };
    const results = { install: installPackage(sandbox, context.tarball.file) };
    if (!results.install.ok) return results;
    addPrograms(sandbox);
    for (const [name, check] of Object.entries(checks)) results[name] = check(sandbox, { binding });
    return results;
  } finally {
    sandbox.remove();
  }
}

function showFailures({ label, results }) {
  for (const [name, result] of Object.entries(results)) {
    if (result.ok === false) say(`${label}: ${name} FAILED\n${result.output}`);
  }
}

const work = fs.mkdtempSync(path.join(os.tmpdir(), 'natgrad-install-'));
try {
  const context = { tarball: packProject(work), binding: findBinding() };
  say(`packed, with: ${context.tarball.description}`);
  const matrix = flags.quick ? quickMatrix() : fullMatrix(context.tarball, work);
  const rows = matrix.map((toolchain, i) => {
    const row = { label: toolchain.label, results: tryOut(toolchain, path.join(work, `cell-${i}`), context) };
    say(`${row.label}: done`);
    showFailures(row);
    return row;
  });
  const command = `npm run test:install${flags.quick ? ' -- --quick' : ''}`;
  const text = `${heading(command, context.tarball.description)}\n\n${table(rows)}`;
  process.stdout.write(`${text}\n`);
  if (flags.report !== undefined) writeSection(flags.report, text);
  if (rows.some(({ results }) => Object.values(results).some((result) => result.ok === false)))
    process.exitCode = 1;
} finally {
  fs.rmSync(work, { recursive: true, force: true });
}
