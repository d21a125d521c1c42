import { readdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { builtFor } from './binaryHeader';
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
    says: /The specified module could not be found/,
    advice: () =>
      'a library that it was built against is missing, or lies in no folder that Windows looks in; install it, or use the prebuilt binary',
  },
  {
    says: /Application Control policy|blocked by group policy/,
    advice: () => 'a policy of this machine blocks it; whoever administers the machine has to allow it',
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
  const advice = foreignBinary(path) ?? adviceOn(message);
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

/**
 * glibc calls a library for another processor a file that does not exist, and Windows says what is wrong in the language of its user, so
 * that the header of the file has to be asked.
 */
function foreignBinary(path: string): string | undefined {
  const built = builtFor(path);
  if (built === undefined) return undefined;
  if (built.platform !== process.platform)
    return `it was built for ${built.platform}-${built.architecture} and Node runs on ${process.platform}-${process.arch}; ${installHere}`;
  return built.architecture === process.arch
    ? undefined
    : `it was built for ${built.architecture} and Node runs on ${process.arch}; ${installHere}`;
}

function foldersIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}
