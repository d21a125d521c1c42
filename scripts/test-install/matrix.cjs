'use strict';

// The rows of the report: every Node with every package manager, and an old Debian. Each is {label, node, manager}, or {label, missing}.

const { oldGlibc } = require('./oldGlibc.cjs');
const { currentToolchain, fetchManager, fetchNode } = require('./toolchains.cjs');

const nodes = ['20', '22', '24'];
const managers = [
  ['npm', '10'],
  ['npm', '11'],
  ['npm', '12'],
  ['pnpm', '10'],
];

function labelled(node, manager) {
  return { label: `Node ${node.version}, ${manager.name} ${manager.version}`, node, manager };
}

function fetchToolchain(major, name, range) {
  const node = fetchNode(major);
  const manager = fetchManager(name, range);
  const missing = node.missing ?? manager.missing;
  return missing ? { label: `Node ${major}, ${name} ${range}`, missing } : labelled(node, manager);
}

function quickMatrix() {
  const { node, manager } = currentToolchain();
  return [labelled(node, manager)];
}

/** `tarball` is what will be installed, `folder` one for temporary files. */
function fullMatrix(tarball, folder) {
  const rows = nodes.flatMap((major) => managers.map(([name, range]) => fetchToolchain(major, name, range)));
  return [...rows, oldGlibc(currentToolchain(), tarball, folder)];
}

module.exports = { quickMatrix, fullMatrix };
