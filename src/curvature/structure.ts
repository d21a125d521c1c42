/** What a structure of curvature is to the rest of the package: which layers it fits, and the block it makes of them. */
import { NatgradError } from '../errors';
import type { Layer } from '../tape/types';
import type { BlockShape, CurvatureBlock } from './block';
import type { Precision } from './shared/factor';

/** What all structures are told. */
export interface CommonOptions {
  precision: Precision;
  /** A factor with more rows than this is kept as its diagonal, because its square would not be worth its memory. */
  maxFactorSize: number;
  /** Largest memory of one block, in bytes. */
  memoryLimit: number;
  /** Throw instead of falling back. */
  strict: boolean;
  /** Whether statistics of earlier batches are to count (`factorDecay` is not 0). Default false. */
  averaged?: boolean;
  /** Seed of structures that choose at random. Default 0. */
  seed?: number;
}

/** Layers with the block that approximates their part of the Fisher matrix. */
export interface Covered {
  layers: Layer[];
  block: CurvatureBlock;
}

/** Checks the value of one option of a structure. `name` is how messages call it. */
export type OptionCheck = (value: unknown, name: string) => void;

/**
 * A structure that a user can choose by name.
 *
 * @typeParam Own the options that are its own; every one has a default
 */
export interface Structure<Own extends object = object> {
  /** Its own options, each with the check of a given value. */
  options: { [Option in keyof Required<Own>]: OptionCheck };
  /** The reason why a layer cannot have this structure, or an empty string. */
  obstacle(layer: Layer, common: CommonOptions): string;
  /** The block of one layer that nothing prevents. */
  block(layer: Layer, common: CommonOptions, own: Own): CurvatureBlock;
  /**
   * For structures whose blocks span several layers: the blocks of all these, which nothing prevents. `block` is then for a layer
   * alone.
   */
  cover?(layers: Layer[], common: CommonOptions, own: Own): Covered[];
}

/** Names and shapes of the variables of some layers, in order. */
export function shapeOf(...layers: Layer[]): BlockShape {
  const variables = layers.flatMap((layer) => layer.variables);
  return { names: variables.map(({ name }) => name), shapes: variables.map(({ shape }) => shape) };
}

/**
 * Refuses a block that would not fit.
 *
 * @param bytes what it would keep
 * @param alternative what to choose instead
 * @throws NatgradError ERR_NATGRAD_NO_MEMORY with the size it would need
 */
export function requireMemory(
  shape: BlockShape,
  structure: string,
  bytes: number,
  { memoryLimit }: CommonOptions,
  alternative: string,
): void {
  if (bytes <= memoryLimit) return;
  throw new NatgradError(
    'ERR_NATGRAD_NO_MEMORY',
    `The ${structure} block of '${shape.names.join("', '")}' would need ${readable(bytes)}, more than memoryLimit (${readable(memoryLimit)}). ` +
      `${alternative}, or raise memoryLimit.`,
  );
}

function readable(bytes: number): string {
  return bytes < 2 ** 30 ? `${(bytes / 2 ** 20).toFixed(1)} MiB` : `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}
