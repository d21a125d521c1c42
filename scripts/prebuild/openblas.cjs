'use strict';

// OpenBLAS as a static library, from Debian's source, with the kernels of a few processors instead of the twenty of Debian's own
// binary (58 MB), and only the real types. The eigensolver is LAPACK's.

const { createHash } = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');

const { run, say } = require('./command.cjs');
const { debian } = require('./debian.cjs');
const { lapack, lapackVersion } = require('./lapack.cjs');
const { blasSuite, openblasVersion, workFolder } = require('./targets.cjs');

function makeOptions({ openblasTarget, dynamicList }) {
  return [
    `TARGET=${openblasTarget}`,
    'DYNAMIC_ARCH=1',
    `DYNAMIC_LIST=${dynamicList}`,
    'BUILD_SINGLE=1',
    'BUILD_DOUBLE=1',
    // Thread-safe, though natgrad runs it on one thread per call; the number bounds how many may call at once.
    'USE_THREAD=1',
    'USE_OPENMP=0',
    'NUM_THREADS=64',
    'NO_AFFINITY=1',
    'NO_WARMUP=1',
    'NOFORTRAN=1',
    'NO_CBLAS=1',
    'NO_LAPACKE=1',
    'NO_SHARED=1',
  ];
}

/** Names of an archive's members, without `.o` or `.obj`. */
function membersByName(ar, archive) {
  const members = run(ar, ['t', archive]).trim().split('\n');
  return new Map(members.map((member) => [path.parse(member).name, member]));
}

/** One archive of both. Where both have a routine it is OpenBLAS's: which of two a linker takes depends on the linker. */
function joinArchives(ar, result, { blas, eigensolver }) {
  const own = membersByName(ar, blas);
  const all = [...membersByName(ar, eigensolver)];
  run(ar, ['d', eigensolver, ...all.filter(([name]) => own.has(name)).map(([, member]) => member)]);
  const script = [`CREATE ${result}`, `ADDLIB ${blas}`, `ADDLIB ${eigensolver}`, 'SAVE', 'END', ''];
  run(ar, ['-M'], { input: script.join('\n') });
}

/** The archive with OpenBLAS and LAPACK; built once for each version and set of options. */
function openblas(name, target, compilers) {
  const options = makeOptions(target);
  const key = createHash('sha256')
    .update(JSON.stringify([openblasVersion, blasSuite, lapackVersion(target), 'no doubles', options]))
    .digest('hex')
    .slice(0, 8);
  const folder = path.join(workFolder, name, `openblas-${openblasVersion.split('+')[0]}-${key}`);
  const archive = path.join(folder, 'libopenblas.a');
  if (fs.existsSync(archive)) return archive;

  fs.rmSync(folder, { recursive: true, force: true });
  fs.mkdirSync(folder, { recursive: true });
  say(`${name}: fetching OpenBLAS ${openblasVersion} and LAPACK (${lapackVersion(target)})`);
  const source = path.join(folder, 'source');
  debian({ suite: blasSuite, architecture: target.architecture, folder }).unpackSource(
    'openblas',
    openblasVersion,
    source,
  );
  const eigensolver = lapack(target, compilers, path.join(folder, 'eigensolver'));

  say(`${name}: building OpenBLAS for ${target.dynamicList}; this takes some minutes, once`);
  const tools = [
    `CC=${compilers.cc}`,
    'HOSTCC=gcc',
    `AR=${target.triple}-ar`,
    `RANLIB=${target.triple}-ranlib`,
  ];
  // OpenBLAS would start a make of its own with all processors, were it not told.
  run('nice', ['make', '-j2', 'MAKE_NB_JOBS=0', 'libs', ...options, ...tools], { cwd: source });
  const built = fs.readdirSync(source).find((file) => /^libopenblas.*-r.*\.a$/.test(file));
  joinArchives(`${target.triple}-ar`, `${archive}.new`, {
    blas: path.join(source, built),
    eigensolver,
  });
  fs.renameSync(`${archive}.new`, archive);
  fs.rmSync(source, { recursive: true, force: true });
  fs.rmSync(path.join(folder, 'eigensolver'), { recursive: true, force: true });
  return archive;
}

module.exports = { openblas };
