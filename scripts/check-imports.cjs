'use strict';

// Enforces the one rule of the architecture that no compiler checks: a file of src imports from its own floor or from a lower
// one, and no two files import each other, directly or around a corner. Usage: check-imports.cjs [source folder]

const fs = require('node:fs');
const path = require('node:path');

const ts = require('typescript');

const { filesUnder } = require('./freshness.cjs');

/** From the ground up; each may import from those before it. */
const floors = ['errors', 'names', 'linalg', 'host', 'tape', 'fisher', 'curvature', 'step', 'optimizer'];

/** Which floors a floor may import from, besides itself. */
const below = Object.fromEntries(floors.map((floor, i) => [floor, floors.slice(0, i)]));
below.accelerate = ['errors', 'linalg', 'host'];
below.saving = floors;
below.callbacks = [...floors, 'saving'];
below.diagnostics = floors;
below.layers = [...floors, 'accelerate'];
below.cli = [...floors, 'accelerate', 'saving', 'callbacks', 'diagnostics', 'layers'];
below.index = Object.keys(below);

/** The first part of a path inside the source folder: its floor, or the name of a file at the top. */
function floorOf(file) {
  return file.split('/')[0].replace(/\.ts$/, '');
}

/** Paths, relative to the source folder, of the source files that `file` imports. */
function importsOf(sourceDir, file) {
  const text = fs.readFileSync(path.join(sourceDir, file), 'utf8');
  return ts
    .preProcessFile(text, true, true)
    .importedFiles.map((reference) => reference.fileName)
    .filter((name) => name.startsWith('.'))
    .map((name) => path.posix.join(path.posix.dirname(file), name).replace(/\.js$/, ''))
    .map((name) => {
      const candidates = [name, `${name}.ts`, `${name}/index.ts`];
      return candidates.find(
        (candidate) => candidate.endsWith('.ts') && fs.existsSync(path.join(sourceDir, candidate)),
      );
    })
    .filter((name) => name !== undefined);
}

/** The files of one cycle that can be reached from `start`, or null. */
function findCycle(graph, start, finished, trail = []) {
  if (trail.includes(start)) return [...trail.slice(trail.indexOf(start)), start];
  if (finished.has(start)) return null;
  for (const next of graph.get(start) ?? []) {
    const cycle = findCycle(graph, next, finished, [...trail, start]);
    if (cycle !== null) return cycle;
  }
  finished.add(start);
  return null;
}

/** One line per violation in the TypeScript files under `sourceDir`; empty if there is none. */
function checkImports(sourceDir) {
  const files = filesUnder([sourceDir])
    .map(({ name }) => path.relative(sourceDir, name).split(path.sep).join('/'))
    .filter((name) => name.endsWith('.ts'));
  const graph = new Map(files.map((file) => [file, importsOf(sourceDir, file)]));
  const violations = [];
  for (const [file, targets] of graph) {
    const floor = floorOf(file);
    if (below[floor] === undefined) {
      violations.push(`${file}: '${floor}' is no known floor; name it in scripts/check-imports.cjs`);
      continue;
    }
    for (const target of targets) {
      const other = floorOf(target);
      if (other !== floor && !below[floor].includes(other)) {
        violations.push(`${file} imports ${target}, but '${floor}' may not import '${other}'`);
      }
    }
  }
  const finished = new Set();
  for (const file of files) {
    const cycle = findCycle(graph, file, finished);
    if (cycle !== null) {
      violations.push(`files import each other: ${cycle.join(' -> ')}`);
      cycle.forEach((member) => finished.add(member));
    }
  }
  return violations;
}

module.exports = { checkImports };

if (require.main === module) {
  const violations = checkImports(process.argv[2] ?? path.join(path.dirname(__dirname), 'src'));
  for (const violation of violations) process.stderr.write(`${violation}\n`);
  if (violations.length > 0) process.exit(1);
}
