import * as tf from '@tensorflow/tfjs';

import { NatgradError } from '../errors';
import {
  blockDiagonal,
  blockTridiagonal,
  diagonalFisher,
  ekfac,
  exactNaturalGradient,
  foof,
  kfac,
  mirrorDescent,
  onlineNaturalGradient,
  quasiDiagonal,
  seng,
  shampoo,
  singd,
  sngd,
  tengrad,
  trustRegion,
  unitWise,
} from '../optimizer/presets/index';
import { radam } from '../optimizer/radam';

/** What can be set from the command line. An optimizer takes those that its defaults name. */
export interface OptimizerSettings {
  learningRate?: number;
  momentum?: number;
  damping?: number;
  /** Penalty l2 / 2 |w|^2 in the objective. */
  l2?: number;
}

interface Preset {
  /** For the multi-layer perceptron on MNIST in batches of 50 with the default schedule; `--grid` is there to check them. */
  defaults: OptimizerSettings;
  /** Learning rates that `--grid` tries; empty if the optimizer chooses its own. */
  grid: number[];
  create: (settings: Required<OptimizerSettings>, seed: number) => tf.Optimizer;
}

type Natural = (config: Required<OptimizerSettings> & { seed: number }) => tf.Optimizer;

/** A preset of natgrad, which takes a damping, a momentum and a penalty. */
function natural(create: Natural, defaults: OptimizerSettings, grid: number[]): Preset {
  return {
    defaults: { ...defaults, l2: 0 },
    grid,
    create: (settings, seed) => create({ ...settings, seed }),
  };
}

const asKfac = { learningRate: 0.03, momentum: 0.9, damping: 0.05 };
const fine = [0.01, 0.02, 0.03, 0.05];
const coarse = [0.03, 0.1, 0.3, 1];

/** The optimizers the command line knows, by name. */
export const presets: Record<string, Preset> = {
  sgd: {
    defaults: { learningRate: 0.3 },
    grid: [0.03, 0.1, 0.3, 1],
    create: ({ learningRate }) => tf.train.sgd(learningRate),
  },
  momentum: {
    defaults: { learningRate: 0.1, momentum: 0.9 },
    grid: [0.01, 0.03, 0.1, 0.3],
    create: ({ learningRate, momentum }) => tf.train.momentum(learningRate, momentum),
  },
  adam: {
    defaults: { learningRate: 0.01 },
    grid: [0.001, 0.003, 0.01, 0.03],
    create: ({ learningRate }) => tf.train.adam(learningRate),
  },
  radam: {
    defaults: { learningRate: 0.01 },
    grid: [0.001, 0.003, 0.01, 0.03],
    create: ({ learningRate }) => radam({ learningRate }),
  },
  kfac: natural(kfac, asKfac, fine),
  ekfac: natural(ekfac, asKfac, fine),
  blockTridiagonal: natural(blockTridiagonal, asKfac, fine),
  unitWise: natural(unitWise, asKfac, fine),
  quasiDiagonal: natural(quasiDiagonal, asKfac, fine),
  diagonalFisher: natural(diagonalFisher, asKfac, fine),
  exactNaturalGradient: natural(
    exactNaturalGradient,
    { learningRate: 1, momentum: 0.9, damping: 10 },
    coarse,
  ),
  blockDiagonal: natural(blockDiagonal, { learningRate: 0.3, momentum: 0.9, damping: 3 }, coarse),
  tengrad: natural(tengrad, { learningRate: 3, momentum: 0.9, damping: 30 }, [0.3, 1, 3, 10]),
  seng: natural(seng, { learningRate: 3, momentum: 0.9, damping: 30 }, [0.3, 1, 3, 10]),
  foof: natural(foof, { learningRate: 0.1, momentum: 0.9, damping: 1 }, coarse),
  shampoo: natural(shampoo, { learningRate: 0.01, momentum: 0.9, damping: 1e-3 }, coarse),
  singd: natural(singd, asKfac, fine),
  onlineNaturalGradient: {
    defaults: { learningRate: 0.1, momentum: 0.9 },
    grid: [0.01, 0.03, 0.1, 0.3],
    create: ({ learningRate, momentum }, seed) => onlineNaturalGradient({ learningRate, momentum, seed }),
  },
  sngd: {
    defaults: { learningRate: 0.05, damping: 1, l2: 5e-4 },
    grid: [0.02, 0.03, 0.05, 0.1],
    create: ({ learningRate, damping, l2 }, seed) => sngd({ learningRate, damping, l2, seed }),
  },
  mirrorDescent: natural(mirrorDescent, asKfac, fine),
  trustRegion: {
    defaults: { damping: 0.1 },
    grid: [],
    create: ({ damping }) => trustRegion({ damping }),
  },
};

/** The names in a list separated by commas; 'all' stands for every one there is. */
export function namedOptimizers(list: string): string[] {
  return list.trim() === 'all' ? Object.keys(presets) : list.split(',').map((name) => name.trim());
}

/** @throws NatgradError ERR_NATGRAD_ARGUMENT if there is no such optimizer. */
export function findPreset(name: string): Preset {
  if (Object.hasOwn(presets, name)) return presets[name];
  const known = Object.keys(presets).join(', ');
  throw new NatgradError('ERR_NATGRAD_ARGUMENT', `unknown optimizer '${name}'; known are ${known}`);
}

/** The settings that have a value and that the optimizer knows. */
export function settingsFor(name: string, given: Partial<OptimizerSettings>): OptimizerSettings {
  const { defaults } = findPreset(name);
  const known = Object.entries(given).filter(([key, value]) => key in defaults && value !== undefined);
  return { ...defaults, ...Object.fromEntries(known) };
}

/**
 * Refuses a setting that none of the optimizers would look at.
 *
 * @throws NatgradError ERR_NATGRAD_ARGUMENT
 */
export function checkSettings(names: string[], given: Partial<OptimizerSettings>): void {
  for (const [key, value] of Object.entries(given)) {
    if (value !== undefined && !names.some((name) => key in findPreset(name).defaults)) {
      throw new NatgradError('ERR_NATGRAD_ARGUMENT', `${names.join(', ')} has no ${key}; leave out --${key}`);
    }
  }
}

export function createOptimizer(name: string, settings: OptimizerSettings, seed: number): tf.Optimizer {
  return findPreset(name).create({ learningRate: 0, momentum: 0, damping: 0, l2: 0, ...settings }, seed);
}
