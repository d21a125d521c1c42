import * as tf from '@tensorflow/tfjs';

import { NatgradError, requireKeys, shown } from '../errors';
import { fileHandler } from './fileHandler';

type NamedTensors = Awaited<ReturnType<tf.Optimizer['getWeights']>>;

/** Options of {@link saveModel}. */
export interface SaveModelConfig {
  /** Whether the state of the optimizer is saved too, so that training can go on. Default true. */
  includeOptimizer?: boolean;
  /** Added to the model's user-defined metadata in what is saved: values of JSON, 1 MB at most in all. Default none. */
  metadata?: tf.io.ModelArtifacts['userDefinedMetadata'];
}

/**
 * Saves a model as `model.save` does, with two differences that matter when it is called again and again: tensors that the optimizer makes
 * to be saved are released, and the state of the optimizer is saved also where the loss is a function, which tfjs refuses. Such a model is
 * resumed by {@link restoreModel}; others as well by `tf.loadLayersModel`.
 *
 * @param target a folder, see {@link fileHandler}, or a handler of tfjs
 * @throws NatgradError ERR_NATGRAD_STATE if the optimizer is to be saved and the model is not compiled; what the handler throws
 */
export async function saveModel(
  model: tf.LayersModel,
  target: string | tf.io.IOHandler,
  config: SaveModelConfig = {},
): Promise<tf.io.SaveResult> {
  requireModel(model);
  requireKeys(config, ['includeOptimizer', 'metadata'], 'saveModel');
  const { includeOptimizer = true, metadata = {} } = config;
  const handler = typeof target === 'string' ? fileHandler(target) : target;
  if (handler?.save === undefined) {
    throw new NatgradError(
      'ERR_NATGRAD_ARGUMENT',
      'target cannot save; give a folder or an IOHandler with save.',
    );
  }
  const artifacts = await artifactsOf(model);
  const described = { ...artifacts.userDefinedMetadata, ...metadata };
  if (Object.keys(described).length > 0) artifacts.userDefinedMetadata = described;
  if (includeOptimizer) await addOptimizer(artifacts, model);
  return handler.save(artifacts);
}

/**
 * Takes the weights and the state of the optimizer from a saved model into one that is built and compiled already, for what no file can
 * hold: losses, schedules and other options that are functions. Layers are told apart by their order, not by their names. The options
 * are those of the model's optimizer, also the learning rate.
 *
 * @param model with the same layers and an optimizer of the same kind, which has not trained yet
 * @param source a folder, see {@link fileHandler}, or a handler of tfjs
 * @throws NatgradError ERR_NATGRAD_STATE if the model is not compiled or the optimizer has trained; ERR_NATGRAD_SHAPE if the saved weights do
 *   not fit; ERR_NATGRAD_ARGUMENT if there is no saved model, or no optimizer in it
 */
export async function restoreModel(model: tf.LayersModel, source: string | tf.io.IOHandler): Promise<void> {
  requireModel(model);
  requireCompiled(model);
  const handler = typeof source === 'string' ? fileHandler(source) : source;
  if (handler?.load === undefined) {
    throw new NatgradError(
      'ERR_NATGRAD_ARGUMENT',
      'source cannot load; give a folder or an IOHandler with load.',
    );
  }
  const { weightData = [], weightSpecs = [] } = await handler.load();
  const decoded = tf.io.decodeWeights(tf.io.CompositeArrayBuffer.join(weightData), weightSpecs);
  const named = weightSpecs.map(({ name, group }) => ({ name, group, tensor: decoded[name] }));
  try {
    const state = named.filter(({ group }) => group === 'optimizer');
    if (state.length === 0) {
      throw new NatgradError(
        'ERR_NATGRAD_ARGUMENT',
        'the saved model has no optimizer; save it with includeOptimizer: true.',
      );
    }
    requireSameShapes(
      model,
      named.filter(({ group }) => group !== 'optimizer'),
    );
    await model.optimizer.setWeights(state.map(({ name, tensor }) => ({ name, tensor })));
    model.setWeights(named.filter(({ group }) => group !== 'optimizer').map(({ tensor }) => tensor));
  } finally {
    tf.dispose(decoded);
  }
}

function requireSameShapes(model: tf.LayersModel, saved: NamedTensors): void {
  const text = (shapes: (number | null)[][]) => shapes.map((shape) => `[${shape.join(', ')}]`).join(', ');
  const own = text(model.weights.map(({ shape }) => shape));
  const found = text(saved.map(({ tensor }) => tensor.shape));
  if (own === found) return;
  throw new NatgradError(
    'ERR_NATGRAD_SHAPE',
    `the saved weights have the shapes ${found}, those of the model ${own}; build the model with the same layers.`,
  );
}

async function artifactsOf(model: tf.LayersModel): Promise<tf.io.ModelArtifacts> {
  let artifacts: tf.io.ModelArtifacts | undefined;
  await model.save(
    tf.io.withSaveHandler((given) => {
      artifacts = given;
      return Promise.resolve({ modelArtifactsInfo: tf.io.getModelArtifactsInfoForJSON(given) });
    }),
  );
  return artifacts!;
}

async function addOptimizer(artifacts: tf.io.ModelArtifacts, model: tf.LayersModel): Promise<void> {
  requireCompiled(model);
  if (hasNamedLosses(model)) artifacts.trainingConfig = trainingConfigOf(model);
  const marker = tf.scalar(0);
  marker.dispose();
  const state = await model.optimizer.getWeights();
  try {
    const { data, specs } = await tf.io.encodeWeights(state, 'optimizer');
    artifacts.weightSpecs = [...(artifacts.weightSpecs ?? []), ...specs];
    artifacts.weightData = [...[artifacts.weightData ?? []].flat(), data];
  } finally {
    // Tensors are numbered as they are made: older ones are the optimizer's own and stay.
    tf.dispose(state.flatMap(({ tensor }) => (tensor.id > marker.id ? [tensor] : [])));
  }
}

/** tfjs saves losses by name. */
function hasNamedLosses({ loss }: tf.LayersModel): boolean {
  const losses: unknown[] = typeof loss === 'object' ? Object.values(loss) : [loss];
  return losses.every((each) => typeof each === 'string');
}

/** A method that TypeScript calls protected; `model.save` takes it from there. */
function trainingConfigOf(model: tf.LayersModel): tf.io.TrainingConfig {
  return (model as unknown as { getTrainingConfig(): tf.io.TrainingConfig }).getTrainingConfig();
}

function requireModel(model: unknown): void {
  if (model instanceof tf.LayersModel) return;
  throw new NatgradError('ERR_NATGRAD_TYPE', `model is ${shown(model)}; give a tf.LayersModel.`);
}

function requireCompiled(model: tf.LayersModel): void {
  if (model.optimizer == null) {
    throw new NatgradError(
      'ERR_NATGRAD_STATE',
      'The model has no optimizer; call model.compile({optimizer, loss}) first.',
    );
  }
}
