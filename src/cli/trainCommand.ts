import * as fs from 'node:fs';
import * as os from 'node:os';

import { accelerate } from '../accelerate/index';
import { NatgradError } from '../errors';
import { loadAddon } from '../linalg/loader';
import { selectBackend, type BackendName } from './backend';
import { loadDataset } from './dataset';
import { runExperiment, searchLearningRate, type Experiment, type Run } from './experiment';
import type { TrainFlags, TrainingFlags } from './flags';
import {
  checkSettings,
  findPreset,
  namedOptimizers,
  settingsFor,
  type OptimizerSettings,
} from './optimizers';
import { trainingCheckpoint } from './checkpoint';
import { shownProgress, silentProgress, type Progress, type Watch } from './progress';
import { curves, htmlReport } from './report';
import { formatTable, resultTable } from './table';
import { terminalChart } from './terminalChart';
import { trainingLog } from './trainingLog';
import { packageVersion } from './versions';

/** `natgrad train`: one optimizer; JSON is one object. */
export async function trainCommand(datasetName: string, flags: TrainFlags): Promise<void> {
  const { optimizer, resume = false } = flags;
  if (resume && flags.checkpoint === undefined) {
    throw new NatgradError(
      'ERR_NATGRAD_ARGUMENT',
      '--resume needs to know from where; add --checkpoint <folder>',
    );
  }
  const log = flags.log === undefined ? null : trainingLog(flags.log, resume);
  const session = await prepare(datasetName, flags, [optimizer]);
  const checkpoint =
    flags.checkpoint === undefined
      ? undefined
      : trainingCheckpoint(flags.checkpoint, resume, identity(session, optimizer));
  const run = await watched(flags, optimizer, (progress) =>
    runExperiment(session.experiment, optimizer, session.settings, {
      ...both(progress, log),
      checkpoint,
    }),
  );
  present(session, flags, [run]);
  if (flags.json === true) printJson(runAsJson(run, session));
}

/** What must be the same for a training to go on; it may be made longer. */
function identity({ experiment, settings }: Session, optimizer: string) {
  const { dataset, model, batchSize, seed, schedule } = experiment;
  return {
    data: dataset.name,
    examples: dataset.train.count,
    model,
    optimizer,
    ...settingsFor(optimizer, settings),
    'batch size': batchSize,
    seed,
    schedule,
  };
}

function both(progress: Watch, log: Watch | null): Watch {
  if (log === null) return progress;
  return {
    onStep(step) {
      progress.onStep(step);
      log.onStep(step);
    },
    onEpoch(epoch) {
      progress.onEpoch(epoch);
      log.onEpoch(epoch);
    },
  };
}

/** `natgrad compare`: several optimizers, one after the other; JSON is an array in their order. */
export async function compareCommand(
  datasetName: string,
  flags: TrainingFlags & { optimizers: string; grid?: true },
): Promise<void> {
  const names = namedOptimizers(flags.optimizers);
  if (flags.grid === true && flags.learningRate !== undefined) {
    throw new NatgradError(
      'ERR_NATGRAD_ARGUMENT',
      '--grid chooses the learning rate itself; leave out --learning-rate',
    );
  }
  const session = await prepare(datasetName, flags, names);
  const runs: Run[] = [];
  for (const name of names) {
    const run = await watched(flags, name.padEnd(8), async (progress) => {
      if (flags.grid !== true) return runExperiment(session.experiment, name, session.settings, progress);
      const { best, runs: tried } = await searchLearningRate(
        session.experiment,
        name,
        session.settings,
        progress,
      );
      if (isChatty(flags)) print(formatTable(resultTable(tried, flags.target)) + '\n');
      return best;
    });
    runs.push(run);
  }
  present(session, flags, runs);
  if (flags.json === true) printJson(runs.map((run) => runAsJson(run, session)));
}

/** What is settled before the first step. */
interface Session {
  experiment: Experiment;
  settings: Partial<OptimizerSettings>;
  backend: BackendName;
  accelerated: boolean;
}

