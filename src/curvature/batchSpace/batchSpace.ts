/**
 * The exact Fisher matrix of a batch, for the variables of one layer or of several, inverted in the space of the batch.
 *
 * With the scores of the batch as the rows of U, scaled so that F = U'U, Woodbury's identity needs only a matrix with one row per example
 * and backward pass,
 *
 *     (U'U + lambda I)^-1 g = (g - U' (U U' + lambda I)^-1 U g) / lambda.
 *
 * (Ren & Goldfarb, "Efficient Subsampled Gauss-Newton and Natural Gradient Methods for Training Neural Networks", 2019, equation 8; per
 * layer and with a Gram matrix that needs no scores it is TENGraD.) F is that of the latest batch: rows of earlier ones are not averaged
 * in, so a decay of the moving average has nothing to act on.
 *
 * With a Nystrom approximation m of the rows, Z, stand for all: F is projected onto their span, F ~ P F P with P = Z' W^+ Z and
 * W = Z Z', whose Gram matrix U P U' is the Nystrom approximation of U U'. With its R and B (see `nystrom.ts`)
 *
 *     (P F P + lambda I)^-1 g = (g - Z' R (B'B + lambda I)^-1 B'B R' Z g) / lambda.
 */
import type { FloatArray, Job, Report } from '../../linalg/jobs';
import { BatchRows, elementsOf, layoutFor, type RowForms } from './batchRows';
import {
  least,
  parameterCount,
  type BlockShape,
  type BlockSummary,
  type CurvatureBlock,
  type RefreshOutcome,
  type Statistics,
} from '../block';
import type { ScoredLayer } from '../scores/exampleScores';
import { allocate } from '../shared/factor';
import { NystromApproximation, type NystromOptions } from '../shared/nystrom';
import { product } from '../shared/productJob';
import { dotPhase, merge, type Phase } from '../phases';
import { Scratch } from '../shared/scratch';
import { sampleWithoutReplacement, structureStream } from '../shared/sampling';

export interface BatchSpaceOptions extends RowForms {
  /** What the summary calls it. */
  structure: string;
  layers: ScoredLayer[];
  nystrom?: NystromOptions;
  /** Seed of the choice of rows. Default 0. */
  seed?: number;
  /** Called with the bytes that a batch will take before they are allocated; throws if they are too many. */
  requireBytes?: (bytes: number) => void;
}

/** What multiplies by the inverse: `(g - rows' core rows g) / damping`. */
interface Solution {
  rows: BatchRows;
  core: FloatArray;
  damping: Float64Array;
}

export class BatchSpaceBlock implements CurvatureBlock {
  readonly structure: string;
  readonly shape: BlockShape;
  readonly needs: { activations: boolean; outputGradients: boolean }[];
  ready = false;

  private latest: BatchRows | null = null;
  private installed: Solution | null = null;
  private pending: Solution | null = null;
  /** What was installed before, whose arrays are free. */
  private spare: Solution | null = null;
  /** Whether `pending` came from a checkpoint, and what is planned must not replace it. */
  private resumed = false;
  /** Which job of the planned refresh is the inverse. */
  private inverseAt = 0;
  /** Batches so far, and the damping where there is no inverse. */
  private readonly counters = Float64Array.of(0, 1);
  private readonly refreshScratch: Scratch[];
  private readonly applyScratch: Scratch[];

  constructor(private readonly options: BatchSpaceOptions) {
    const { layers, structure, precision } = options;
    this.structure = structure;
    this.shape = {
      names: layers.flatMap(({ shape }) => shape.names),
      shapes: layers.flatMap(({ shape }) => shape.shapes),
    };
    this.needs = layers.map(() => ({ activations: true, outputGradients: true }));
    // One for each layer, whose phases run side by side, and one for what they have in common.
    const scratch = () => Array.from({ length: layers.length + 1 }, () => new Scratch(precision));
    [this.refreshScratch, this.applyScratch] = [scratch(), scratch()];
  }

  updatePhases(statistics: Statistics[]): Phase[] {
    const { layers, requireBytes } = this.options;
    const layout = layoutFor(layers, statistics, this.options);
    const inUse = [this.installed?.rows, this.pending?.rows];
    const free = [this.latest, this.spare?.rows].find((rows) => rows?.holds(layout) && !inUse.includes(rows));
    if (!free) {
      const elements = elementsOf(layers, layout) + 4 * (layout.examples * layout.passes) ** 2;
      requireBytes?.(elements * allocate(this.options.precision, 1).BYTES_PER_ELEMENT);
    }
    this.latest = free ?? new BatchRows(layers, layout, this.options);
    this.latest.batch = this.counters[0]++;
    return this.latest.fill(statistics);
  }

