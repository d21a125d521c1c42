import type { Dataset } from './dataset';
import { createModel, type ModelName } from './models';
import { createOptimizer, findPreset, settingsFor, type OptimizerSettings } from './optimizers';
import { learningRateSchedules, type ScheduleName } from './schedules';
import { train, warmUp, type TrainingOptions, type TrainingResult } from './train';

/** What all optimizers of a comparison share: data, initial weights, order of the examples, schedule. */
export interface Experiment {
  dataset: Dataset;
  model: ModelName;
  epochs: number;
  batchSize: number;
  /** Decides the initial weights, the order of the examples and what the optimizer draws. */
  seed: number;
  schedule: ScheduleName;
}

export interface Run extends TrainingResult {
  optimizer: string;
  settings: OptimizerSettings;
}

/** Steps before the clock runs, on a model of their own. */
const warmUpSteps = 10;

/**
 * Trains a new model with one optimizer.
 *
 * @param settings Those that are not given, or not known to the optimizer, are its defaults.
 */
export async function runExperiment(
  experiment: Experiment,
  optimizer: string,
  given: Partial<OptimizerSettings> = {},
  watch: Pick<TrainingOptions, 'onStep' | 'onEpoch' | 'checkpoint'> = {},
): Promise<Run> {
  const { dataset, epochs, batchSize, seed } = experiment;
  const settings = settingsFor(optimizer, given);
  const steps = epochs * Math.ceil(dataset.train.count / batchSize);
  const learningRate =
    settings.learningRate === undefined
      ? undefined
      : learningRateSchedules[experiment.schedule](settings.learningRate, steps);

  await withTrainer(experiment, optimizer, settings, (trainer) =>
    warmUp({ dataset, batchSize, ...trainer }, warmUpSteps),
  );
  const result = await withTrainer(experiment, optimizer, settings, (trainer) =>
    train({ dataset, epochs, batchSize, seed, learningRate, ...trainer, ...watch }),
  );
  return { optimizer, settings, ...result };
}

/** The learning rate of the optimizer's grid with the lowest training loss in the last epoch, and all that were tried. */
export async function searchLearningRate(
  experiment: Experiment,
  optimizer: string,
  given: Partial<OptimizerSettings> = {},
  watch: Pick<TrainingOptions, 'onStep' | 'onEpoch'> = {},
): Promise<{ best: Run; runs: Run[] }> {
  const runs: Run[] = [];
  const { grid } = findPreset(optimizer);
  for (const learningRate of grid.length > 0 ? grid : [undefined]) {
    runs.push(await runExperiment(experiment, optimizer, { ...given, learningRate }, watch));
  }
  const finalLoss = (run: Run) => (run.diverged ? Infinity : run.epochs[run.epochs.length - 1].trainLoss);
  const best = runs.reduce((a, b) => (finalLoss(b) < finalLoss(a) ? b : a));
  return { best, runs };
}

async function withTrainer<T>(
  { dataset, model: modelName, seed }: Experiment,
  optimizerName: string,
  settings: OptimizerSettings,
  use: (trainer: Pick<TrainingOptions, 'model' | 'optimizer'>) => Promise<T>,
): Promise<T> {
  const model = createModel(modelName, dataset, seed);
  const optimizer = createOptimizer(optimizerName, settings, seed);
  try {
    return await use({ model, optimizer });
  } finally {
    optimizer.dispose();
    model.dispose();
  }
}
