import * as fs from 'node:fs';
import { gunzipSync } from 'node:zlib';

import { NatgradError } from '../errors';

/** An array of unsigned bytes as an IDX file holds it, row-major. */
export interface IdxArray {
  shape: number[];
  data: Uint8Array;
}

const unsignedByte = 0x08;
const gzipMagic = 0x1f8b;

/**
 * Reads an array of unsigned bytes in the IDX format of LeCun, Cortes and Burges' MNIST distribution: two zero bytes, the type, the
 * number of dimensions, each dimension as a big-endian 32-bit integer, then the values, the last dimension running fastest.
 *
 * @param bytes The file, plain or compressed by gzip. The result's data is a view on it if it is plain.
 * @param name What messages call the file.
 * @throws NatgradError ERR_NATGRAD_TYPE if it is no IDX file or holds other values than unsigned bytes; ERR_NATGRAD_SHAPE if its
 * length is not what its dimensions say.
 */
export function parseIdx(bytes: Uint8Array, name: string): IdxArray {
  let buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (buffer.length >= 2 && buffer.readUInt16BE(0) === gzipMagic) buffer = decompress(buffer, name);
  if (buffer.length < 4 || buffer.readUInt16BE(0) !== 0) {
    throw new NatgradError(
      'ERR_NATGRAD_TYPE',
      `${name} is not an IDX file: it must start with two zero bytes`,
    );
  }
  const type = buffer[2];
  if (type !== unsignedByte) {
    const found = `0x${type.toString(16).padStart(2, '0')}`;
    throw new NatgradError(
      'ERR_NATGRAD_TYPE',
      `${name} holds values of IDX type ${found}; only unsigned bytes (0x08) are read`,
    );
  }
  const rank = buffer[3];
  const offset = 4 + 4 * rank;
  if (rank === 0 || buffer.length < offset) {
    throw new NatgradError(
      'ERR_NATGRAD_SHAPE',
      `${name} ends inside its header of ${rank} dimensions; fetch the file again`,
    );
  }
  const shape = Array.from({ length: rank }, (_, axis) => buffer.readUInt32BE(4 + 4 * axis));
  const size = shape.reduce((product, length) => product * length, 1);
  if (buffer.length !== offset + size) {
    const told = `${shape.join(' x ')} = ${size} values`;
    throw new NatgradError(
      'ERR_NATGRAD_SHAPE',
      `${name} should hold ${told} but has ${buffer.length - offset}; fetch the file again`,
    );
  }
  return { shape, data: buffer.subarray(offset) };
}

/** `parseIdx` of a file. Throws as it does, and what `fs.readFileSync` throws if the file cannot be read. */
export function readIdx(file: string): IdxArray {
  return parseIdx(fs.readFileSync(file), file);
}

function decompress(buffer: Buffer, name: string): Buffer<ArrayBuffer> {
  try {
    return gunzipSync(buffer);
  } catch (cause) {
    throw new NatgradError(
      'ERR_NATGRAD_SHAPE',
      `${name} is damaged or cut off: gzip cannot read it; fetch the file again`,
      {
        cause,
      },
    );
  }
}
