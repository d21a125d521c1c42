/**
 * What the addon checks in its glue, for the reference: the same conditions in the same order with the same codes, so that a program
 * that is wrong is wrong with both.
 */

import { NatgradError, type ErrorCode } from '../../errors';
import type { FloatArray, Job } from '../jobs';
import { rationalVersions } from './rational';

/** The largest size of a square matrix: LAPACK's divide and conquer needs `1 + 6 n + 2 n^2` elements, counted in 32 bits. */
export const maxMatrixSize = 32766;
const maxLength = 2 ** 31 - 1;
/** A polynomial of a rational activation has a degree of at most 16. */
const maxCoefficients = 17;

type Fields = Record<string, unknown>;
type ArrayType = 'Float32Array' | 'Float64Array' | 'Int32Array';

interface Access {
  buffer: ArrayBufferLike;
  begin: number;
  end: number;
  write: boolean;
  /** Whether this output may be one of the job's own inputs. */
  inPlace: boolean;
  job: number;
  path: string;
}

/** @throws NatgradError naming the argument, e.g. `phases[0][2].factor`. */
export function checkPhases(phases: unknown): asserts phases is Job[][] {
  for (const [p, jobs] of list(phases, 'phases').entries()) {
    const accesses: Access[] = [];
    for (const [j, job] of list(jobs, `phases[${p}]`).entries()) {
      new JobChecker(`phases[${p}][${j}]`, j, accesses).check(job);
    }
    checkOverlaps(accesses);
  }
}

function fail(code: ErrorCode, message: string): never {
  throw new NatgradError(code, message);
}

function list(value: unknown, path: string): unknown[] {
  if (!Array.isArray(value)) fail('ERR_NATGRAD_TYPE', `${path} must be an array, got ${describe(value)}`);
  return value as unknown[];
}

function object(value: unknown, path: string): Fields {
  if (typeof value !== 'object' || value === null) {
    fail('ERR_NATGRAD_TYPE', `${path} must be an object, got ${describe(value)}`);
  }
  return value as Fields;
}

function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === 'object') return Object.prototype.toString.call(value).slice(8, -1);
  if (typeof value === 'string') return JSON.stringify(value);
  return typeof value === 'number' ? String(value) : typeof value;
}

