// One half of the test that training resumes bit for bit, for every preset. Arguments: `begin` or `resume`, and a folder. Both print the weights
// that each preset has after 2 x 100 steps, as JSON of hexadecimal: `begin` of a run in one piece, and it saves another one half-way and once more
// where no preset gathers statistics; `resume` of the runs that go on from what was saved, loaded with its optimizer and restored into a new one.
import { join } from 'node:path';

import * as tf from '@tensorflow/tfjs';

import { fileHandler, radam, restoreModel, saveModel } from '../../src';
import * as presets from '../../src/optimizer/presets/index';
import { classifier, trainSteps, weightsOf } from '../support/classifier';

const half = 100;
/** Between two steps of any period. */
const later = half + 3;
const created: Record<string, () => tf.Optimizer> = {
  ...presets,
  radam: () => radam({ learningRate: 0.01 }),
};

function compiled(preset: string): tf.Sequential {
  const model = classifier();
  model.compile({ optimizer: created[preset](), loss: 'categoricalCrossentropy' });
  return model;
}

const bits = (model: tf.LayersModel): string =>
  weightsOf(model)
    .map((values) => Buffer.from(values.buffer).toString('hex'))
    .join();

async function begin(preset: string, folder: string): Promise<string[]> {
  const whole = compiled(preset);
  const losses = await trainSteps(whole, 2 * half);
  if (!losses.every(Number.isFinite)) throw new Error(`${preset} diverged, so that nothing is tested`);
  const interrupted = compiled(preset);
  await trainSteps(interrupted, half);
  await saveModel(interrupted, folder);
  await trainSteps(interrupted, later - half, half);
  await saveModel(interrupted, `${folder}-later`);
  return [bits(whole)];
}

async function resume(preset: string, folder: string): Promise<string[]> {
  const loaded = (await tf.loadLayersModel(fileHandler(folder))) as tf.Sequential;
  const restored = compiled(preset);
  await restoreModel(restored, folder);
  for (const model of [loaded, restored]) await trainSteps(model, half, half);
  const between = compiled(preset);
  await restoreModel(between, `${folder}-later`);
  await trainSteps(between, 2 * half - later, later);
  return [loaded, restored, between].map(bits);
}

async function main(part: string, folder: string): Promise<void> {
  tf.enableProdMode(); // Else tfjs advertises tfjs-node.
  await tf.setBackend('cpu');
  const weights: Record<string, string[]> = {};
  for (const preset of Object.keys(created)) {
    weights[preset] = await (part === 'begin' ? begin : resume)(preset, join(folder, preset));
  }
  process.stdout.write(JSON.stringify(weights));
}

void main(process.argv[2], process.argv[3]);
