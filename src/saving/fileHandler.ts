import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { fileURLToPath } from 'node:url';

import * as tf from '@tensorflow/tfjs';

import { NatgradError, shown } from '../errors';
import { replaceDurably, syncFolder, writeDurably } from './durableFile';

const TOPOLOGY = 'model.json';

/** Files of earlier saves, and of saves that were interrupted. */
const LEFTOVERS = /^(weights-[0-9a-f]{12}\.bin|model\.json\.[0-9a-f]{12}\.tmp)$/;

type Manifest = tf.io.WeightsManifestConfig;

/**
 * Saves and loads models in a folder, without tfjs-node and in its layout: `model.json` and the binary file of weights that it names. Either
 * loads what the other saved.
 *
 *     await model.save(fileHandler('model'), { includeOptimizer: true });
 *     const model = await tf.loadLayersModel(fileHandler('model'));
 *
 * A save is atomic: the weights get a file of a new name, and the new `model.json` that names it takes the place of the old one at once. A
 * process that is killed while it saves leaves the previous model as it was. One process at a time may save to a folder; others may
 * load from it meanwhile.
 *
 * @param location the folder, made if it is not there, or the path of a model.json; also as a file:// URL
 * @returns an IOHandler. `save` throws NatgradError ERR_NATGRAD_ARGUMENT if the folder cannot be written; `load` if there is no model, if
 *   it is no model of tfjs, or if its weights are missing or not as long as they should be.
 */
export function fileHandler(location: string): tf.io.IOHandler & Required<tf.io.IOHandler> {
  if (typeof location !== 'string' || location === '') {
    throw new NatgradError(
      'ERR_NATGRAD_TYPE',
      `location is ${location === '' ? 'an empty string' : shown(location)}; give the path of a folder.`,
    );
  }
  const given = location.startsWith('file://') ? fromUrl(location) : location;
  const topology = given.endsWith('.json') ? given : path.join(given, TOPOLOGY);
  return { save: (artifacts) => save(topology, artifacts), load: () => load(topology) };
}

/** Also `file://folder`, which is no proper URL but what tfjs-node takes. */
function fromUrl(location: string): string {
  return location.startsWith('file:///') ? fileURLToPath(location) : location.slice('file://'.length);
}

async function save(topology: string, artifacts: tf.io.ModelArtifacts): Promise<tf.io.SaveResult> {
  const { weightSpecs = [], weightData = [], ...description } = artifacts;
  if (description.modelTopology instanceof ArrayBuffer) {
    throw new NatgradError(
      'ERR_NATGRAD_ARGUMENT',
      'the model has a binary topology; only models with one in JSON can be saved to files.',
    );
  }
  const folder = path.dirname(topology);
  const weights = `weights-${randomBytes(6).toString('hex')}.bin`;
  const manifest: Manifest = [{ paths: [weights], weights: weightSpecs }];
  const buffers = Array.isArray(weightData) ? weightData : [weightData];
  try {
    await fs.mkdir(folder, { recursive: true });
    await writeDurably(
      path.join(folder, weights),
      buffers.map((buffer) => new Uint8Array(buffer)),
    );
    await syncFolder(folder);
    await replaceDurably(topology, JSON.stringify({ ...description, weightsManifest: manifest }));
    await removeLeftovers(folder, weights);
  } catch (cause) {
    throw new NatgradError(
      'ERR_NATGRAD_ARGUMENT',
      `the model cannot be saved to ${folder}: ${(cause as Error).message}; give a folder that can be written.`,
      { cause },
    );
  }
  return { modelArtifactsInfo: tf.io.getModelArtifactsInfoForJSON(artifacts) };
}

async function removeLeftovers(folder: string, used: string): Promise<void> {
  const names = await fs.readdir(folder);
  const unused = names.filter((name) => LEFTOVERS.test(name) && name !== used);
  await Promise.all(unused.map((name) => fs.rm(path.join(folder, name), { force: true })));
}

async function load(topology: string): Promise<tf.io.ModelArtifacts> {
  const text = await readTopology(topology);
  try {
    return await tf.io.getModelArtifactsForJSON(parse(topology, text), (manifest) =>
      readWeights(path.dirname(topology), manifest),
    );
  } catch (error) {
    // Whoever saved meanwhile has removed the weights that the old description names.
    if (await wasReplaced(topology, text)) return load(topology);
    throw error;
  }
}

async function wasReplaced(topology: string, text: string): Promise<boolean> {
  return (await fs.readFile(topology, 'utf8').catch(() => text)) !== text;
}

async function readTopology(topology: string): Promise<string> {
  try {
    return await fs.readFile(topology, 'utf8');
  } catch (cause) {
    throw unreadable(topology, 'cannot be read; name the folder that a model was saved to', cause);
  }
}

function parse(topology: string, text: string): tf.io.ModelJSON {
  try {
    const json = JSON.parse(text) as Partial<tf.io.ModelJSON>;
    if (json.modelTopology === undefined || json.weightsManifest === undefined) throw new Error('incomplete');
    return json as tf.io.ModelJSON;
  } catch (cause) {
    throw unreadable(topology, 'is no model that tfjs saved; save it again', cause);
  }
}

async function readWeights(
  folder: string,
  manifest: Manifest,
): Promise<[tf.io.WeightsManifestEntry[], ArrayBuffer]> {
  const specs = manifest.flatMap(({ weights }) => weights);
  const files = manifest.flatMap(({ paths }) => paths.map((name) => path.join(folder, name)));
  const parts = await Promise.all(
    files.map((file) =>
      fs.readFile(file).catch((cause: unknown) => {
        throw unreadable(
          file,
          'cannot be read, but model.json beside it needs it; save the model again',
          cause,
        );
      }),
    ),
  );
  const data = Buffer.concat(parts);
  const expected = bytesOf(specs);
  if (expected !== null && data.length !== expected) {
    throw unreadable(
      files.join(', '),
      `has ${data.length} bytes where model.json tells of ${expected}; copy or save the model again`,
    );
  }
  return [specs, Uint8Array.from(data).buffer];
}

/** Bytes of what the specifications describe; null where that depends on the values. */
function bytesOf(specs: tf.io.WeightsManifestEntry[]): number | null {
  if (specs.some(({ dtype, quantization }) => dtype === 'string' || quantization !== undefined)) return null;
  return specs.reduce(
    (sum, { shape, dtype }) => sum + tf.util.sizeFromShape(shape) * tf.util.bytesPerElement(dtype),
    0,
  );
}

function unreadable(file: string, problem: string, cause?: unknown): NatgradError {
  return new NatgradError('ERR_NATGRAD_ARGUMENT', `${file} ${problem}.`, { cause });
}
