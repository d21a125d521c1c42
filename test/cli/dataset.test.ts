import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

import { loadDataset } from '../../src/cli/dataset';
import { idxFile, withFolder } from './helpers';

type Files = Record<string, Buffer>;

const good: Files = {
  'train-images-idx3-ubyte': idxFile([3, 2, 2], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]),
  'train-labels-idx1-ubyte': idxFile([3], [0, 1, 0]),
  't10k-images-idx3-ubyte': idxFile([1, 2, 2], [12, 13, 14, 15]),
  't10k-labels-idx1-ubyte': idxFile([1], [3]),
};

function load(files: Files, trainExamples?: number) {
  return withFolder((folder) => {
    for (const [name, bytes] of Object.entries(files)) writeFileSync(join(folder, name), bytes);
    return loadDataset(folder, trainExamples);
  });
}

describe('a data set', () => {
  it('holds the images and labels of both parts and as many classes as the largest label asks for', () => {
    const { height, width, classes, train, test } = load(good);
    expect([height, width, classes]).toEqual([2, 2, 4]);
    expect([train.count, test.count]).toEqual([3, 1]);
    expect(Array.from(train.labels)).toEqual([0, 1, 0]);
    expect(Array.from(test.images)).toEqual([12, 13, 14, 15]);
  });

  it('may be compressed, file by file', () => {
    const { 'train-images-idx3-ubyte': plain, ...others } = good;
    expect(load({ ...others, 'train-images-idx3-ubyte.gz': gzipSync(plain) })).toMatchObject({
      train: { count: 3 },
    });
  });

  it('is cut to the first training examples when only so many are asked for', () => {
    const { train, test } = load(good, 2);
    expect(train.count).toBe(2);
    expect(Array.from(train.images)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(test.count).toBe(1);
  });

  it('is MNIST by that name, as its package brings it', () => {
    const mnist = loadDataset('mnist');
    // Counts and the first labels (5, 0, 4, 1, 9) as on LeCun, Cortes and Burges' page.
    expect(mnist).toMatchObject({ height: 28, width: 28, classes: 10 });
    expect([mnist.train.count, mnist.test.count]).toEqual([60000, 10000]);
    expect(Array.from(mnist.train.labels.subarray(0, 5))).toEqual([5, 0, 4, 1, 9]);
  });

  it.each<[string, Files, number | undefined, string, RegExp]>([
    [
      'more examples than there are',
      good,
      4,
      'ERR_NATGRAD_ARGUMENT',
      /4 training examples were asked for.*has 3/,
    ],
    [
      'labels that are fewer than images',
      { ...good, 'train-labels-idx1-ubyte': idxFile([2], [0, 1]) },
      undefined,
      'ERR_NATGRAD_SHAPE',
      /3 images but 2 labels for train/,
    ],
    [
      'exchanged files',
      {
        ...good,
        'train-images-idx3-ubyte': good['train-labels-idx1-ubyte'],
        'train-labels-idx1-ubyte': good['train-images-idx3-ubyte'],
      },
      undefined,
      'ERR_NATGRAD_SHAPE',
      /3 and 1 dimensions, not 1 and 3/,
    ],
    [
      'test images of another size',
      { ...good, 't10k-images-idx3-ubyte': idxFile([1, 1, 4], [1, 2, 3, 4]) },
      undefined,
      'ERR_NATGRAD_SHAPE',
      /2 x 2 and 1 x 4/,
    ],
  ])('is refused for %s', (_, files, trainExamples, code, message) => {
    expect(() => load(files, trainExamples)).toThrow(message);
    expect(() => load(files, trainExamples)).toThrow(expect.objectContaining({ code }) as Error);
  });

  it('names the file that is missing', () => {
    const complete = Object.entries(good);
    expect(() => load(Object.fromEntries(complete.slice(0, 3)))).toThrow(/t10k-labels-idx1-ubyte is missing/);
  });
});
