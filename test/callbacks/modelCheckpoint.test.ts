import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import * as tf from '@tensorflow/tfjs';

import { fileHandler, kfac } from '../../src';
import { modelCheckpoint, type CheckpointMoment, type ModelCheckpointConfig } from '../../src/callbacks';
import { errorWithCode } from '../errorWithCode';
import { weightsOf } from '../support/classifier';
import { compiled, endEpochs, fit, useCpu } from './fitting';

let folder: string;
beforeAll(useCpu);
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'natgrad-'))));
afterEach(() => rmSync(folder, { recursive: true }));

const load = async (path = folder) => (await tf.loadLayersModel(fileHandler(path))) as tf.Sequential;
const momentOf = (model: tf.LayersModel) =>
  (model.getUserDefinedMetadata() as { checkpoint: CheckpointMoment }).checkpoint;

describe('modelCheckpoint', () => {
  it('saves after every epoch a model that resumes in fit as if it had not stopped', async () => {
    const whole = compiled(kfac({ seed: 2 }));
    const { history } = await fit(whole, [], { epochs: 5 });
    const first = compiled(kfac({ seed: 2 }));
    const { numTensors } = tf.memory();
    await fit(first, modelCheckpoint({ path: folder }), { epochs: 2 });
    expect(tf.memory().numTensors).toBe(numTensors);

    const second = await load();
    expect(weightsOf(second)).toEqual(weightsOf(first));
    const moment = momentOf(second);
    expect(moment).toEqual({ epoch: 2, step: 6, logs: { loss: history.loss[1], acc: history.acc[1] } });
    const resumed = await fit(second, modelCheckpoint({ path: folder }), {
      epochs: 5,
      initialEpoch: moment.epoch,
    });
    expect(weightsOf(second)).toEqual(weightsOf(whole));
    expect(resumed.history.loss).toEqual(history.loss.slice(2));
    expect(momentOf(await load())).toMatchObject({ epoch: 5, step: 15 });
  });

  it.each<[string, Partial<ModelCheckpointConfig>, number[]]>([
    ['every epoch', {}, [3, 6, 9, 12]],
    ['every third epoch', { everyEpochs: 3 }, [9]],
    ['every fifth step', { everySteps: 5 }, [5, 10]],
  ])('saves %s', async (_, config, steps) => {
    const moments: CheckpointMoment[] = [];
    const path = (moment: CheckpointMoment) => {
      moments.push(moment);
      return join(folder, String(moment.step));
    };
    await fit(compiled('sgd'), modelCheckpoint({ path, ...config }), { epochs: 4 });
    expect(moments.map(({ step }) => step)).toEqual(steps);
    for (const { step, epoch, logs } of moments) {
      const saved = await load(join(folder, String(step)));
      expect(saved.optimizer.iterations).toBe(step);
      // Whole epochs only: three steps make one.
      expect(epoch).toBe(Math.floor(step / 3));
      expect(momentOf(saved)).toEqual({ step, epoch, logs });
      expect(logs.loss).toBeGreaterThan(0);
    }
  });

  it.each<[string, Partial<ModelCheckpointConfig>, Record<string, number>[], number[]]>([
    [
      'loss',
      {},
      [{ val_loss: 3 }, { val_loss: 4 }, { val_loss: 2 }, { val_loss: NaN }, { val_loss: 2 }],
      [1, 3],
    ],
    ['accuracy', { monitor: 'acc' }, [{ acc: 0.1 }, { acc: 0.3 }, { acc: 0.2 }, { acc: 0.4 }], [1, 2, 4]],
    ['score', { monitor: 'r', mode: 'max' }, [{ r: 1 }, { r: 0 }, { r: 2 }], [1, 3]],
    ['loss below a baseline', { baseline: 3 }, [{ val_loss: 3 }, { val_loss: 2.5 }, { val_loss: 2.7 }], [2]],
  ])('saves the best %s only, if that is wanted', async (_, config, logs, saved) => {
    const epochs: number[] = [];
    const path = ({ epoch }: CheckpointMoment) => {
      epochs.push(epoch);
      return folder;
    };
    await endEpochs(modelCheckpoint({ path, saveBestOnly: true, ...config }), compiled('sgd'), logs);
    expect(epochs).toEqual(saved);
    expect(momentOf(await load()).epoch).toBe(saved.at(-1));
  });

  it('takes the URL of a folder', async () => {
    await fit(compiled('sgd'), modelCheckpoint({ path: pathToFileURL(folder).href }));
    expect(momentOf(await load())).toMatchObject({ epoch: 1, step: 3 });
  });

  it('leaves the optimizer out on request', async () => {
    await fit(compiled(kfac()), modelCheckpoint({ path: folder, includeOptimizer: false }));
    expect((await load()).optimizer).toBeUndefined();
  });

  it('works in fitDataset', async () => {
    const model = compiled(kfac());
    const rows = tf.data.generator(function* () {
      for (let i = 0; i < 12; i++) yield { xs: [i, 1, -i, 2], ys: [1, 0, 0] };
    });
    await model.fitDataset(rows.batch(4), {
      epochs: 2,
      verbose: 0,
      callbacks: modelCheckpoint({ path: folder }),
    });
    expect(momentOf(await load())).toMatchObject({ epoch: 2, step: 6 });
  });

  it('says so if the folder cannot be written, and training ends', async () => {
    writeFileSync(join(folder, 'file'), '');
    const training = fit(compiled('sgd'), modelCheckpoint({ path: join(folder, 'file') }));
    await expect(training).rejects.toThrow(errorWithCode('ERR_NATGRAD_ARGUMENT'));
    expect(existsSync(join(folder, 'model.json'))).toBe(false);
  });

  it.each<[unknown, RegExp]>([
    [{}, /path is undefined; give a string/],
    [{ path: '' }, /path is an empty string/],
    [{ path: 'a', everyEpochs: 0 }, /everyEpochs is 0; give a positive integer/],
    [{ path: 'a', everySteps: 1.5 }, /everySteps is 1.5/],
    [{ path: 'a', everySteps: 2, everyEpochs: 1 }, /everyEpochs has no effect with everySteps/],
    [{ path: 'a', everySteps: 2, saveBestOnly: true }, /everySteps has no effect with saveBestOnly/],
    [{ path: 'a', monitor: 'loss' }, /monitor has no effect without saveBestOnly: true/],
    [{ path: 'a', saveBestOnly: 'yes' }, /saveBestOnly is 'yes'; use true or false/],
    [{ path: 'a', saveBestOnly: true, baseline: NaN }, /baseline is NaN/],
    [{ filepath: 'a' }, /modelCheckpoint\.filepath is not an option; use monitor, mode, path/],
    [undefined, /modelCheckpoint is undefined; give an object with monitor/],
  ])('refuses %p', (config, message) => {
    expect(() => modelCheckpoint(config as never)).toThrow(message);
  });
});
