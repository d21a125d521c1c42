import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import * as tf from '@tensorflow/tfjs';

import { fileHandler } from '../../src';
import { errorWithCode } from '../errorWithCode';
import { backends } from '../support/backends';
import { startProgram } from '../support/child';

let folder: string;
beforeAll(() => {
  tf.enableProdMode(); // Else tfjs advertises tfjs-node.
  return tf.setBackend('cpu');
});
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'natgrad-'))));
afterEach(() => rmSync(folder, { recursive: true }));

function network(units = 3): tf.Sequential {
  const model = tf.sequential({
    layers: [
      tf.layers.dense({ units, activation: 'tanh', inputShape: [4] }),
      tf.layers.batchNormalization(),
      tf.layers.dense({ units: 2 }),
    ],
  });
  model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
  return model;
}

const valuesOf = (model: tf.LayersModel) => model.getWeights().map((weight) => [...weight.dataSync()]);
const weightFile = () =>
  join(
    folder,
    readdirSync(folder).find((name) => name.endsWith('.bin'))!,
  );

describe('a model in a folder', () => {
  it.each([
    ['its path', () => folder],
    ['a folder in it that is not there yet', () => join(folder, 'made', 'here')],
    ['the path of its model.json', () => join(folder, 'model.json')],
    ['its URL', () => pathToFileURL(folder).href],
    ['the URL that tfjs-node takes', () => `file://${folder}`],
  ])('is saved and loaded, named by %s', async (_, location) => {
    const model = network();
    const { modelArtifactsInfo } = await model.save(fileHandler(location()), { includeOptimizer: true });
    expect(modelArtifactsInfo.weightDataBytes).toBe(4 * model.countParams() + 4);
    const loaded = await tf.loadLayersModel(fileHandler(location()));
    expect(valuesOf(loaded)).toEqual(valuesOf(model));
    expect(loaded.optimizer.getClassName()).toBe('SGD');
  });

  it('has the files of tfjs-node: model.json with a manifest of the weights, which lie beside it', async () => {
    const model = network();
    await model.save(fileHandler(folder));
    const json = JSON.parse(readFileSync(join(folder, 'model.json'), 'utf8')) as tf.io.ModelJSON;
    expect(json).toMatchObject({ format: 'layers-model', convertedBy: null });
    const [{ paths, weights }] = json.weightsManifest;
    expect(readdirSync(folder).sort()).toEqual(['model.json', ...paths].sort());
    expect(weights.map(({ shape }) => shape)).toEqual(model.weights.map(({ shape }) => shape));
    // Row-major float32 values one after the other: the format that tfjs describes for its manifests.
    const bytes = readFileSync(join(folder, paths[0]));
    expect([...new Float32Array(Uint8Array.from(bytes).buffer)]).toEqual(valuesOf(model).flat());
  });

  it('is loaded from files as tfjs-node writes them, also from several of weights', async () => {
    const model = network();
    await model.save(fileHandler(folder));
    const bytes = readFileSync(weightFile());
    const json = JSON.parse(readFileSync(join(folder, 'model.json'), 'utf8')) as tf.io.ModelJSON;
    rmSync(weightFile());
    json.weightsManifest[0].paths = ['weights.bin', 'group1-shard2of2.bin'];
    writeFileSync(join(folder, 'weights.bin'), bytes.subarray(0, 30));
    writeFileSync(join(folder, 'group1-shard2of2.bin'), bytes.subarray(30));
    writeFileSync(join(folder, 'model.json'), JSON.stringify(json));
    expect(valuesOf(await tf.loadLayersModel(fileHandler(folder)))).toEqual(valuesOf(model));
  });

  const withTfjsNode = backends.includes('tensorflow') ? it : it.skip;
  withTfjsNode('is saved by tfjs-node and loaded here, and the other way round', async () => {
    const model = network();
    await model.save(`file://${folder}/theirs`, { includeOptimizer: true });
    expect(valuesOf(await tf.loadLayersModel(fileHandler(join(folder, 'theirs'))))).toEqual(valuesOf(model));
    await model.save(fileHandler(join(folder, 'ours')), { includeOptimizer: true });
    const loaded = await tf.loadLayersModel(`file://${folder}/ours/model.json`);
    expect(valuesOf(loaded)).toEqual(valuesOf(model));
    expect(loaded.optimizer.getClassName()).toBe('SGD');
  });

  it('takes the place of the one before, which leaves nothing behind; other files stay', async () => {
    writeFileSync(join(folder, 'notes.txt'), 'mine');
    writeFileSync(join(folder, 'weights.bin'), 'of tfjs-node');
    writeFileSync(join(folder, 'model.json.0123456789ab.tmp'), 'interrupted');
    writeFileSync(join(folder, 'weights-0123456789ab.bin'), 'interrupted');
    for (const units of [3, 5]) await network(units).save(fileHandler(folder));
    expect((await tf.loadLayersModel(fileHandler(folder))).layers[0].outputShape).toEqual([null, 5]);
    const others = readdirSync(folder).filter((name) => !/^weights-[0-9a-f]{12}\.bin$/.test(name));
    expect(others.sort()).toEqual(['model.json', 'notes.txt', 'weights.bin']);
    expect(readdirSync(folder)).toHaveLength(4);
  });

  it('can be loaded all the time while another one is saved', async () => {
    const model = network();
    await model.save(fileHandler(folder));
    let saving = true;
    const saves = (async () => {
      for (let i = 0; i < 60; i++) await model.save(fileHandler(folder));
      saving = false;
    })();
    let loads = 0;
    for (; saving; loads++)
      expect(valuesOf(await tf.loadLayersModel(fileHandler(folder)))).toEqual(valuesOf(model));
    await saves;
    expect(loads).toBeGreaterThan(1);
  });

  it('survives that the process which saves it is killed, at whatever moment', async () => {
    let begun = 0;
    for (let round = 0; round < 8; round++) {
      const child = startProgram('test/saving/savingForever.ts', folder);
      let saved = 0;
      const wait = 37 * round;
      await new Promise<void>((resolve) => {
        child.stdout!.on('data', (chunk: Buffer) => {
          if (saved === 0) setTimeout(() => child.kill('SIGKILL'), wait);
          saved = Number(chunk.toString().trimEnd().split('\n').at(-1));
        });
        child.on('close', resolve);
      });
      expect(child.signalCode).toBe('SIGKILL');
      const model = await tf.loadLayersModel(fileHandler(folder));
      const { k } = model.getUserDefinedMetadata() as { k: number };
      // Whole: every weight is of the save that the metadata name; and no save is lost that was told to be done.
      expect(new Set(valuesOf(model).flat())).toEqual(new Set([k]));
      expect(k).toBeGreaterThanOrEqual(saved);
      begun += saved;
      model.dispose();
    }
    expect(begun).toBeGreaterThan(8);
  });
});