async function prepare(datasetName: string, flags: TrainingFlags, optimizers: string[]): Promise<Session> {
  const { model, epochs, batchSize, seed, schedule, learningRate, momentum, damping, l2 } = flags;
  const settings = { learningRate, momentum, damping, l2 };
  optimizers.forEach(findPreset);
  checkSettings(optimizers, settings);
  const dataset = loadDataset(datasetName, flags.trainExamples);
  const backend = await selectBackend(flags.tfBackend);
  const accelerated = backend !== 'tensorflow' && flags.accelerate && tryToAccelerate(backend);
  if (model === 'conv' && backend === 'wasm' && !accelerated) {
    throw new NatgradError(
      'ERR_NATGRAD_BACKEND',
      "tfjs's own wasm backend cannot train convolutions; accelerate it (`natgrad inspect` tells about the addon) or choose --tf-backend cpu",
    );
  }
  const experiment = { dataset, model, epochs, batchSize, seed, schedule };
  return { experiment, settings, backend, accelerated };
}

/** Without the addon training is slower but not wrong, so its absence is told and no error. */
function tryToAccelerate(backend: 'cpu' | 'wasm'): boolean {
  try {
    accelerate({ backends: [backend] });
    return true;
  } catch (error) {
    if (!(error instanceof NatgradError && error.code === 'ERR_NATGRAD_ADDON')) throw error;
    process.stderr.write(
      `natgrad: training without the native kernels; \`natgrad inspect\` says why there is no addon\n`,
    );
    return false;
  }
}

async function watched<T>(
  flags: TrainingFlags,
  label: string,
  work: (progress: Progress) => Promise<T>,
): Promise<T> {
  const progress = flags.quiet === true ? silentProgress : shownProgress(label);
  try {
    return await work(progress);
  } finally {
    progress.stop();
  }
}

function present(session: Session, flags: TrainingFlags, runs: Run[]): void {
  if (isChatty(flags)) {
    if (process.stdout.isTTY) printCurves(runs);
    print(formatTable(resultTable(runs, flags.target)));
  }
  if (flags.report === undefined) return;
  const { dataset } = session.experiment;
  const title = `${runs.map((run) => run.optimizer).join(', ')} on ${dataset.name}`;
  fs.writeFileSync(flags.report, htmlReport(runs, { title, facts: facts(session), target: flags.target }));
  if (isChatty(flags)) print(`report: ${flags.report}`);
}

function printCurves(runs: Run[]): void {
  const size = { columns: process.stdout.columns, colours: process.stdout.hasColors() };
  const { lossBySteps, accuracyByEpochs } = curves(runs);
  const loss = { title: 'training loss', xLabel: 'steps', series: lossBySteps, logY: true };
  const accuracy = { title: 'test accuracy, %', xLabel: 'epochs', series: accuracyByEpochs };
  for (const chart of [loss, accuracy]) {
    // One epoch is a point and no curve.
    const text = chart.series.some(({ x }) => x.length > 1) ? terminalChart(chart, size) : '';
    if (text !== '') print(`${text}\n`);
  }
}

function isChatty(flags: TrainingFlags): boolean {
  return flags.quiet !== true && flags.json !== true;
}

function facts({ experiment, backend, accelerated }: Session): [string, string][] {
  const { dataset, model, epochs, batchSize, seed, schedule } = experiment;
  const loaded = loadAddon();
  const versions = ['natgrad', '@tensorflow/tfjs'].map(
    (name) => `${name} ${packageVersion(name) ?? 'unknown'}`,
  );
  const processor = os.cpus()[0]?.model ?? 'unknown processor';
  return [
    ['Command', ['natgrad', ...process.argv.slice(2)].join(' ')],
    ['Data', `${dataset.name}: ${dataset.train.count} training, ${dataset.test.count} test examples`],
    ['Model', `${model}, seed ${seed}: the same initial weights and order of examples for all`],
    ['Training', `${epochs} epochs in batches of ${batchSize}, ${schedule} learning rate`],
    ['Backend', `${backend}${accelerated ? ' with native kernels' : ''}`],
    ['Linear algebra', loaded.addon === undefined ? 'reference (no addon)' : loaded.addon.info().blas],
    ['Versions', [...versions, `Node ${process.versions.node}`].join(', ')],
    ['Machine', `${processor}, ${os.availableParallelism()} processors`],
    ['Date', new Date().toISOString().slice(0, 10)],
  ];
}

function runAsJson(run: Run, { backend, accelerated, experiment }: Session) {
  return {
    optimizer: run.optimizer,
    settings: run.settings,
    model: experiment.model,
    tfBackend: backend,
    accelerated,
    msPerStep: run.msPerStep,
    diverged: run.diverged,
    epochs: run.epochs,
  };
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function printJson(value: unknown): void {
  print(JSON.stringify(value));
}
