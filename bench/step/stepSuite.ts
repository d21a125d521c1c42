import * as tf from '@tensorflow/tfjs';

import { kfac } from '../../src';
import { forgetHosts } from '../../src/host/currentHost';
import type { NaturalGradientOptimizer } from '../../src/optimizer/NaturalGradientOptimizer';
import type { ModelName } from '../../src/cli/models';
import { timeRatio, time, type Row, type Section, type Target } from '../figures';
import { interleave, spread, type Effort, type Measurement } from '../interleave';
import { blockSteps, Data, Trainee } from './training';

const optimizers = {
  sgd: () => tf.train.sgd(0.1),
  momentum: () => tf.train.momentum(0.03, 0.9),
  adam: () => tf.train.adam(0.001),
  'kfac empirical': () => kfac({ fisher: 'empirical' }),
  'kfac sampled': () => kfac(),
};

/** On tfjs-node also without the op that lends the addon the memory of tensors. */
const copying = {
  'empirical, copied': optimizers['kfac empirical'],
  'sampled, copied': optimizers['kfac sampled'],
};

type OptimizerName = keyof typeof optimizers | keyof typeof copying;

/** In units of the step of SGD, and of Adam. */
const targets: Partial<Record<string, Partial<Record<OptimizerName, { sgd: Target; adam?: Target }>>>> = {
  'wasm mlp': {
    'kfac empirical': { sgd: { atMost: 1.15 }, adam: { atMost: 1.15 } },
    'kfac sampled': { sgd: { atMost: 1.4 }, adam: { atMost: 1.15 } },
  },
  'tensorflow mlp': { 'kfac sampled': { sgd: { atMost: 1.15 } } },
};

/**
 * Lets compilers, caches and the refreshes that come more often at first settle. V8 goes on compiling for some hundred steps, which a training
 * of thousands does not notice.
 */
async function warmUp(trainee: Trainee): Promise<void> {
  const [leastSteps, mostSteps, seconds] = [2 * blockSteps, 20 * blockSteps, 3];
  const begin = performance.now();
  for (let steps = 0; steps < mostSteps; steps += blockSteps) {
    if (steps >= leastSteps && performance.now() - begin > 1000 * seconds) return;
    await trainee.train(blockSteps);
  }
}

/** One training step with each optimizer, on the tfjs backend that is current. */
export async function stepSuite(variant: string, model: ModelName, effort: Effort): Promise<Section> {
  const data = new Data(40);
  const factories = variant === 'tensorflow' ? { ...optimizers, ...copying } : optimizers;
  const trainees = Object.entries(factories).map(
    ([name, factory]) => new Trainee(name, factory(), model, data),
  );
  const names = trainees.map(({ name }) => name as OptimizerName);
  try {
    for (const trainee of trainees) await asNamed(trainee, () => warmUp(trainee));
    // Wall times of the two parts of a step, by round; a burst's last step stands for it.
    const parts = new Map<string, { gradients: number[]; update: number[] }>();
    const competitors = trainees.map((trainee) => {
      const competitor = trainee.competitor();
      return {
        ...competitor,
        async burst(seconds: number) {
          const result = await asNamed(trainee, () => competitor.burst(seconds));
          notePartsOf(trainee, parts);
          return result;
        },
      };
    });
    const measured = await interleave(competitors, effort);
    const byName = Object.fromEntries(measured.map((each) => [each.name, each])) as Record<
      OptimizerName,
      Measurement
    >;
    const rows = names.map((name): Row => {
      const target = targets[`${variant} ${model}`]?.[name];
      const figures: Row['figures'] = {
        step: time(byName[name]),
        'of sgd': timeRatio(byName[name], byName.sgd, target?.sgd),
        'of adam': timeRatio(byName[name], byName.adam, target?.adam),
      };
      const times = parts.get(name);
      if (times) {
        figures.gradients = { ...spread(times.gradients), unit: 's' };
        figures.update = { ...spread(times.update), unit: 's' };
      }
      return { case: name, figures };
    });
    return { title: `step, ${variant}, ${model}, batch 50`, rows };
  } finally {
    trainees.forEach((trainee) => trainee.dispose());
    data.dispose();
  }
}

/** Lets a trainee train with tensors copied if its name says so. */
async function asNamed<T>({ name }: Trainee, train: () => T | Promise<T>): Promise<T> {
  if (!(name in copying)) return train();
  process.env.NATGRAD_TENSORFLOW_OP = '0';
  forgetHosts();
  try {
    return await train();
  } finally {
    delete process.env.NATGRAD_TENSORFLOW_OP;
    forgetHosts();
  }
}

function notePartsOf(trainee: Trainee, parts: Map<string, { gradients: number[]; update: number[] }>): void {
  if (!('stats' in trainee.optimizer)) return;
  const { milliseconds } = (trainee.optimizer as NaturalGradientOptimizer).stats();
  const noted = parts.get(trainee.name) ?? { gradients: [], update: [] };
  noted.gradients.push(milliseconds.gradients / 1000);
  noted.update.push(milliseconds.update / 1000);
  parts.set(trainee.name, noted);
}
