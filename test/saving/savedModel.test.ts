import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import * as tf from '@tensorflow/tfjs';

import { fileHandler, kfac, radam, restoreModel, saveModel, type NaturalGradientConfig } from '../../src';
import { errorWithCode } from '../errorWithCode';
import { classifier, trainSteps, weightsOf } from '../support/classifier';

let folder: string;
beforeAll(() => {
  tf.enableProdMode(); // Else tfjs advertises tfjs-node.
  return tf.setBackend('cpu');
});
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'natgrad-'))));
afterEach(() => rmSync(folder, { recursive: true }));

type Loss = Parameters<tf.LayersModel['compile']>[0]['loss'];
const crossEntropy: Loss = (y: tf.Tensor, p: tf.Tensor) => tf.metrics.categoricalCrossentropy(y, p);

function compiled(optimizer: tf.Optimizer, loss: Loss = 'categoricalCrossentropy'): tf.Sequential {
  const model = classifier();
  model.compile({ optimizer, loss });
  return model;
}

describe('saveModel', () => {
  it.each([
    ['kfac', () => kfac()],
    ['radam', () => radam()],
    ['tf.train.momentum', () => tf.train.momentum(0.1, 0.9)],
  ])('leaves the tensors there are as they are: with %s', async (_, create) => {
    const model = compiled(create());
    await trainSteps(model, 3);
    const { numTensors } = tf.memory();
    await saveModel(model, folder);
    expect(tf.memory().numTensors).toBe(numTensors);
    // The optimizer still has its state.
    await trainSteps(model, 2, 3);
    expect(tf.memory().numTensors).toBe(numTensors);
  });

  it('saves without the optimizer on request, and metadata beside those of the model', async () => {
    const model = compiled(kfac());
    model.setUserDefinedMetadata({ author: 'me' });
    await saveModel(model, folder, { includeOptimizer: false, metadata: { epoch: 3 } });
    const loaded = await tf.loadLayersModel(fileHandler(folder));
    expect(weightsOf(loaded)).toEqual(weightsOf(model));
    expect(loaded.optimizer).toBeUndefined();
    expect(loaded.getUserDefinedMetadata()).toEqual({ author: 'me', epoch: 3 });
    expect(model.getUserDefinedMetadata()).toEqual({ author: 'me' });
  });

  it('saves to any handler of tfjs', async () => {
    let artifacts: tf.io.ModelArtifacts | undefined;
    const handler = tf.io.withSaveHandler((given) => {
      artifacts = given;
      return Promise.resolve({ modelArtifactsInfo: tf.io.getModelArtifactsInfoForJSON(given) });
    });
    const model = compiled(kfac());
    await trainSteps(model, 2);
    await saveModel(model, handler);
    const loaded = await tf.loadLayersModel(tf.io.fromMemory(artifacts!));
    expect(loaded.optimizer.iterations).toBe(2);
  });

  it('needs a compiled model to save the optimizer of', async () => {
    await expect(saveModel(classifier(), folder)).rejects.toThrow(errorWithCode('ERR_NATGRAD_STATE'));
    await expect(saveModel(classifier(), folder)).rejects.toThrow(/call model\.compile/);
  });
});

describe('restoreModel', () => {
  it('resumes a run whose loss and schedule are functions, bit for bit', async () => {
    const config: NaturalGradientConfig = { learningRate: (step) => 0.1 / (1 + step), refreshPeriod: 4 };
    const warnings = jest.spyOn(console, 'warn').mockImplementation(() => {});
    const whole = compiled(kfac(config), crossEntropy);
    await trainSteps(whole, 14);
    const first = compiled(kfac(config), crossEntropy);
    await trainSteps(first, 7);
    await saveModel(first, folder);
    const second = compiled(kfac(config), crossEntropy);
    const { numTensors } = tf.memory();
    await restoreModel(second, folder);
    expect(tf.memory().numTensors).toBe(numTensors);
    await trainSteps(second, 7, 7);
    expect(weightsOf(second)).toEqual(weightsOf(whole));
    // Nothing is lost that the user would have to hear of: the functions are those of the new optimizer.
    expect(warnings.mock.calls.flat().join()).not.toMatch(/cannot be saved/);
    warnings.mockRestore();
  });

  it.each<[string, () => Promise<tf.Sequential>, string, RegExp]>([
    [
      'other layers',
      () => {
        const model = tf.sequential({ layers: [tf.layers.dense({ units: 2, inputShape: [4] })] });
        model.compile({ optimizer: kfac(), loss: 'meanSquaredError' });
        return Promise.resolve(model);
      },
      'ERR_NATGRAD_SHAPE',
      /shapes \[4, 6\], \[6\], \[6, 3\], \[3\], those of the model \[4, 2\], \[2\]/,
    ],
    ['no optimizer', () => Promise.resolve(classifier()), 'ERR_NATGRAD_STATE', /call model\.compile/],
    [
      'an optimizer that has trained',
      async () => {
        const model = compiled(kfac());
        await trainSteps(model, 1);
        return model;
      },
      'ERR_NATGRAD_STATE',
      /has already trained/,
    ],
  ])('refuses a model with %s, and leaves its weights alone', async (_, create, code, message) => {
    await saveModel(compiled(kfac()), folder);
    const model = await create();
    const before = weightsOf(model);
    await expect(restoreModel(model, folder)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message) as string,
    });
    expect(weightsOf(model)).toEqual(before);
  });

  it('refuses what was saved without an optimizer', async () => {
    await saveModel(compiled(kfac()), folder, { includeOptimizer: false });
    await expect(restoreModel(compiled(kfac()), folder)).rejects.toThrow(
      /save it with includeOptimizer: true/,
    );
  });
});