function arrayType(value: unknown): ArrayType | undefined {
  const tag = Object.prototype.toString.call(value).slice(8, -1);
  return tag === 'Float32Array' || tag === 'Float64Array' || tag === 'Int32Array' ? tag : undefined;
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

class JobChecker {
  private dtype: ArrayType | undefined;
  private inPlace = false;

  constructor(
    private readonly path: string,
    private readonly index: number,
    private readonly accesses: Access[],
  ) {}

  check(value: unknown): void {
    const job = object(value, this.path);
    switch (job.op) {
      case 'factor':
        return this.factor(job);
      case 'diagonalFactor':
        return this.diagonalFactor(job);
      case 'inverse': {
        const size = this.matrixSize(job, 'size', this.path);
        const count = job.count === undefined ? 1 : this.integer(job, 'count', this.path, 0, maxLength);
        this.array(job, 'matrix', count * size * size, false);
        this.damped(job);
        if (count !== 1 && job.partner !== undefined) {
          fail('ERR_NATGRAD_ARGUMENT', `${this.path}.partner goes with one matrix, but count is ${count}`);
        }
        this.array(job, 'out', count * size * size, true);
        return;
      }
      case 'diagonalInverse': {
        const size = this.array(job, 'diagonal', undefined, false).length;
        this.damped(job);
        this.array(job, 'out', size, true);
        return;
      }
      case 'inverseRoot':
        return this.inverseRoot(job);
      case 'eigh': {
        const size = this.matrixSize(job, 'size', this.path);
        this.array(job, 'matrix', size * size, false);
        this.array(job, 'values', size, true);
        this.array(job, 'vectors', size * size, true);
        return;
      }
      case 'kronecker':
        return this.kronecker(job);
      case 'scale': {
        const size = this.array(job, 'diagonal', undefined, false).length;
        this.array(job, 'input', size, false);
        this.array(job, 'out', size, true);
        return;
      }
      case 'update': {
        const size = this.array(job, 'weights', undefined, true).length;
        this.array(job, 'direction', size, false);
        if (job.velocity !== undefined) this.array(job, 'velocity', size, true);
        for (const name of ['momentum', 'step', 'shrink']) this.number(job, name, this.path);
        return;
      }
      case 'combine': {
        this.inPlace = true;
        const size = this.array(job, 'out', undefined, true).length;
        for (const [t, term] of list(job.terms, `${this.path}.terms`).entries()) {
          const path = `${this.path}.terms[${t}]`;
          const fields = object(term, path);
          this.array(fields, 'data', size, false, path);
          this.number(fields, 'scale', path);
        }
        return;
      }
      case 'product':
        return this.product(job);
      case 'elementwise': {
        this.inPlace = true;
        this.choice(job, 'how', ['multiply', 'divide']);
        const size = this.array(job, 'left', undefined, false).length;
        this.array(job, 'right', size, false);
        this.number(job, 'offset', this.path);
        this.array(job, 'out', size, true);
        return;
      }
      case 'dot': {
        const size = this.array(job, 'left', undefined, false).length;
        this.array(job, 'right', size, false);
        return;
      }
      case 'scores':
        return this.scores(job);
      case 'unitFactors':
        return this.unitFactors(job);
      case 'rationalFactor':
        return this.rationalFactor(job);
      default:
        fail('ERR_NATGRAD_ARGUMENT', `${this.path}.op must be the name of a job, got ${describe(job.op)}`);
    }
  }

  private factor(job: Fields): void {
    const homogeneous = this.flag(job, 'homogeneous', this.path);
    this.number(job, 'decay', this.path);
    const size = this.matrixSize(job, 'size', this.path);
    this.array(job, 'factor', size * size, true);
    for (const [i, item] of list(job.inputs, `${this.path}.inputs`).entries()) {
      const path = `${this.path}.inputs[${i}]`;
      const input = object(item, path);
      this.number(input, 'scale', path);
      const { columns } = this.rowsOrPatches(input, path);
      this.fits(columns, homogeneous, size, path);
    }
  }

  /** The rows of a factor's input, dense or patches. */
  private rowsOrPatches(input: Fields, path: string): { rows: number; columns: number } {
    if (input.geometry !== undefined) {
      const elements = this.geometry(input.geometry, `${path}.geometry`);
      this.array(input, 'data', elements.image, false, path);
      return { rows: elements.patches, columns: elements.patch };
    }
    const rows = this.integer(input, 'rows', path, 0, maxLength);
    const columns = this.integer(input, 'columns', path, 0, maxLength);
    this.array(input, 'data', rows * columns, false, path);
    return { rows, columns };
  }

  private fits(columns: number, homogeneous: boolean, size: number, path: string): void {
    if (columns + Number(homogeneous) !== size) {
      fail(
        'ERR_NATGRAD_SHAPE',
        `${path} has ${columns} columns${homogeneous ? ' and a 1 appended' : ''}, but ${this.path}.size is ${size}`,
      );
    }
  }

  private product(job: Fields): void {
    const [rows, inner, columns] = ['rows', 'inner', 'columns'].map((name) =>
      this.integer(job, name, this.path, 0, maxLength),
    );
    for (const name of ['transposeLeft', 'transposeRight']) {
      if (job[name] !== undefined) this.flag(job, name, this.path);
    }
    const count = job.count === undefined ? 1 : this.integer(job, 'count', this.path, 0, maxLength);
    this.number(job, 'scale', this.path);
    this.number(job, 'keep', this.path);
    this.array(job, 'left', count * rows * inner, false);
    this.array(job, 'right', count * inner * columns, false);
    this.array(job, 'out', count * rows * columns, true);
  }

  private scores(job: Fields): void {
    const homogeneous = this.flag(job, 'homogeneous', this.path);
    const examples = this.integer(job, 'examples', this.path, 0, maxLength);
    this.number(job, 'scale', this.path);
    this.number(job, 'keep', this.path);
    const inputPath = `${this.path}.activation`;
    const { rows, columns } = this.rowsOrPatches(object(job.activation, inputPath), inputPath);
    const gradientPath = `${this.path}.outputGradient`;
    const gradient = object(job.outputGradient, gradientPath);
    const gradientRows = this.integer(gradient, 'rows', gradientPath, 0, maxLength);
    const outputs = this.integer(gradient, 'columns', gradientPath, 0, maxLength);
    this.array(gradient, 'data', gradientRows * outputs, false, gradientPath);
    if (gradientRows !== rows) {
      fail('ERR_NATGRAD_SHAPE', `${gradientPath} has ${gradientRows} rows, but ${inputPath} has ${rows}`);
    }
    if (examples === 0 ? rows !== 0 : rows % examples !== 0) {
      fail(
        'ERR_NATGRAD_SHAPE',
        `${inputPath} has ${rows} rows, which ${examples} examples cannot share evenly`,
      );
    }
    this.array(job, 'out', examples * (columns + Number(homogeneous)) * outputs, true);
  }

  private unitFactors(job: Fields): void {
    const homogeneous = this.flag(job, 'homogeneous', this.path);
    this.number(job, 'decay', this.path);
    const size = this.matrixSize(job, 'size', this.path);
    const count = this.integer(job, 'count', this.path, 0, maxLength);
    this.array(job, 'factors', count * size * size, true);
    for (const [i, item] of list(job.inputs, `${this.path}.inputs`).entries()) {
      const path = `${this.path}.inputs[${i}]`;
      const input = object(item, path);
      this.number(input, 'scale', path);
      const { rows, columns } = this.rowsOrPatches(input, path);
      this.fits(columns, homogeneous, size, path);
      this.array(input, 'gradients', rows * count, false, path);
    }
  }

  private rationalFactor(job: Fields): void {
    this.choice(job, 'version', rationalVersions);
    const groups = this.integer(job, 'groups', this.path, 1, maxLength);
    const inner = this.integer(job, 'inner', this.path, 1, maxLength);
    const numeratorSize = this.integer(job, 'numeratorSize', this.path, 1, maxCoefficients);
    const denominatorSize = this.integer(job, 'denominatorSize', this.path, 1, maxCoefficients);
    const size = numeratorSize + denominatorSize;
    const examples = this.integer(job, 'examples', this.path, 1, maxLength);
    this.number(job, 'decay', this.path);
    this.number(job, 'scale', this.path);
    this.array(job, 'factors', groups * size * size, true);
    for (const [i, item] of list(job.inputs, `${this.path}.inputs`).entries()) {
      const path = `${this.path}.inputs[${i}]`;
      const input = object(item, path);
      const { length } = this.array(input, 'activation', undefined, false, path);
      if (length % (groups * inner) !== 0 || (length / (groups * inner)) % examples !== 0) {
        fail(
          'ERR_NATGRAD_SHAPE',
          `${path}.activation has ${length} elements, which are not so many of groups times inner for each of ${examples} examples`,
        );
      }
      this.array(input, 'gradient', length, false, path);
      this.array(input, 'numerator', groups * numeratorSize, false, path);
      this.array(input, 'denominator', groups * denominatorSize, false, path);
      if (input.noise !== undefined) this.array(input, 'noise', groups * size, false, path);
    }
  }

  private diagonalFactor(job: Fields): void {
    this.number(job, 'decay', this.path);
    const size = this.array(job, 'factor', undefined, true).length;
    for (const [i, item] of list(job.inputs, `${this.path}.inputs`).entries()) {
      const path = `${this.path}.inputs[${i}]`;
      const input = object(item, path);
      this.number(input, 'scale', path);
      if (input.indices !== undefined) {
        const indices = this.view(input.indices, `${path}.indices`, ['Int32Array']);
        this.record(indices, false, `${path}.indices`);
        const bad = (indices as Int32Array).findIndex((index) => index < 0 || index >= size);
        if (bad >= 0) {
          fail(
            'ERR_NATGRAD_ARGUMENT',
            `${path}.indices[${bad}] is ${indices[bad]}, which is not in the range of the ${size} elements of the factor`,
          );
        }
      } else {
        const rows = this.integer(input, 'rows', path, 0, maxLength);
        const columns = this.integer(input, 'columns', path, 0, maxLength);
        if (columns !== size) {
          fail('ERR_NATGRAD_SHAPE', `${path} has ${columns} columns, but the factor has ${size} elements`);
        }
        this.array(input, 'data', rows * columns, false, path);
      }
    }
  }

  private inverseRoot(job: Fields): void {
    const size = this.matrixSize(job, 'size', this.path);
    this.array(job, 'matrix', size * size, false);
    this.damped(job);
    if (typeof job.p !== 'number') {
      fail('ERR_NATGRAD_TYPE', `${this.path}.p must be a number, got ${describe(job.p)}`);
    }
    if (job.p !== 1 && job.p !== 2 && job.p !== 4) {
      fail('ERR_NATGRAD_ARGUMENT', `${this.path}.p must be 1, 2 or 4, got ${describe(job.p)}`);
    }
    const methods = [
      'auto',
      'denmanBeavers',
      'eigen',
      'newtonSchulzMinimax',
      'newtonSchulz',
      'coupledNewton',
      'contour',
    ];
    this.choice(job, 'method', methods);
    this.nonNegative(job, 'tolerance', this.path);
    this.integer(job, 'maxIterations', this.path, 0, maxLength);
    this.array(job, 'out', size * size, true);
  }

  private kronecker(job: Fields): void {
    const forms = ['full', 'lower', 'diagonal'];
    const sizes = (['left', 'right'] as const).map((side) => {
      const form = this.choice(job, `${side}Form`, forms);
      const limit = form === 'diagonal' ? maxLength : maxMatrixSize;
      const size = this.integer(job, `${side}Size`, this.path, 0, limit);
      this.array(job, side, form === 'diagonal' ? size : size * size, false);
      const transposed = `${side}Transposed`;
      if (job[transposed] !== undefined && this.flag(job, transposed, this.path) && form !== 'full') {
        fail(
          'ERR_NATGRAD_ARGUMENT',
          `${this.path}.${transposed} goes with a full matrix, but ${side}Form is '${form}'`,
        );
      }
      return size;
    });
    const [rows, columns] = sizes;
    const split = job.inputLast !== undefined;
    if (split !== (job.outLast !== undefined)) {
      fail('ERR_NATGRAD_ARGUMENT', `${this.path}.outLast must be given exactly when inputLast is`);
    }
    if (split && rows === 0) {
      fail('ERR_NATGRAD_SHAPE', `${this.path}.inputLast is a row of V, but leftSize is 0`);
    }
    const length = (rows - Number(split)) * columns;
    this.array(job, 'input', length, false);
    this.array(job, 'out', length, true);
    if (split) {
      this.array(job, 'inputLast', columns, false);
      this.array(job, 'outLast', columns, true);
    }
  }

  private damped(job: Fields): void {
    this.nonNegative(job, 'damping', this.path);
    if (job.partner === undefined) return;
    const path = `${this.path}.partner`;
    const partner = object(job.partner, path);
    const diagonal = partner.diagonal === undefined ? false : this.flag(partner, 'diagonal', path);
    const size = this.integer(partner, 'size', path, 1, diagonal ? maxLength : maxMatrixSize);
    this.array(partner, 'matrix', diagonal ? size : size * size, false, path);
  }

  /** Elements of the image and of one patch, and how many patches there are. */
  private geometry(value: unknown, path: string): { image: number; patch: number; patches: number } {
    const fields = object(value, path);
    const batch = this.integer(fields, 'batch', path, 0, maxLength);
    const channels = this.integer(fields, 'channels', path, 1, maxLength);
    let image = batch * channels;
    let patch = channels;
    let patches = batch;
    for (const [axis, before] of [
      ['Height', 'padTop'],
      ['Width', 'padLeft'],
    ]) {
      const inSize = this.integer(fields, `in${axis}`, path, 1, maxLength);
      const kernel = this.integer(fields, `kernel${axis}`, path, 1, maxLength);
      const stride = this.integer(fields, `stride${axis}`, path, 1, maxLength);
      const dilation = this.integer(fields, `dilation${axis}`, path, 1, maxLength);
      const pad = this.integer(fields, before, path, 0, maxLength);
      const outSize = this.integer(fields, `out${axis}`, path, 1, maxLength);
      const extent = (kernel - 1) * dilation + 1;
      if ((outSize - 1) * stride - pad >= 2 * inSize + extent) {
        fail(
          'ERR_NATGRAD_SHAPE',
          `${path}.out${axis} is ${outSize}, which puts patches far beyond the input; use conv2dGeometry`,
        );
      }
      image *= inSize;
      patch *= kernel;
      patches *= outSize;
    }
    if (patches > maxLength || patch > maxLength || image > Number.MAX_SAFE_INTEGER) {
      fail('ERR_NATGRAD_SHAPE', `${path} describes more than ${maxLength} patches or elements of a patch`);
    }
    return { image, patch, patches };
  }

  private number(fields: Fields, name: string, path: string): number {
    const value = fields[name];
    if (typeof value !== 'number') {
      fail('ERR_NATGRAD_TYPE', `${path}.${name} must be a number, got ${describe(value)}`);
    }
    if (!Number.isFinite(value))
      fail('ERR_NATGRAD_NOT_FINITE', `${path}.${name} must be finite, got ${value}`);
    return value;
  }

  private nonNegative(fields: Fields, name: string, path: string): number {
    const value = this.number(fields, name, path);
    if (value < 0) fail('ERR_NATGRAD_ARGUMENT', `${path}.${name} must not be negative, got ${value}`);
    return value;
  }

  private integer(fields: Fields, name: string, path: string, least: number, most: number): number {
    const value = fields[name];
    if (typeof value !== 'number') {
      fail('ERR_NATGRAD_TYPE', `${path}.${name} must be a number, got ${describe(value)}`);
    }
    if (!Number.isInteger(value) || value < least || value > most) {
      fail(
        'ERR_NATGRAD_ARGUMENT',
        `${path}.${name} must be an integer from ${least} to ${most}, got ${describe(value)}`,
      );
    }
    return value;
  }

  private matrixSize(fields: Fields, name: string, path: string): number {
    return this.integer(fields, name, path, 0, maxMatrixSize);
  }

  private flag(fields: Fields, name: string, path: string): boolean {
    const value = fields[name];
    if (typeof value !== 'boolean') {
      fail('ERR_NATGRAD_TYPE', `${path}.${name} must be true or false, got ${describe(value)}`);
    }
    return value;
  }

  private choice(fields: Fields, name: string, choices: string[]): string {
    const value = fields[name];
    if (typeof value !== 'string' || !choices.includes(value)) {
      fail(
        'ERR_NATGRAD_ARGUMENT',
        `${this.path}.${name} must be one of ${choices.join(', ')}, got ${describe(value)}`,
      );
    }
    return value;
  }

  /** A float array of the job's dtype; `length` undefined takes any. */
  private array(
    fields: Fields,
    name: string,
    length: number | undefined,
    write: boolean,
    path = this.path,
  ): FloatArray {
    const where = `${path}.${name}`;
    const types: ArrayType[] = this.dtype ? [this.dtype] : ['Float32Array', 'Float64Array'];
    const array = this.view(fields[name], where, types) as FloatArray;
    this.dtype = arrayType(array);
    if (length !== undefined && array.length !== length) {
      fail('ERR_NATGRAD_SHAPE', `${where} must have ${length} elements, got ${array.length}`);
    }
    if (array.length > maxLength && length === undefined) {
      fail('ERR_NATGRAD_SHAPE', `${where} has more than ${maxLength} elements`);
    }
    this.record(array, write, where);
    return array;
  }

  private view(value: unknown, path: string, types: ArrayType[]): FloatArray | Int32Array {
    const type = arrayType(value);
    if (!type || !types.includes(type)) {
      fail('ERR_NATGRAD_TYPE', `${path} must be a ${types.join(' or ')}, got ${describe(value)}`);
    }
    const array = value as FloatArray | Int32Array;
    const buffer = array.buffer as ArrayBufferLike & { resizable?: boolean };
    if (Object.prototype.toString.call(buffer) === '[object SharedArrayBuffer]') {
      fail(
        'ERR_NATGRAD_BUFFER',
        `${path} lies in a SharedArrayBuffer, which other threads may write; copy it`,
      );
    }
    if (buffer.resizable) {
      fail('ERR_NATGRAD_BUFFER', `${path} lies in a resizable ArrayBuffer; copy it into one of fixed size`);
    }
    if (isDetached(buffer)) fail('ERR_NATGRAD_BUFFER', `${path} lies in an ArrayBuffer that was detached`);
    return array;
  }

  private record(array: FloatArray | Int32Array, write: boolean, path: string): void {
    if (array.length === 0) return;
    this.accesses.push({
      buffer: array.buffer,
      begin: array.byteOffset,
      end: array.byteOffset + array.byteLength,
      write,
      inPlace: write && this.inPlace,
      job: this.index,
      path,
    });
  }
}

/**
 * What one job writes no other argument of the phase may touch, except that `combine` may write over a term of its own, and
 * `elementwise` over an operand.
 */
function checkOverlaps(accesses: Access[]): void {
  for (const written of accesses) {
    if (!written.write) continue;
    for (const other of accesses) {
      if (other === written || other.buffer !== written.buffer) continue;
      if (other.begin >= written.end || other.end <= written.begin) continue;
      const sameTerm =
        written.inPlace &&
        other.job === written.job &&
        other.begin === written.begin &&
        other.end === written.end;
      if (sameTerm) continue;
      fail(
        'ERR_NATGRAD_BUFFER',
        `${written.path} is written and overlaps ${other.path}; use separate memory or separate phases`,
      );
    }
  }
}
