/** The structures that keep the Fisher matrix of a batch exactly: over all layers, layer by layer, and the latter as TENGraD and SENG do. */
import { BatchSpaceBlock } from '../batchSpace/batchSpace';
import type { NystromOptions } from '../shared/nystrom';
import { ExactFisherBlock, type ExactFisherOptions, type FisherForm } from './exactFisher';
import { scoredLayer, whyNoScores } from '../scores/exampleScores';
import type { RowForms } from '../batchSpace/batchRows';
import { requireMemory, shapeOf, type CommonOptions, type OptionCheck, type Structure } from '../structure';
import { describe, isCount, nystrom, refuse } from '../optionChecks';
import type { Layer } from '../../tape/types';

const forms: readonly FisherForm[] = ['auto', 'primal', 'dual'];

const checkForm: OptionCheck = (value, name) => {
  if (!forms.includes(value as FisherForm))
    refuse(`${name} is ${describe(value)}`, `use ${forms.map((form) => `'${form}'`).join(', ')}`);
};

/** A positive integer, or null, which stands for `meaning`. */
const countOrNull =
  (meaning: string): OptionCheck =>
  (value, name) => {
    if (value !== null && !isCount(value))
      refuse(`${name} is ${describe(value)}`, `give a positive integer, or null for ${meaning}`);
  };

const exactOptions = { form: checkForm, nystrom };
const instead = "Use a structure with smaller matrices, such as 'kroneckerFactored' (the preset kfac)";

/** One block over all layers whose scores can be formed. */
export const full: Structure<ExactFisherOptions> = {
  options: exactOptions,
  obstacle: whyNoScores,
  block: (layer, common, own) => exactBlock('full Fisher', [layer], common, own),
  cover: (layers, common, own) => [{ layers, block: exactBlock('full Fisher', layers, common, own) }],
};

/** One block per layer. */
export const blockDiagonal: Structure<ExactFisherOptions> = {
  options: exactOptions,
  obstacle: whyNoScores,
  block: (layer, common, own) => exactBlock('exact block', [layer], common, own),
};

function exactBlock(
  structure: string,
  layers: Layer[],
  common: CommonOptions,
  own: ExactFisherOptions,
): ExactFisherBlock {
  const alternative = layers.length > 1 ? `Use 'blockDiagonal' or 'kroneckerFactored' (kfac)` : instead;
  return new ExactFisherBlock(structure, layers.map(scoredLayer), common, own, alternative);
}

/** Options that 'tengrad' and 'seng' share. */
interface ScoreRankOptions {
  /**
   * How many singular vectors are kept of the score of every example, in layers that have more: convolutions and other layers with several
   * positions per example. null (the default): all.
   */
  scoreRank?: number | null;
}

/** Options of the structure 'tengrad'. */
export interface TengradOptions extends ScoreRankOptions {
  /** Approximates the Gram matrix of each layer by some of its columns; null (the default): does not. */
  nystrom?: NystromOptions | null;
}

/** One block per layer, always in the space of the batch. */
export const tengrad: Structure<TengradOptions> = {
  options: { nystrom, scoreRank: countOrNull('all') },
  obstacle: whyNoScores,
  block: (layer, common, { nystrom, scoreRank }) =>
    batchSpaceBlock('TENGraD', layer, common, rankForm(scoreRank), nystrom ?? undefined),
};

/** Options of the structure 'seng'. */
export interface SengOptions extends ScoreRankOptions {
  /** How many coordinates of the inputs and of the output gradients of a layer are kept. Default 256; null: all, which is TENGraD. */
  sketchSize?: number | null;
}

/** Scores of layers with more parameters than this are never formed, as in SENG's implicit version. */
const largestScore = 1e6;

/** One block per layer in the space of the batch, measured on a sample of the coordinates of large layers. */
export const seng: Structure<SengOptions> = {
  options: { sketchSize: countOrNull('no sketch'), scoreRank: countOrNull('all') },
  obstacle: whyNoScores,
  block: (layer, common, { sketchSize = 256, scoreRank }) => {
    const sketch = sketchSize === null ? {} : { sketch: { size: sketchSize, seed: common.seed ?? 0 } };
    return batchSpaceBlock('SENG', layer, common, { ...sketch, ...rankForm(scoreRank), largestScore });
  },
};

const rankForm = (scoreRank?: number | null): Pick<RowForms, 'scoreRank'> =>
  typeof scoreRank === 'number' ? { scoreRank } : {};

function batchSpaceBlock(
  structure: string,
  layer: Layer,
  common: CommonOptions,
  forms: Omit<RowForms, 'precision'>,
  nystrom?: NystromOptions,
): BatchSpaceBlock {
  return new BatchSpaceBlock({
    structure,
    layers: [scoredLayer(layer)],
    precision: common.precision,
    seed: common.seed,
    requireBytes: (bytes) => requireMemory(shapeOf(layer), structure, bytes, common, instead),
    ...forms,
    ...(nystrom ? { nystrom } : {}),
  });
}
