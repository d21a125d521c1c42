import { gzipSync } from 'node:zlib';

import { parseIdx } from '../../src/cli/idx';
import { idxFile } from './helpers';

// Expected values are the bytes that were written, in the layout that the MNIST distribution describes.
const file = idxFile([2, 2, 3], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 255]);

const failure = (bytes: Uint8Array): unknown => {
  try {
    parseIdx(bytes, 'digits');
  } catch (error) {
    return error;
  }
  return undefined;
};

describe('the IDX reader', () => {
  it('gives shape and values of a plain file', () => {
    const { shape, data } = parseIdx(file, 'digits');
    expect(shape).toEqual([2, 2, 3]);
    expect(Array.from(data)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 255]);
  });

  it('does not copy the values of a plain file', () => {
    expect(parseIdx(file, 'digits').data.buffer).toBe(file.buffer);
  });

  it('reads a file inside a larger buffer from its own beginning', () => {
    const padded = Buffer.concat([Buffer.from([7, 7, 7]), file]);
    expect(Array.from(parseIdx(padded.subarray(3), 'digits').data.subarray(0, 2))).toEqual([1, 2]);
  });

  it('reads what gzip has compressed', () => {
    const { shape, data } = parseIdx(gzipSync(file), 'digits');
    expect(shape).toEqual([2, 2, 3]);
    expect(Array.from(data.subarray(9))).toEqual([10, 11, 255]);
  });

  it.each([
    ['a file that starts otherwise', Buffer.from('not an idx file'), 'ERR_NATGRAD_TYPE', /two zero bytes/],
    ['an empty file', Buffer.alloc(0), 'ERR_NATGRAD_TYPE', /two zero bytes/],
    ['floats', idxFile([1], [0, 0, 0, 0], 0x0d), 'ERR_NATGRAD_TYPE', /0x0d.*unsigned bytes/],
    [
      'a file that ends inside its header',
      file.subarray(0, 10),
      'ERR_NATGRAD_SHAPE',
      /header of 3 dimensions/,
    ],
    ['a file without dimensions', idxFile([], []), 'ERR_NATGRAD_SHAPE', /header of 0 dimensions/],
    ['a file that is cut off', file.subarray(0, -1), 'ERR_NATGRAD_SHAPE', /2 x 2 x 3 = 12 values but has 11/],
    ['a file that is too long', Buffer.concat([file, file]), 'ERR_NATGRAD_SHAPE', /12 values but has 40/],
    [
      'a compressed file that is cut off',
      gzipSync(file).subarray(0, 20),
      'ERR_NATGRAD_SHAPE',
      /damaged or cut off/,
    ],
  ])('refuses %s and names the file', (_, bytes, code, message) => {
    expect(failure(bytes)).toMatchObject({ name: 'NatgradError', code });
    expect(failure(bytes)).toMatchObject({ message: expect.stringMatching(message) as string });
    expect(failure(bytes)).toMatchObject({ message: expect.stringMatching(/^digits/) as string });
  });
});
