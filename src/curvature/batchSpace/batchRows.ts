/** The rows U of a batch for all layers of a block, and their moving in and out of a checkpoint. */
import type { FloatArray, Job } from '../../linalg/jobs';
import type { Statistics } from '../block';
import { rowsOf } from '../block';
import { countExamples, scoreSize, type ScoredLayer } from '../scores/exampleScores';
import type { Precision } from '../shared/factor';
import { FactoredRows, type FactoredCounts } from './factoredRows';
import { LowRankRows, mergedLayer, scoreSides } from './lowRankRows';
import { merge, type Phase } from '../phases';
import { ExplicitRows, rowCount, type RowCounts, type ScoreRows } from '../scores/scoreRows';
import { isSketched, SketchedRows, type Sketch } from './sketchedRows';

/** In which forms a block keeps its rows. */
export interface RowForms {
  precision: Precision;
  /** Measure layers that are larger on a sample of their coordinates. */
  sketch?: Sketch;
  /** Never form the scores of a layer with more parameters than this. Default: where it is cheaper. */
  largestScore?: number;
  /** Keep so many singular vectors of every score that has more. Default: all of them. */
  scoreRank?: number;
}

/** How the rows of a batch are held, per layer. */
export interface RowLayout extends RowCounts {
  /** Positions per example, or 0 where scores are formed or cut down. */
  positions: number[];
  /** Singular vectors that are kept of each score, or 0 where none is left out. */
  ranks: number[];
}

/**
 * The layout for a batch. Singular vectors are left out where that takes less memory than the score. Rows with R positions are kept as they are where their Gram matrix costs less than that of the scores, which is
 * when R^2 (in + out) < in out, and so always for one row per example.
 */
export function layoutFor(
  layers: readonly ScoredLayer[],
  statistics: readonly Statistics[],
  { largestScore = Infinity, scoreRank = Infinity }: RowForms,
): RowLayout {
  const examples = countExamples(statistics);
  const ranks = layers.map((layer, i) => {
    const activations = statistics[i].activations!;
    if (activations.length > 1 || scoreRank >= rowsOf(activations[0]) / examples) return 0;
    const [left, right] = scoreSides(layer);
    return scoreRank * (left + right) < left * right ? scoreRank : 0;
  });
  const positions = layers.map((layer, i) => {
    const activations = statistics[i].activations!;
    if (activations.length > 1 || layer.transposed || ranks[i] > 0) return 0;
    const r = rowsOf(activations[0]) / examples;
    const { inputSize, outputSize } = layer;
    const cheaper = r === 1 || r * r * (inputSize + outputSize) < inputSize * outputSize;
    return cheaper || scoreSize(layer) > largestScore ? r : 0;
  });
  return { examples, passes: statistics[0].passes.length, positions, ranks };
}

/** Elements that rows of a layout take, and those of the intermediate results of their Gram matrix. */
export function elementsOf(layers: readonly ScoredLayer[], layout: RowLayout): number {
  const { examples, passes, positions, ranks } = layout;
  const count = rowCount(layout);
  return layers.reduce((sum, layer, i) => {
    if (ranks[i] > 0) {
      const [left, right] = scoreSides(layer);
      const rows = count * ranks[i];
      return sum + rows * (left + right) + 2 * rows ** 2;
    }
    const r = positions[i];
    if (r === 0) return sum + count * scoreSize(layer) + count ** 2;
    const rows = examples * r * (layer.inputSize + passes * layer.outputSize);
    return sum + rows + (passes > 1 ? 3 : 2) * (count * r) ** 2;
  }, 0);
}

export class BatchRows {
  readonly parts: ScoreRows[];

  constructor(
    private readonly layers: readonly ScoredLayer[],
    readonly layout: RowLayout,
    private readonly forms: RowForms,
    /** How many batches there were before this one. */
    public batch = 0,
    parts?: ScoreRows[],
  ) {
    this.parts = parts ?? layers.map((layer, i) => createRows(layer, layout, i, forms));
  }

  get count(): number {
    return rowCount(this.layout);
  }

  get bytes(): number {
    return this.parts
      .flatMap(({ arrays }) => Object.values(arrays))
      .reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  holds({ examples, passes, positions, ranks }: RowLayout): boolean {
    const { layout } = this;
    return (
      layout.examples === examples &&
      layout.passes === passes &&
      layout.positions.every((r, i) => r === positions[i]) &&
      layout.ranks.every((rank, i) => rank === ranks[i])
    );
  }

  fill(statistics: readonly Statistics[]): Phase[] {
    return merge(this.parts.map((part, i) => part.fill(statistics[i], this.batch))).phases;
  }

  /** Some of the rows by themselves, and the jobs that copy them. */
  select(rows: readonly number[]): { selected: BatchRows; jobs: Job[] } {
    const chosen = this.parts.map((part) => part.select(rows));
    const layout = { ...this.layout, examples: rows.length, passes: 1 };
    const parts = chosen.map(({ selected }) => selected);
    return {
      selected: new BatchRows(this.layers, layout, this.forms, this.batch, parts),
      jobs: chosen.flatMap(({ jobs }) => jobs),
    };
  }

  /** U as one dense matrix over the variables of all layers. */
  toDense(): Float64Array {
    const parts = this.parts.map((part) => part.toDense());
    const sizes = this.layers.map(scoreSize);
    const size = sizes.reduce((sum, n) => sum + n, 0);
    const dense = new Float64Array(this.count * size);
    for (let row = 0; row < this.count; row++) {
      let begin = row * size;
      parts.forEach((part, i) => {
        dense.set(part.subarray(row * sizes[i], (row + 1) * sizes[i]), begin);
        begin += sizes[i];
      });
    }
    return dense;
  }

  /** The arrays, live, and a first one that tells their layout. */
  state(): Record<string, FloatArray> {
    const { examples, passes, positions, ranks } = this.layout;
    const state: Record<string, FloatArray> = {
      layout: Float64Array.of(examples, passes, this.batch, ...positions, ...ranks),
    };
    this.parts.forEach(({ arrays }, i) => {
      for (const [name, array] of Object.entries(arrays)) state[`${i}/${name}`] = array;
    });
    return state;
  }

  /** Rows with room for what `state` of others gave. */
  static like(saved: Record<string, FloatArray>, layers: readonly ScoredLayer[], forms: RowForms): BatchRows {
    const [examples, passes, batch, ...perLayer] = saved.layout;
    const [positions, ranks] = [perLayer.slice(0, layers.length), perLayer.slice(layers.length)];
    return new BatchRows(layers, { examples, passes, positions, ranks }, forms, batch);
  }
}

function createRows(
  layer: ScoredLayer,
  { examples, passes, ...layout }: RowLayout,
  index: number,
  forms: RowForms,
): ScoreRows {
  const counts = { examples, passes };
  const [positions, rank] = [layout.positions[index], layout.ranks[index]];
  if (rank > 0) {
    const each = { examples: examples * passes, passes: 1, positions: rank };
    return new LowRankRows(layer, counts, factoredRows(mergedLayer(layer), each, forms));
  }
  if (positions === 0) return new ExplicitRows(layer, counts, forms.precision);
  return factoredRows(layer, { ...counts, positions }, forms);
}

function factoredRows(
  layer: ScoredLayer,
  counts: FactoredCounts,
  { precision, sketch }: RowForms,
): FactoredRows {
  return sketch && isSketched(layer, sketch)
    ? new SketchedRows(layer, counts, precision, sketch)
    : new FactoredRows(layer, counts, precision);
}
