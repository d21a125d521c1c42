import { NatgradError } from './errors';

/**
 * Picks variables by name: a string that the name contains (`'bias'` picks `dense_1/bias`), a regular expression that it
 * matches, or a function of the name.
 */
export type NamePattern = string | RegExp | ((name: string) => boolean);

/** Whether `pattern` picks the variable called `name`. */
export function matchesName(pattern: NamePattern, name: string): boolean {
  if (typeof pattern === 'string') return name.includes(pattern);
  // `search` leaves the lastIndex of a global or sticky expression alone, so that the answer depends on the name only.
  if (pattern instanceof RegExp) return name.search(pattern) >= 0;
  return pattern(name);
}

/**
 * The patterns of an option that takes one or several, checked; nothing given is no pattern.
 *
 * @throws NatgradError ERR_NATGRAD_TYPE for anything but strings, regular expressions and functions;
 *   ERR_NATGRAD_ARGUMENT for an empty string, which every name contains.
 */
export function namePatterns(
  option: NamePattern | NamePattern[] | undefined,
  argument: string,
): NamePattern[] {
  const patterns = option === undefined ? [] : Array.isArray(option) ? option : [option];
  for (const pattern of patterns) {
    if (typeof pattern !== 'string' && typeof pattern !== 'function' && !isRegExp(pattern)) {
      throw new NatgradError(
        'ERR_NATGRAD_TYPE',
        `${argument} holds ${String(pattern)}; give strings, regular expressions or functions of a variable's name.`,
      );
    }
    if (pattern === '') {
      throw new NatgradError(
        'ERR_NATGRAD_ARGUMENT',
        `${argument} holds an empty string, which every name contains; name the variables it is about.`,
      );
    }
  }
  return [...patterns];
}

function isRegExp(value: unknown): value is RegExp {
  return Object.prototype.toString.call(value) === '[object RegExp]';
}

/** A string or regular expression as JSON. */
export interface PatternConfig {
  source: string;
  flags: string;
}

/**
 * The pattern as JSON, which `restorePattern` takes back. A function has no such form: the list is empty, and a warning that names
 * `argument` says so.
 *
 * Underscores are written as escapes, because tfjs turns every string of a saved optimizer's configuration from snake_case into
 * camelCase when it loads a model.
 */
export function savePattern(pattern: NamePattern, argument: string): PatternConfig[] {
  if (typeof pattern === 'function') {
    console.warn(`natgrad: ${argument} is a function, which cannot be saved; give it again after loading.`);
    return [];
  }
  const { source, flags } = typeof pattern === 'string' ? new RegExp(escaped(pattern)) : pattern;
  return [{ source: source.replace(/\\[^]|_/g, (part) => (part.endsWith('_') ? '\\x5f' : part)), flags }];
}

/** The regular expression that picks the same names as the pattern that `savePattern` saved. */
export function restorePattern(saved: unknown): RegExp {
  const { source, flags } = saved as PatternConfig;
  return new RegExp(source, flags);
}

const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
