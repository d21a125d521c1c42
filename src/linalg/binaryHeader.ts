import { closeSync, openSync, readSync } from 'node:fs';

/** What a library was built for, in Node's words: `process.platform` and `process.arch`. */
export interface BuiltFor {
  platform: string;
  architecture: string;
}

/** Architectures by their numbers in the header of an ELF file (`e_machine`, System V ABI). */
const elfMachines = new Map([
  [3, 'ia32'],
  [21, 'ppc64'],
  [22, 's390x'],
  [40, 'arm'],
  [62, 'x64'],
  [183, 'arm64'],
  [243, 'riscv64'],
  [258, 'loong64'],
]);

/** The same for Windows (Microsoft's "PE Format"). */
const windowsMachines = new Map([
  [0x14c, 'ia32'],
  [0x8664, 'x64'],
  [0xaa64, 'arm64'],
]);

/** Which of the systems with this format a file is for does not stand in it, so that it counts as this one where this is one of them. */
const elfPlatform = ['win32', 'darwin'].includes(process.platform) ? 'linux' : process.platform;

/** The header of a library for Windows begins within this many bytes, after a program for DOS that says that it needs Windows. */
const headerLength = 1024;

/** What the header of a library for Linux or Windows says that it was built for; undefined for any other file. */
export function builtFor(path: string): BuiltFor | undefined {
  const header = Buffer.alloc(headerLength);
  try {
    const file = openSync(path, 'r');
    try {
      readSync(file, header, 0, header.length, 0);
    } finally {
      closeSync(file);
    }
  } catch {
    return undefined;
  }
  return fromElf(header) ?? fromPortableExecutable(header);
}

function fromElf(header: Buffer): BuiltFor | undefined {
  if (header.toString('latin1', 0, 4) !== '\x7fELF') return undefined;
  const littleEndian = header[5] === 1;
  const machine = littleEndian ? header.readUInt16LE(18) : header.readUInt16BE(18);
  return { platform: elfPlatform, architecture: nameOf(elfMachines, machine) };
}

function fromPortableExecutable(header: Buffer): BuiltFor | undefined {
  if (header.toString('latin1', 0, 2) !== 'MZ') return undefined;
  const at = header.readUInt32LE(0x3c);
  if (at + 6 > header.length || header.toString('latin1', at, at + 4) !== 'PE\0\0') return undefined;
  return { platform: 'win32', architecture: nameOf(windowsMachines, header.readUInt16LE(at + 4)) };
}

function nameOf(machines: Map<number, string>, machine: number): string {
  return machines.get(machine) ?? `another processor (${machine})`;
}