  refreshPhases(lambda: number): Phase[] {
    this.counters[1] = lambda;
    const rows = this.resumed ? this.pending!.rows : this.latest;
    if (!rows) return [];
    const rank = this.options.nystrom?.rank ?? Infinity;
    const { solution, phases } =
      rank < rows.count ? this.approximate(rows, rank, lambda) : this.solve(rows, lambda);
    if (!this.resumed) this.pending = solution;
    this.inverseAt = phases.flatMap(({ jobs }) => jobs).findIndex(({ op }) => op === 'inverse');
    return phases;
  }

  private solve(rows: BatchRows, lambda: number): { solution: Solution; phases: Phase[] } {
    const n = rows.count;
    const gram = this.refreshScratch.at(-1)!.array('gram', n * n);
    const solution = { rows, core: this.coreOf(n), damping: Float64Array.of(lambda) };
    const inverse: Job = { op: 'inverse', matrix: gram, size: n, damping: lambda, out: solution.core };
    return { solution, phases: [...this.gram(rows, rows, gram), { jobs: [inverse] }] };
  }

  private approximate(
    rows: BatchRows,
    rank: number,
    lambda: number,
  ): { solution: Solution; phases: Phase[] } {
    const scratch = this.refreshScratch.at(-1)!;
    const random = structureStream(this.options.seed ?? 0, rows.batch);
    const { selected, jobs } = rows.select(sampleWithoutReplacement(rows.count, rank, random));
    const columns = scratch.array('columns', rows.count * rank);
    const core = scratch.array('core', rank * rank);
    const nystrom = new NystromApproximation(rows.count, rank, this.options.precision);
    const solution = { rows: selected, core: this.coreOf(rank), damping: Float64Array.of(lambda) };
    const [half, whole] = [scratch.array('half', rank * rank), scratch.array('whole', rank * rank)];
    const sizes: [number, number, number] = [rank, rank, rank];
    const { root, square, inverse } = nystrom;
    const phases = [
      { jobs },
      ...this.gram(rows, selected, columns),
      ...this.gram(selected, selected, core),
      ...nystrom.phases(columns, core, lambda),
      { jobs: [product(sizes, inverse, square, half)] },
      { jobs: [product(sizes, root, half, whole)] },
      { jobs: [product(sizes, whole, root, solution.core, { transposeRight: true })] },
    ];
    return { solution, phases };
  }

  /** `out = U V'`, over all layers. */
  private gram(left: BatchRows, right: BatchRows, out: FloatArray): Phase[] {
    return this.summed(
      out,
      (part, partOut) => left.parts[part].gram(right.parts[part], partOut, this.refreshScratch[part]),
      this.refreshScratch,
    );
  }

  /** Adds up over the layers what the phases of each compute. */
  private summed(
    out: FloatArray,
    plan: (part: number, out: FloatArray) => Phase[],
    scratch: Scratch[],
  ): Phase[] {
    const { layers } = this.options;
    if (layers.length === 1) return plan(0, out);
    const outs = layers.map((_, part) => scratch[part].array('part', out.length));
    const terms = outs.map((data) => ({ data, scale: 1 }));
    return [
      ...merge(outs.map((partOut, part) => plan(part, partOut))).phases,
      { jobs: [{ op: 'combine', terms, out }] },
    ];
  }

  private coreOf(size: number): FloatArray {
    const free = this.spare?.core;
    return free?.length === size * size ? free : allocate(this.options.precision, size * size);
  }

  install(reports: Report[]): RefreshOutcome {
    const outcome = { failures: 0, retries: 0, minEigenvalue: NaN, overflowed: false };
    this.ready = true;
    const { pending } = this;
    this.pending = null;
    this.resumed = false;
    if (!pending) return outcome;
    const inverse = reports[this.inverseAt];
    outcome.minEigenvalue = least(outcome.minEigenvalue, inverse.minEigenvalue);
    outcome.retries = Number(inverse.retries > 0);
    outcome.failures = reports.filter(({ status }) => status !== 'ok').length;
    outcome.overflowed = reports.some(({ status }) => status === 'notFinite');
    if (outcome.failures > 0) return outcome;
    pending.damping[0] = inverse.damping;
    this.spare = this.installed;
    this.installed = pending;
    return outcome;
  }

  restart(): void {
    this.latest = null;
  }

  preconditionPhases(gradients: FloatArray[], directions: FloatArray[]): Phase[] {
    const scaled = (damping: number): Phase => ({
      jobs: gradients.map((data, i) => ({
        op: 'combine',
        terms: [{ data, scale: 1 / damping }],
        out: directions[i],
      })),
    });
    if (!this.installed) return [scaled(this.counters[1]), dotPhase(gradients, directions)];
    const {
      rows,
      core,
      damping: [damping],
    } = this.installed;
    const [projected, solved] = this.batchVectors(rows.count);
    return [
      scaled(damping),
      ...this.times('project', rows, gradients, projected),
      { jobs: [product([rows.count, rows.count, 1], core, projected, solved)] },
      ...this.addTransposed(rows, solved, -1 / damping, directions),
      dotPhase(gradients, directions),
    ];
  }

