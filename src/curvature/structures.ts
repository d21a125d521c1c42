/** The structures by name, with their own options. */
import { NatgradError, shown } from '../errors';
import { blockTridiagonal } from './tridiagonal/chain';
import { DiagonalBlock } from './diagonal/diagonal';
import { blockDiagonal, full, seng, tengrad } from './exact/exactStructures';
import { IdentityBlock } from './identity';
import { LocalFisherBlock, type LocalFisherOptions } from './localFisher/localFisher';
import { OnlineAxesBlock } from './online/onlineAxes';
import type { OnlineNaturalGradientOptions } from './online/onlineOptions';
import { OnlineNaturalGradientBlock } from './online/onlineNaturalGradient';
import { RecurrentBlock } from './recurrent/recurrent';
import { shampoo } from './shampoo/shampooStructure';
import { singd } from './singd/singdStructure';
import { EigenbasisBlock } from './kronecker/eigenbasis';
import { EigenvalueCorrectedBlock, type EigenvalueCorrectedOptions } from './kronecker/eigenvalueCorrected';
import { ExactDiagonalBlock, type DiagonalFisherOptions } from './diagonal/exactDiagonal';
import {
  factoredOptions,
  perRowOptions,
  whyNotFactored,
  whyNotKroneckerFactored,
  whyNotPerRow,
} from './kronecker/factoredLayer';
import { InputFactoredBlock } from './kronecker/inputFactored';
import { KroneckerFactoredBlock, type KroneckerDampingOptions } from './kronecker/kroneckerFactored';
import { count, numberFrom, nystrom, oneOf, positive } from './optionChecks';
import { QuasiDiagonalBlock } from './unitWise/quasiDiagonal';
import { unitWiseBlock, type UnitWiseOptions } from './unitWise/unitWiseLayer';
import { shapeOf, type Structure } from './structure';
import { requireTransition, type Transition } from './recurrent/transition';
import { requireWeightSharing, type WeightSharing } from './shared/weightSharing';

interface KroneckerFactoredOwn extends KroneckerDampingOptions {
  /** For layers with several rows per example (positions, time steps): see {@link WeightSharing}. Default 'expand'. */
  weightSharing?: WeightSharing;
}

const kroneckerFactored: Structure<KroneckerFactoredOwn> = {
  options: { dampingSplit: oneOf('pi', 'equal', 'exact'), weightSharing: requireWeightSharing },
  obstacle: whyNotKroneckerFactored,
  block(layer, common, { dampingSplit, weightSharing }) {
    const options = { ...factoredOptions(layer, common), weightSharing };
    if (dampingSplit === 'exact') return new EigenbasisBlock(options);
    return new KroneckerFactoredBlock({ ...options, dampingSplit });
  },
};

const eigenvalueCorrected: Structure<EigenvalueCorrectedOptions> = {
  options: { correction: oneOf('batch', 'running'), basisPeriod: count },
  obstacle: whyNotFactored,
  block(layer, common, own) {
    const options = factoredOptions(layer, common);
    if (layer.kind !== 'embedding') return new EigenvalueCorrectedBlock({ ...options, ...own });
    return new EigenbasisBlock({ ...options, reason: 'the scores of indexed rows have no dense form' });
  },
};

const unitWise: Structure<UnitWiseOptions> = {
  options: { form: oneOf('auto', 'primal', 'dual'), window: count },
  obstacle: whyNotPerRow,
  block: unitWiseBlock,
};

const quasiDiagonal: Structure = {
  options: {},
  obstacle: whyNotPerRow,
  block(layer, common) {
    const options = perRowOptions(layer, common);
    return options.bias ? new QuasiDiagonalBlock(options) : new ExactDiagonalBlock(options);
  },
};

const diagonalFisher: Structure<DiagonalFisherOptions> = {
  options: { power: oneOf(1, 0.5) },
  obstacle: whyNotPerRow,
  block: (layer, common, own) => new ExactDiagonalBlock({ ...perRowOptions(layer, common), ...own }),
};

const foof: Structure = {
  options: {},
  obstacle: whyNotFactored,
  block: (layer, common) => new InputFactoredBlock(factoredOptions(layer, common)),
};

const identity: Structure = {
  options: {},
  obstacle: () => '',
  block: (layer) => new IdentityBlock(shapeOf(layer)),
};

const localFisher: Structure<LocalFisherOptions> = {
  options: {
    root: oneOf('auto', 'denmanBeavers', 'newtonSchulz'),
    form: oneOf('update', 'reparametrised'),
    nystrom,
  },
  obstacle: whyNotFactored,
  block: (layer, common, own) =>
    new LocalFisherBlock({ ...factoredOptions(layer, common), seed: common.seed ?? 0, ...own }),
};

const diagonal: Structure = {
  options: {},
  obstacle: () => '',
  block: (layer, { precision }) => new DiagonalBlock({ shape: shapeOf(layer), precision }),
};

