import * as fs from 'node:fs';
import * as path from 'node:path';

import type * as tf from '@tensorflow/tfjs';

import { NatgradError } from '../errors';
import { fileHandler, restoreModel, saveModel } from '../saving/index';
import type { EpochResult, TrainingCheckpoint, TrainingSoFar } from './train';

/** What a training is, by the names of its options: what is resumed must be the same. */
export type TrainingIdentity = Record<string, string | number | undefined>;

/** How the metadata of a saved model tell of the training; arrays as base64 of float32. */
interface SavedTraining {
  identity: TrainingIdentity;
  epochs: EpochResult[];
  stepLosses: string;
  stepSeconds: string;
}

/**
 * Saves a training to a folder after every epoch, as a model that `tf.loadLayersModel` loads too.
 *
 * @param resume go on with what is in the folder; without, it must not hold a model yet
 * @throws NatgradError ERR_NATGRAD_ARGUMENT if the folder holds a model and is not to be resumed from. `restore` throws it if the model is
 *   of another training.
 */
export function trainingCheckpoint(
  folder: string,
  resume: boolean,
  identity: TrainingIdentity,
): TrainingCheckpoint {
  const exists = fs.existsSync(path.join(folder, 'model.json'));
  if (exists && !resume) {
    throw new NatgradError(
      'ERR_NATGRAD_ARGUMENT',
      `${folder} holds a checkpoint already; go on with it by --resume, or choose another folder`,
    );
  }
  return {
    async restore(model) {
      if (!exists) return null;
      const { userDefinedMetadata } = await fileHandler(folder).load();
      const training = (userDefinedMetadata as { training?: SavedTraining } | undefined)?.training;
      requireSame(folder, identity, training);
      await restoreModel(model, folder);
      return {
        epochs: training.epochs,
        stepLosses: decode(training.stepLosses),
        stepSeconds: decode(training.stepSeconds),
      };
    },
    async save(model: tf.LayersModel, { epochs, stepLosses, stepSeconds }: TrainingSoFar) {
      const training: SavedTraining = {
        identity,
        epochs,
        stepLosses: encode(stepLosses),
        stepSeconds: encode(stepSeconds),
      };
      await saveModel(model, folder, { metadata: { training } });
    },
  };
}

function requireSame(
  folder: string,
  identity: TrainingIdentity,
  training: SavedTraining | undefined,
): asserts training is SavedTraining {
  if (training === undefined) {
    throw new NatgradError(
      'ERR_NATGRAD_ARGUMENT',
      `${folder} holds a model that natgrad train did not save; choose another folder`,
    );
  }
  const other = Object.keys(identity).find((key) => identity[key] !== training.identity[key]);
  if (other === undefined) return;
  const [saved, asked] = [training.identity[other], identity[other]].map((value) => value ?? 'the default');
  throw new NatgradError(
    'ERR_NATGRAD_ARGUMENT',
    `the checkpoint in ${folder} was trained with ${other} ${saved}, not ${asked}; resume with the same options, or choose another folder`,
  );
}

function encode(values: ArrayLike<number>): string {
  return Buffer.from(Float32Array.from(values).buffer).toString('base64');
}

function decode(text: string): Float32Array {
  return new Float32Array(Uint8Array.from(Buffer.from(text, 'base64')).buffer);
}