  multiplyPhases(vectors: FloatArray[], products: FloatArray[]): Phase[] {
    const clear: Phase = {
      jobs: vectors.map((data, i) => ({ op: 'combine', terms: [{ data, scale: 0 }], out: products[i] })),
    };
    if (!this.latest) return [clear, dotPhase(vectors, products)];
    const [projected] = this.batchVectors(this.latest.count);
    return [
      clear,
      ...this.times('times', this.latest, vectors, projected),
      ...this.addTransposed(this.latest, projected, 1, products),
      dotPhase(vectors, products),
    ];
  }

  private batchVectors(length: number): FloatArray[] {
    const scratch = this.applyScratch.at(-1)!;
    return [scratch.array('projected', length), scratch.array('solved', length)];
  }

  private times(how: 'times' | 'project', rows: BatchRows, vectors: FloatArray[], out: FloatArray): Phase[] {
    const perLayer = this.perLayer(vectors);
    return this.summed(
      out,
      (part, partOut) => rows.parts[part][how](perLayer[part], partOut, this.applyScratch[part]),
      this.applyScratch,
    );
  }

  private addTransposed(
    rows: BatchRows,
    coefficients: FloatArray,
    scale: number,
    outs: FloatArray[],
  ): Phase[] {
    const perLayer = this.perLayer(outs);
    const plans = rows.parts.map((part, i) =>
      part.addTransposed(coefficients, scale, perLayer[i], this.applyScratch[i]),
    );
    return merge(plans).phases;
  }

  private perLayer(arrays: FloatArray[]): FloatArray[][] {
    let begin = 0;
    return this.options.layers.map(({ shape }) => arrays.slice(begin, (begin += shape.names.length)));
  }

  /** F of the latest batch. */
  toDense(): Float64Array {
    const n = parameterCount(this.shape);
    const dense = new Float64Array(n * n);
    if (!this.latest) return dense;
    const scores = this.latest.toDense();
    for (let begin = 0; begin < scores.length; begin += n) {
      const score = scores.subarray(begin, begin + n);
      for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) dense[i * n + j] += score[i] * score[j];
    }
    return dense;
  }

  state(): Record<string, FloatArray> {
    const { latest, installed, counters } = this;
    return {
      counters,
      ...(installed ? solutionState('installed', installed) : {}),
      ...(latest && latest !== installed?.rows ? prefixed('latest', latest.state()) : {}),
    };
  }

  upcoming(): Record<string, FloatArray> {
    return this.pending ? solutionState('upcoming', this.pending) : {};
  }

  prepare(saved: Record<string, FloatArray>): void {
    const { layers } = this.options;
    const rows = (prefix: string): BatchRows | null => {
      const own = Object.entries(saved).flatMap(([name, array]): [string, FloatArray][] =>
        name.startsWith(`${prefix}/`) ? [[name.slice(prefix.length + 1), array]] : [],
      );
      const state = Object.fromEntries(own);
      return state.layout ? BatchRows.like(state, layers, this.options) : null;
    };
    const solution = (prefix: string): Solution | null => {
      const held = rows(prefix);
      return held && { rows: held, core: this.coreOf(held.count), damping: new Float64Array(1) };
    };
    this.installed = solution('installed');
    this.pending = solution('upcoming');
    this.resumed = this.pending !== null;
    this.latest = rows('latest') ?? this.installed?.rows ?? null;
  }

  loaded(ready: boolean): void {
    this.ready = ready;
  }

  summary(): BlockSummary {
    const { latest, installed, spare } = this;
    const held = new Set([latest, installed?.rows, spare?.rows]);
    const cores = [installed?.core, spare?.core];
    const bytes = [...held, ...cores].reduce((sum, part) => {
      return sum + (part ? ('bytes' in part ? part.bytes : part.byteLength) : 0);
    }, 0);
    const n = installed?.rows.count ?? 0;
    const rank = Math.max(0, ...(latest?.layout.ranks ?? []));
    return {
      variables: this.shape.names.join(', '),
      structure: this.structure,
      matrices: `${n} x ${n}, of ${latest?.count ?? 0} scores${rank > 0 ? ` of rank ${rank}` : ''}`,
      parameters: parameterCount(this.shape),
      bytes,
      reason: '',
    };
  }
}

function solutionState(prefix: string, { rows, core, damping }: Solution): Record<string, FloatArray> {
  return prefixed(prefix, { ...rows.state(), core, damping });
}

function prefixed(prefix: string, arrays: Record<string, FloatArray>): Record<string, FloatArray> {
  return Object.fromEntries(Object.entries(arrays).map(([name, array]) => [`${prefix}/${name}`, array]));
}
