import { NatgradError, type ErrorCode } from '../../errors';
import type { FloatArray } from '../jobs';
import type { Access } from './accesses';

/** The largest size of a square matrix: LAPACK's divide and conquer needs `1 + 6 n + 2 n^2` elements, counted in 32 bits. */
export const maxMatrixSize = 32766;
/** BLAS counts rows and columns in 32 bits. */
export const maxLength = 2 ** 31 - 1;

type ArrayType = 'Float32Array' | 'Float64Array' | 'Int32Array';

/** How a job uses an array: `inPlace` is read and may be what the job writes. */
type Mode = 'read' | 'write' | 'inPlace';

/** What all objects of one job have in common. */
interface JobInHand {
  index: number;
  accesses: Access[];
  dtype?: ArrayType;
}

/** The elements of an array. @throws ERR_NATGRAD_TYPE */
export function list(value: unknown, path: string): unknown[] {
  if (!Array.isArray(value)) fail('ERR_NATGRAD_TYPE', `${path} must be an array, got ${describe(value)}`);
  return value as unknown[];
}

/** The fields of one object of a job, each checked when it is read; every complaint names the field. */
export class Fields {
  private readonly fields: Record<string, unknown>;

  constructor(
    value: unknown,
    readonly path: string,
    private readonly job: JobInHand,
  ) {
    if (typeof value !== 'object' || value === null) {
      fail('ERR_NATGRAD_TYPE', `${path} must be an object, got ${describe(value)}`);
    }
    this.fields = value as Record<string, unknown>;
  }

  has(name: string): boolean {
    return this.fields[name] !== undefined;
  }

  /** @throws ERR_NATGRAD_TYPE, ERR_NATGRAD_NOT_FINITE */
  number(name: string): number {
    const value = this.anyNumber(name);
    if (!Number.isFinite(value)) {
      this.complain('ERR_NATGRAD_NOT_FINITE', `.${name} must be finite, got ${value}`);
    }
    return value;
  }

  nonNegative(name: string): number {
    const value = this.number(name);
    if (value < 0) this.complain('ERR_NATGRAD_ARGUMENT', `.${name} must not be negative, got ${value}`);
    return value;
  }

  integer(name: string, least = 0, most = maxLength): number {
    const value = this.anyNumber(name);
    if (!Number.isInteger(value) || value < least || value > most) {
      this.complain(
        'ERR_NATGRAD_ARGUMENT',
        `.${name} must be an integer from ${least} to ${most}, got ${value}`,
      );
    }
    return value;
  }

  matrixSize(name: string): number {
    return this.integer(name, 0, maxMatrixSize);
  }

  /** The number of matrices of a stack; one, if it is left out. */
  stackCount(name: string): number {
    return this.has(name) ? this.integer(name) : 1;
  }

  flag(name: string): boolean {
    const value = this.fields[name];
    if (typeof value !== 'boolean') {
      this.complain('ERR_NATGRAD_TYPE', `.${name} must be true or false, got ${describe(value)}`);
    }
    return value;
  }

  /** A flag that may be left out, and then is false. */
  optionalFlag(name: string): boolean {
    return this.has(name) && this.flag(name);
  }

  oneOf<Choice extends number>(name: string, choices: readonly Choice[], words: string): Choice {
    const value = this.anyNumber(name);
    if (!choices.includes(value as Choice)) {
      this.complain('ERR_NATGRAD_ARGUMENT', `.${name} must be ${words}, got ${value}`);
    }
    return value as Choice;
  }

  choice<Choice extends string>(name: string, choices: readonly Choice[]): Choice {
    const value = this.fields[name];
    if (!choices.includes(value as Choice)) {
      this.complain(
        'ERR_NATGRAD_ARGUMENT',
        `.${name} must be one of ${choices.join(', ')}, got ${describe(value)}`,
      );
    }
    return value as Choice;
  }

  /** The array that decides in which precision the job is done; all others have to be of its type. */
  decideType(name: string): void {
    const array = this.view(name, this.job.dtype ? [this.job.dtype] : ['Float32Array', 'Float64Array']);
    this.job.dtype = arrayType(array);
  }

