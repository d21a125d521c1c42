'use strict';

// What a finished binary for Windows asks of the machine it is loaded on, and what it may ask at most: what is in Windows itself.

const fs = require('node:fs');

const { run } = require('./command.cjs');
const { exportProblems, sizeProblems } = require('./verify.cjs');

/** Parts of every Windows that Node 20 runs on. */
const libraries = /^(kernel32|ntdll|user32|advapi32|msvcrt)\.dll$/i;

/** Moves of vectors wider than the 16 bytes that the stack is aligned to, which fail unless their memory is aligned to their width. */
const alignedMove = /\tvmov(?:ap[sd]|dqa(?:32|64)?)\s+(?:.*\(.*\),%[yz]mm|%[yz]mm\d+(?:\{.*\})?,.*\()/;

/**
 * Bytes, libraries that are loaded with it, exported symbols, and the number of moves that need aligned memory. `prefix` is that of the
 * tools for Windows. What is looked up in the program that loads it stands in no table; the linker knew it for Node-API.
 */
function inspect(file, prefix) {
  const objdump = (option) =>
    run(`${prefix}objdump`, [option, '--no-show-raw-insn', file], { maxBuffer: 2 ** 29 });
  const header = objdump('--private-headers');
  const names = header.slice(
    header.indexOf('[Ordinal/Name Pointer] Table'),
    header.indexOf('The Function Table'),
  );
  return {
    bytes: fs.statSync(file).size,
    needed: [...header.matchAll(/DLL Name: (\S+)/g)].map((match) => match[1]),
    exported: [...names.matchAll(/^\t\[ *\d+\] (\S+)$/gm)].map((match) => match[1]),
    alignedMoves: objdump('--disassemble')
      .split('\n')
      .filter((line) => alignedMove.test(line)).length,
  };
}

/** One line per reason not to ship the binary; empty if there is none. */
function problems(report) {
  return [
    ...report.needed
      .filter((name) => !libraries.test(name))
      .map((name) => `it needs ${name}, which machines may lack`),
    ...(report.alignedMoves > 0
      ? [
          `it has ${report.alignedMoves} moves of wide vectors that fail where the stack is not aligned for them`,
        ]
      : []),
    ...sizeProblems(report),
    ...exportProblems(report),
  ];
}

module.exports = { inspect, problems };