describe('a folder without a whole model', () => {
  it.each<[string, () => void | Promise<void>, RegExp]>([
    ['is not there', () => {}, /model\.json cannot be read; name the folder/],
    ['has no JSON', () => writeFileSync(join(folder, 'model.json'), '{"a'), /is no model that tfjs saved/],
    ['has other JSON', () => writeFileSync(join(folder, 'model.json'), '{}'), /is no model that tfjs saved/],
    ['has null', () => writeFileSync(join(folder, 'model.json'), 'null'), /is no model that tfjs saved/],
    [
      'has no weights',
      async () => {
        await network().save(fileHandler(folder));
        rmSync(weightFile());
      },
      /weights-.*\.bin cannot be read, but model\.json beside it needs it/,
    ],
    [
      'has only a part of the weights',
      async () => {
        await network().save(fileHandler(folder));
        truncateSync(weightFile(), 50);
      },
      /has 50 bytes where model\.json tells of 140/,
    ],
  ])('is refused if it %s', async (_, prepare, message) => {
    await prepare();
    const loading = tf.loadLayersModel(fileHandler(folder));
    await expect(loading).rejects.toThrow(errorWithCode('ERR_NATGRAD_ARGUMENT'));
    await expect(loading).rejects.toThrow(message);
  });

  it('is refused to save to if it cannot be one', async () => {
    writeFileSync(join(folder, 'file'), '');
    const saving = network().save(fileHandler(join(folder, 'file')));
    await expect(saving).rejects.toThrow(errorWithCode('ERR_NATGRAD_ARGUMENT'));
    await expect(saving).rejects.toThrow(/cannot be saved to .*file: .*; give a folder that can be written/);
  });

  it.each([[undefined], [''], [7]])('is refused if it is called %p', (location) => {
    expect(() => fileHandler(location as string)).toThrow(errorWithCode('ERR_NATGRAD_TYPE'));
  });
});