  /** A float array of the job's type and its length: the product of `sizes`, or any where none are given. */
  array(name: string, sizes: number[] | undefined, mode: Mode): number {
    if (!this.job.dtype) this.decideType(name);
    const length = sizes && this.elements(name, sizes);
    const array = this.view(name, [this.job.dtype!]);
    if (length === undefined) {
      this.checkLength(name, array);
    } else if (array.length !== length) {
      this.complain('ERR_NATGRAD_SHAPE', `.${name} must have ${length} elements, got ${array.length}`);
    }
    this.record(name, array, mode);
    return array.length;
  }

  indices(name: string): Int32Array {
    const array = this.view(name, ['Int32Array']) as Int32Array;
    this.checkLength(name, array);
    this.record(name, array, 'read');
    return array;
  }

  /** A field that is an object itself. */
  part(name: string): Fields {
    return new Fields(this.fields[name], `${this.path}.${name}`, this.job);
  }

  /** The objects of a list. */
  parts(name: string): Fields[] {
    const path = `${this.path}.${name}`;
    return list(this.fields[name], path).map((item, i) => new Fields(item, `${path}[${i}]`, this.job));
  }

  complain(code: ErrorCode, what: string): never {
    fail(code, this.path + what);
  }

  private anyNumber(name: string): number {
    const value = this.fields[name];
    if (typeof value !== 'number') {
      this.complain('ERR_NATGRAD_TYPE', `.${name} must be a number, got ${describe(value)}`);
    }
    return value;
  }

  private elements(name: string, sizes: number[]): number {
    const product = sizes.reduce((a, b) => a * b, 1);
    if (product > Number.MAX_SAFE_INTEGER) {
      this.complain('ERR_NATGRAD_SHAPE', `.${name} would have more than ${Number.MAX_SAFE_INTEGER} elements`);
    }
    return product;
  }

  private view(name: string, types: ArrayType[]): FloatArray | Int32Array {
    const value = this.fields[name];
    const type = arrayType(value);
    if (!type || !types.includes(type)) {
      this.complain('ERR_NATGRAD_TYPE', `.${name} must be a ${types.join(' or ')}, got ${describe(value)}`);
    }
    const array = value as FloatArray | Int32Array;
    const reason = unusable(array.buffer);
    if (reason) this.complain('ERR_NATGRAD_BUFFER', `.${name} lies in ${reason}`);
    return array;
  }

  private checkLength(name: string, array: FloatArray | Int32Array): void {
    if (array.length > maxLength) {
      this.complain('ERR_NATGRAD_SHAPE', `.${name} has more than ${maxLength} elements`);
    }
  }

  private record(name: string, array: FloatArray | Int32Array, mode: Mode): void {
    if (array.length === 0) return;
    this.job.accesses.push({
      buffer: array.buffer,
      begin: array.byteOffset,
      end: array.byteOffset + array.byteLength,
      write: mode === 'write',
      inPlace: mode === 'inPlace',
      job: this.job.index,
      path: `${this.path}.${name}`,
    });
  }
}

function fail(code: ErrorCode, message: string): never {
  throw new NatgradError(code, message);
}

/** What a value is, in the words of an error message. */
function describe(value: unknown): string {
  switch (typeof value) {
    case 'undefined':
      return 'undefined';
    case 'number':
      return String(value);
    case 'string':
      return `"${value.slice(0, 80)}"`;
    case 'object':
      return value === null ? 'null' : value.constructor?.name || 'an object';
    default:
      return `a ${typeof value}`;
  }
}

function arrayType(value: unknown): ArrayType | undefined {
  const tag = Object.prototype.toString.call(value).slice(8, -1);
  return tag === 'Float32Array' || tag === 'Float64Array' || tag === 'Int32Array' ? tag : undefined;
}

/** Why the memory of a typed array cannot be used, as the end of a sentence. */
function unusable(buffer: ArrayBufferLike & { resizable?: boolean }): string | undefined {
  if (Object.prototype.toString.call(buffer) === '[object SharedArrayBuffer]') {
    return 'a SharedArrayBuffer, which other threads may write; copy it';
  }
  if (isDetached(buffer)) return 'an ArrayBuffer that was detached';
  return buffer.resizable ? 'a resizable ArrayBuffer; copy it into one of fixed size' : undefined;
}

function isDetached(buffer: ArrayBufferLike): boolean {
  if (buffer.byteLength > 0) return false;
  try {
    new Uint8Array(buffer);
    return false;
  } catch {
    return true;
  }
}
