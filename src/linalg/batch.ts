import { NatgradError } from '../errors';
import type { FloatArray } from './jobs';

/** One array or several: what the functions take as a batch. */
export type OneOrMany<T extends FloatArray = FloatArray> = T | T[];

/** The elements of a batch; of a single array, itself. */
export function many<T>(value: T | T[]): T[] {
  return Array.isArray(value) ? value : [value];
}

/** Gives `results` the form of `like`: the array, or its only element. */
export function sameForm<V>(like: unknown, results: unknown[]): V {
  return (Array.isArray(like) ? results : results[0]) as V;
}

/**
 * The n of an n by n matrix.
 *
 * @throws NatgradError ERR_NATGRAD_TYPE or ERR_NATGRAD_SHAPE
 */
export function squareSize(name: string, matrix: FloatArray): number {
  const length = floatArray(name, matrix).length;
  const size = Math.round(Math.sqrt(length));
  if (size * size !== length) {
    throw new NatgradError(
      'ERR_NATGRAD_SHAPE',
      `${name} must be a square matrix, but ${length} elements are not the square of a number`,
    );
  }
  return size;
}

/**
 * How many n by n matrices a stack holds.
 *
 * @throws NatgradError ERR_NATGRAD_TYPE, ERR_NATGRAD_ARGUMENT or ERR_NATGRAD_SHAPE
 */
export function stackCount(name: string, stack: FloatArray, size: number): number {
  const { length } = floatArray(name, stack);
  if (!Number.isInteger(size) || size < 1) {
    throw new NatgradError('ERR_NATGRAD_ARGUMENT', `size must be an integer from 1 on, got ${size}`);
  }
  const count = length / (size * size);
  if (!Number.isInteger(count)) {
    throw new NatgradError(
      'ERR_NATGRAD_SHAPE',
      `${name} must be a stack of ${size} by ${size} matrices, but ${length} elements are not a multiple of ${size * size}`,
    );
  }
  return count;
}

export function floatArray<T extends FloatArray>(name: string, array: T): T {
  const tag = Object.prototype.toString.call(array);
  if (tag !== '[object Float32Array]' && tag !== '[object Float64Array]') {
    throw new NatgradError(
      'ERR_NATGRAD_TYPE',
      `${name} must be a Float32Array or a Float64Array, got ${tag}`,
    );
  }
  return array;
}

/** A new array of the dtype of `array`. */
export function allocate(array: FloatArray, length: number): FloatArray {
  return Object.prototype.toString.call(array) === '[object Float64Array]'
    ? new Float64Array(length)
    : new Float32Array(length);
}

/**
 * The arrays to write: those given as `out`, in the same form as the input, or new ones.
 *
 * @throws NatgradError ERR_NATGRAD_SHAPE if there are not as many
 */
export function outputs(inputs: FloatArray[], lengths: number[], out: OneOrMany | undefined): FloatArray[] {
  if (out === undefined) return inputs.map((input, i) => allocate(input, lengths[i]));
  const given = many(out);
  if (given.length !== inputs.length) {
    throw new NatgradError(
      'ERR_NATGRAD_SHAPE',
      `out has ${given.length} arrays for ${inputs.length} results`,
    );
  }
  return given;
}

/**
 * Checks that arguments that go together have as many elements.
 *
 * @throws NatgradError ERR_NATGRAD_SHAPE
 */
export function sameCount(name: string, count: number, other: string, otherCount: number): void {
  if (count !== otherCount) {
    throw new NatgradError(
      'ERR_NATGRAD_SHAPE',
      `${name} has ${count} arrays, but ${other} has ${otherCount}`,
    );
  }
}
