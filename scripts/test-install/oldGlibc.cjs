'use strict';

// Node under the dynamic linker and libraries of an older Debian: what loads there asks for no newer glibc or libstdc++.

const fs = require('node:fs');
const path = require('node:path');

const { sysroot } = require('../prebuild/sysroot.cjs');
const { sysrootSuite, targets } = require('../prebuild/targets.cjs');

/** A script that starts `node` by the dynamic linker of a sysroot, with its libraries alone. */
function writeStarter(file, node, root, triple) {
  const folders = ['lib', 'usr/lib'].map((name) => path.join(root, name, triple));
  const linker = fs.readdirSync(folders[0]).find((name) => /^ld-.*\.so/.test(name));
  const start = `'${path.join(folders[0], linker)}' --library-path '${folders.join(':')}' '${node}'`;
  fs.writeFileSync(file, `#!/bin/sh\nexec ${start} "$@"\n`, { mode: 0o755 });
}

/** A toolchain as the others, whose Node runs on the old libraries; or {label, missing}. */
function oldGlibc({ node, manager }, { selfContained }, folder) {
  const label = `Node ${node.version}, ${manager.name} ${manager.version}, Debian ${sysrootSuite}`;
  const name = `${process.platform}-${process.arch}`;
  if (targets[name] === undefined) return { label, missing: `there is no older Debian for ${name}` };
  if (!selfContained) return { label, missing: 'the binary is not the prebuilt one with OpenBLAS inside' };
  try {
    const executable = path.join(folder, 'node-on-old-glibc');
    writeStarter(executable, node.executable, sysroot(name, targets[name]).folder, targets[name].triple);
    const binding = {
      missing: 'the binding that npm run tfjs-node compiled needs the glibc of this machine',
    };
    return { label, node: { ...node, executable }, manager, binding };
  } catch (error) {
    return { label, missing: error.message.split('\n').at(-1) };
  }
}

module.exports = { oldGlibc };