interface RecurrentOwn {
  /**
   * How the scores of different time steps of a recurrent kernel hang together: not at all ('independent', as 'kroneckerFactored' has it), by
   * a symmetric or by an arbitrary linear transition. Default 'symmetric'.
   */
  transition?: Transition;
}

/** Layers that are used once are Kronecker factored. */
const recurrent: Structure<RecurrentOwn> = {
  options: { transition: requireTransition },
  obstacle: whyNotKroneckerFactored,
  block(layer, common, { transition = 'symmetric' }) {
    const options = factoredOptions(layer, common);
    const inTime = layer.kind === 'dense' && layer.uses.length > 1 && !options.transposed;
    if (transition === 'independent' || !inTime || options.diagonalInput) {
      return new KroneckerFactoredBlock(options);
    }
    return new RecurrentBlock({ ...options, coupling: transition });
  },
};

const onlineNaturalGradient: Structure<OnlineNaturalGradientOptions> = {
  options: {
    form: oneOf('rows', 'axes'),
    rank: count,
    updatePeriod: count,
    numSamplesHistory: positive,
    alpha: numberFrom(0),
    epsilon: positive,
    delta: numberFrom(0, 1),
  },
  obstacle: () => '',
  block(layer, common, { form = 'rows', ...own }) {
    const shape = shapeOf(layer);
    const { precision } = common;
    const byRows =
      form === 'rows' &&
      (layer.kind === 'dense' || layer.kind === 'conv2d') &&
      !layer.uses[0].transposed &&
      whyNotFactored(layer, common) === '';
    if (!byRows) return new OnlineAxesBlock({ shape, precision, ...own });
    const { inputSize, outputSize } = layer;
    const bias = layer.variables.length > 1;
    return new OnlineNaturalGradientBlock({ shape, inputSize, outputSize, bias, precision, ...own });
  },
};

export const structures = {
  blockDiagonal,
  blockTridiagonal,
  diagonal,
  diagonalFisher,
  eigenvalueCorrected,
  foof,
  full,
  identity,
  kroneckerFactored,
  localFisher,
  onlineNaturalGradient,
  quasiDiagonal,
  recurrent,
  seng,
  shampoo,
  singd,
  tengrad,
  unitWise,
};

type Structures = typeof structures;

/** The name of a structure, e.g. 'kroneckerFactored'; the page on methods lists them. */
export type StructureName = keyof Structures;

type OwnOptions<Name extends StructureName> = Structures[Name] extends Structure<infer Own> ? Own : never;

/** A structure with options of its own. */
export type StructureOptions = {
  [Name in StructureName]: { structure: Name } & OwnOptions<Name>;
}[StructureName];

/** A structure by name, or by name with its options: `{structure: 'kroneckerFactored', …}`. */
export type CurvatureOption = StructureName | StructureOptions;

/** The structure that an option names, with its options. */
export function chosen(option: CurvatureOption): { name: StructureName; structure: Structure; own: object } {
  const { structure: name, ...own } = typeof option === 'string' ? { structure: option } : option;
  return { name, structure: structures[name], own };
}

/**
 * Checks an option that chooses a structure.
 *
 * @param name what messages call it, e.g. 'curvature' or 'blocks[0].curvature'
 * @throws NatgradError ERR_NATGRAD_TYPE or ERR_NATGRAD_ARGUMENT naming what is wrong
 */
export function requireCurvature(option: unknown, name: string): asserts option is CurvatureOption {
  if (
    typeof option !== 'string' &&
    (typeof option !== 'object' || option === null || Array.isArray(option))
  ) {
    throw new NatgradError(
      'ERR_NATGRAD_TYPE',
      `${name} is ${shown(option)}; give the name of a structure, or an object like {structure: 'kroneckerFactored'}.`,
    );
  }
  const { structure, ...own } = (typeof option === 'string' ? { structure: option } : option) as {
    structure: string;
  } & Record<string, unknown>;
  if (!Object.hasOwn(structures, structure)) {
    const names = Object.keys(structures).join(', ');
    refuse(
      `${typeof option === 'string' ? name : `${name}.structure`} is ${shown(structure)}`,
      `use one of ${names}`,
    );
  }
  const { options } = structures[structure as StructureName] as Structure<Record<string, unknown>>;
  for (const [key, value] of Object.entries(own)) {
    if (!Object.hasOwn(options, key)) {
      const known = Object.keys(options).join(', ') || 'none';
      refuse(`${name}.${key} is no option of '${structure}'`, `its options are: ${known}`);
    }
    if (value !== undefined) options[key](value, `${name}.${key}`);
  }
}

function refuse(what: string, remedy: string): never {
  throw new NatgradError('ERR_NATGRAD_ARGUMENT', `${what}; ${remedy}.`);
}
