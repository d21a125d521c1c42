'use strict';

// What a finished binary for Linux asks of the machine it is loaded on, read from its dynamic section, and what it may ask at most:
// what every system offers that Node 20 itself runs on.

const fs = require('node:fs');

const { run } = require('./command.cjs');

/** Node 20 needs glibc 2.28; the systems that have it (Debian 10, Red Hat 8) have the libraries of GCC 8. */
const floors = { GLIBC: '2.28', GLIBCXX: '3.4.25', CXXABI: '1.3.11', GCC: '7.0.0' };

/** Libraries that are there where Node is: it links them itself. */
const libraries = [
  /^lib(stdc\+\+\.so\.6|gcc_s\.so\.1|m\.so\.6|pthread\.so\.0|dl\.so\.2|c\.so\.6)$/,
  /^ld-linux-(x86-64\.so\.2|aarch64\.so\.1)$/,
  /^libc\.musl-(x86_64|aarch64)\.so\.1$/,
];

/** What Node looks for. Anything more could collide with another library in the same process. */
const exported = ['napi_register_module_v1', 'node_api_module_get_api_version_v1'];

/** OpenBLAS with four sets of kernels takes 6 MB; much more means that more was linked than is used. */
const largest = 12_000_000;

/** Negative if `a` is the older one. */
function compareVersions(a, b) {
  const [left, right] = [a, b].map((version) => version.split('.').map(Number));
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/**
 * Bytes, shared libraries, newest symbol versions, exported symbols, and symbols that no library is named for. `prefix` is that of the
 * tools for the binary's architecture, such as `aarch64-linux-gnu-`.
 */
function inspect(file, prefix) {
  const symbols = (which) =>
    run(`${prefix}nm`, ['--dynamic', '--format=posix', which, file])
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => line.split(' '));
  const imported = symbols('--undefined-only');
  const newest = {};
  for (const [name] of imported) {
    const [, library, version] = /@+([A-Z]+)_([0-9.]+)$/.exec(name) ?? [];
    if (version !== undefined && compareVersions(version, newest[library] ?? '0') > 0)
      newest[library] = version;
  }
  const header = run(`${prefix}objdump`, ['--private-headers', file]);
  return {
    bytes: fs.statSync(file).size,
    needed: [...header.matchAll(/NEEDED\s+(\S+)/g)].map((match) => match[1]),
    newest,
    exported: symbols('--defined-only').map(([name]) => name),
    unknown: imported
      .filter(([name, type]) => type === 'U' && !name.includes('@') && !/^(napi|node_api)_/.test(name))
      .map(([name]) => name),
  };
}

/** One line per thing that the binary needs and that machines may lack; empty if there is none. */
function unmetNeeds(report) {
  const found = [];
  for (const [library, version] of Object.entries(report.newest)) {
    if (floors[library] === undefined) found.push(`it needs ${library}_${version}, of a library of its own`);
    else if (compareVersions(version, floors[library]) > 0)
      found.push(
        `it needs ${library}_${version}, newer than ${floors[library]}, which systems have that run Node 20`,
      );
  }
  for (const name of report.needed)
    if (!libraries.some((pattern) => pattern.test(name)))
      found.push(`it needs ${name}, which machines may lack`);
  for (const name of report.unknown) found.push(`it needs ${name}, which is nowhere`);
  return [...found, ...sizeProblems(report)];
}

function sizeProblems({ bytes }) {
  return bytes > largest ? [`it has ${bytes} bytes; the limit is ${largest}`] : [];
}

/** Node must find its way into an addon, and nobody else. */
function exportProblems(report) {
  return [
    ...exported.filter((name) => !report.exported.includes(name)).map((name) => `it does not export ${name}`),
    ...report.exported
      .filter((name) => !exported.includes(name))
      .map((name) => `it exports ${name}, which other libraries might find`),
  ];
}

/** The same as `unmetNeeds` for an addon. */
function problems(report) {
  return [...unmetNeeds(report), ...exportProblems(report)];
}

module.exports = { compareVersions, exportProblems, floors, inspect, problems, sizeProblems, unmetNeeds };
