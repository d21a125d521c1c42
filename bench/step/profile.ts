import * as tf from '@tensorflow/tfjs';

import { kfac } from '../../src';
import { kernels, type Job, type Kernels } from '../../src/linalg';
import type { ModelName } from '../../src/cli/models';
import type { Figure, Row, Section } from '../figures';
import { blockSteps, Data, Trainee } from './training';

/**
 * Where the time of a K-FAC step goes, beside SGD: the kernels of tfjs by name (those that take 2 % and more), and what the training thread
 * spends in the addon, by the kinds of jobs of a call. Watching costs time itself, so the sum is more than a step that is not watched.
 */
export async function profileSuite(variant: string, model: ModelName, blocks: number): Promise<Section> {
  const data = new Data(40);
  const trainees = [
    new Trainee('sgd', tf.train.sgd(0.1), model, data),
    new Trainee('kfac empirical', kfac({ fisher: 'empirical' }), model, data),
    new Trainee('kfac sampled', kfac(), model, data),
  ];
  const rows = new Map<string, Row>();
  const note: Note = (part, column, milliseconds) => {
    const row = rows.get(part) ?? { case: part, figures: {} };
    const seconds = milliseconds / 1000 / (blocks * blockSteps);
    const sum = (row.figures[column]?.median ?? 0) + seconds;
    row.figures[column] = { median: sum, low: sum, high: sum, unit: 's' } satisfies Figure;
    rows.set(part, row);
  };
  try {
    for (const trainee of trainees) await trainee.train(2 * blockSteps);
    for (let block = 0; block < blocks; block++) {
      for (const trainee of trainees) {
        const begin = performance.now();
        await trainee.train(blockSteps);
        note('step, not watched', trainee.name, performance.now() - begin);
      }
      for (const trainee of trainees) {
        const stop = watchAddon((part, milliseconds) => note(part, trainee.name, milliseconds));
        await trainee.train(blockSteps).finally(stop);
      }
      for (const trainee of trainees) await noteKernels(trainee, note);
    }
  } finally {
    trainees.forEach((trainee) => trainee.dispose());
    data.dispose();
  }
  return { title: `profile, ${variant}, ${model}, per step`, rows: sorted([...rows.values()]) };
}

type Note = (part: string, column: string, milliseconds: number) => void;

/** Trains a block of steps and notes what each kernel of tfjs took. */
async function noteKernels(trainee: Trainee, note: Note): Promise<void> {
  const profile = await tf.profile(async () => {
    await trainee.train(blockSteps);
    return [];
  });
  for (const { name, kernelTimeMs } of profile.kernels) {
    const milliseconds = await kernelTimeMs;
    if (typeof milliseconds !== 'number') continue;
    note('tfjs kernels', trainee.name, milliseconds);
    note(`  ${name}`, trainee.name, milliseconds);
  }
}

/** Times the calls of the training thread into the addon until the function it returns is called. */
function watchAddon(note: (part: string, milliseconds: number) => void): () => void {
  const addon = kernels('cpu');
  const run = addon.run.bind(addon);
  const submit = addon.submit.bind(addon);
  const timed = <T>(part: string, call: () => T): T => {
    const begin = performance.now();
    try {
      return call();
    } finally {
      note('addon, training thread', performance.now() - begin);
      note(`  ${part}`, performance.now() - begin);
    }
  };
  const kinds = (phases: Job[][]) => [...new Set(phases.flat().map(({ op }) => op))].join(', ');
  const watched: Pick<Kernels, 'run' | 'submit'> = {
    run: (phases) => timed(`run ${kinds(phases)}`, () => run(phases)),
    submit(phases) {
      const pending = timed(`submit ${kinds(phases)}`, () => submit(phases));
      const wait = pending.wait.bind(pending);
      return {
        get finished() {
          return pending.finished;
        },
        wait: () => timed(`wait for ${kinds(phases)}`, wait),
        promise: () => pending.promise(),
      };
    },
  };
  Object.assign(addon, watched);
  return () => Object.assign(addon, { run, submit });
}

/** Groups in the order they came, the parts of each by time, without the small ones. */
function sorted(rows: Row[]): Row[] {
  const longest = ({ figures }: Row) => Math.max(...Object.values(figures).map(({ median }) => median));
  const whole = Math.max(...rows.map(longest));
  const isPart = (row: Row) => row.case.startsWith('  ');
  const isTfjs = (row: Row) => /^ {2}[A-Z]/.test(row.case);
  const parts = rows.filter((row) => isPart(row) && longest(row) >= 0.02 * whole);
  parts.sort((a, b) => longest(b) - longest(a));
  return rows
    .filter((row) => !isPart(row))
    .flatMap((group) => {
      if (group.case === 'tfjs kernels') return [group, ...parts.filter(isTfjs)];
      if (group.case.startsWith('addon')) return [group, ...parts.filter((row) => !isTfjs(row))];
      return [group];
    });
}
