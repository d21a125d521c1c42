import { closeSync, openSync, readdirSync, readSync } from 'node:fs';
import { dirname } from 'node:path';
import { glibcVersion } from './platform';

/** What to do about a file that is there and does not load, by what the operating system or Node says of it. */
const remedies: { says: RegExp; advice: (match: RegExpExecArray) => string }[] = [
  {
    says: /loading addons is disabled/,
    advice: () => 'Node runs with --no-addons; start it without (see also NODE_OPTIONS)',
  },
  {
    says: /version [`']GLIBC_([\d.]+)' not found/,
    advice: ([, wanted]) =>
      `it needs glibc ${wanted} and this system has ${glibcVersion() ?? 'none'}; use a newer system, or build the addon on this one`,
  },
  {
    says: /version [`'](GLIBCXX|CXXABI)_([\d.]+)' not found/,
    advice: ([, library, wanted]) =>
      `it needs a newer C++ library (${library}_${wanted}); update libstdc++6, or build the addon on this system`,
  },
  {
    says: /(?:^|\s)([^\s/:]+): cannot open shared object file|Library not loaded: (\S+)/,
    advice: ([, linux, macos]) => {
      const library = linux ?? macos;
      const hint = library.includes('openblas')
        ? ' (Debian and Ubuntu: apt-get install libopenblas0-pthread)'
        : '';
      return `it was built against ${library}, which is missing; install that library${hint}, or build the addon again`;
    },
  },
  {
    says: /failed to map segment/,
    advice: () =>
      'its folder does not allow programs to run (mount option noexec); install natgrad elsewhere',
  },
  {
    says: /incompatible architecture|not a valid Win32 application/,
    advice: () => `it was not built for ${process.arch}; ${installHere}`,
  },
  {
    says: /file too short|invalid ELF header|slice is not valid mach-o|did not self-register/,
    advice: () => `it is damaged, or no addon for this system; ${installHere}`,
  },
];

const installHere = 'install natgrad on this machine instead of copying node_modules from another';

/** What was wrong with a file that exists, in the system's words, and what to do about it where that is known. */
export function describeLoadFailure(path: string, error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const advice = foreignArchitecture(path) ?? adviceOn(message);
  return `${path} does not load: ${message}${advice === undefined ? '' : `\n    ${advice}`}`;
}

/** Says that there is no file, and for a prebuilt binary which platforms have one. */
export function describeMissingFile(path: string, platform?: string): string {
  if (platform === undefined) return `no file ${path}`;
  const others = foldersIn(dirname(dirname(path)));
  const known = others.length === 0 ? '' : `, only for ${others.join(', ')}`;
  return `no file ${path}\n    this package brings no binary for ${platform}${known}`;
}

function adviceOn(message: string): string | undefined {
  for (const { says, advice } of remedies) {
    const match = says.exec(message);
    if (match !== null) return advice(match);
  }
  return undefined;
}

/** The architectures of Node on Linux by their numbers in the header of an ELF file (`e_machine`, System V ABI). */
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

/** glibc calls a library for another processor a file that does not exist, so that its header has to be asked. */
function foreignArchitecture(path: string): string | undefined {
  const header = Buffer.alloc(20);
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
  if (process.platform !== 'linux' || header.toString('latin1', 0, 4) !== '\x7fELF') return undefined;
  const littleEndian = header[5] === 1;
  const machine = littleEndian ? header.readUInt16LE(18) : header.readUInt16BE(18);
  const built = elfMachines.get(machine) ?? `another processor (${machine})`;
  return built === process.arch
    ? undefined
    : `it was built for ${built} and Node runs on ${process.arch}; ${installHere}`;
}

function foldersIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}
