/**
 * The exact Fisher matrix of one layer or of several, as a matrix (primal) or in the space of the batch (dual), whichever is smaller: the
 * first batch decides, because how many scores there are depends on the estimator.
 */
import { NatgradError } from '../../errors';
import type { FloatArray, Report } from '../../linalg/jobs';
import { BatchSpaceBlock } from '../batchSpace/batchSpace';
import type { NystromOptions } from '../shared/nystrom';
import {
  parameterCount,
  type AverageStep,
  type BlockShape,
  type BlockSummary,
  type CurvatureBlock,
  type RefreshOutcome,
  type Statistics,
} from '../block';
import { countExamples, type ScoredLayer } from '../scores/exampleScores';
import type { Phase } from '../phases';
import { fisherMatrixBytes, FisherMatrixBlock } from './fisherMatrix';
import { requireMemory, type CommonOptions } from '../structure';

export type FisherForm = 'auto' | 'primal' | 'dual';

/** Options of the structures 'full' and 'blockDiagonal'. */
export interface ExactFisherOptions {
  /**
   * 'primal' keeps F itself, p x p for p parameters, in a moving average over batches. 'dual' keeps the scores of the latest batch and
   * inverts their Gram matrix, with one row per example and backward pass; `factorDecay` does not apply to it. 'auto' (the default) is
   * 'primal' where p is no larger than that number of rows, or where `factorDecay` asks for an average and p is at most `maxFactorSize`
   * and fits into `memoryLimit`.
   */
  form?: FisherForm;
  /** Approximates the Gram matrix of the dual form by some of its columns; null (the default): does not. */
  nystrom?: NystromOptions | null;
}

export class ExactFisherBlock implements CurvatureBlock {
  readonly shape: BlockShape;
  readonly needs: { activations: boolean; outputGradients: boolean }[];
  /** The form that was chosen. */
  private block: CurvatureBlock | null = null;
  /** Stands for it while there was no batch to choose by: it keeps nothing, and divides by the damping. */
  private readonly empty: CurvatureBlock;

  /**
   * @param structure what the summary calls it
   * @param alternative what to choose instead where it does not fit
   * @throws NatgradError ERR_NATGRAD_NO_MEMORY if `form: 'primal'` does not fit
   */
  constructor(
    readonly structure: string,
    private readonly layers: ScoredLayer[],
    private readonly common: CommonOptions,
    private readonly own: ExactFisherOptions,
    private readonly alternative: string,
  ) {
    if (own.form === 'primal' && own.nystrom) {
      throw new NatgradError(
        'ERR_NATGRAD_ARGUMENT',
        "nystrom approximates the dual form, but form is 'primal'; leave one of the two out.",
      );
    }
    this.shape = {
      names: layers.flatMap(({ shape }) => shape.names),
      shapes: layers.flatMap(({ shape }) => shape.shapes),
    };
    this.needs = layers.map(() => ({ activations: true, outputGradients: true }));
    this.empty = this.dual();
    if (own.form === 'primal') this.block = this.primal();
    if (own.form === 'dual') this.block = this.dual();
  }

  private primal(): CurvatureBlock {
    const { layers, common } = this;
    this.require(fisherMatrixBytes(layers, common.precision), 'primal');
    return new FisherMatrixBlock({
      structure: `${this.structure}, primal`,
      layers,
      precision: common.precision,
    });
  }

  private dual(): CurvatureBlock {
    return new BatchSpaceBlock({
      structure: `${this.structure}, dual`,
      layers: this.layers,
      precision: this.common.precision,
      seed: this.common.seed,
      requireBytes: (bytes) => this.require(bytes, 'dual'),
      ...(this.own.nystrom ? { nystrom: this.own.nystrom } : {}),
    });
  }

  private require(bytes: number, form: string): void {
    requireMemory(this.shape, `${this.structure} (${form})`, bytes, this.common, this.alternative);
  }

  private prefersPrimal(statistics: Statistics[]): boolean {
    const { precision, memoryLimit, maxFactorSize, averaged } = this.common;
    const parameters = parameterCount(this.shape);
    if (this.own.nystrom) return false;
    if (parameters <= countExamples(statistics) * statistics[0].passes.length) return true;
    const fits = parameters <= maxFactorSize && fisherMatrixBytes(this.layers, precision) <= memoryLimit;
    return averaged === true && fits;
  }

  updatePhases(statistics: Statistics[], average: AverageStep): Phase[] {
    this.block ??= this.prefersPrimal(statistics) ? this.primal() : this.dual();
    return this.block.updatePhases(statistics, average);
  }

  private get inner(): CurvatureBlock {
    return this.block ?? this.empty;
  }

  get ready(): boolean {
    return this.inner.ready;
  }

  refreshPhases(lambda: number): Phase[] {
    return this.inner.refreshPhases(lambda);
  }

  install(reports: Report[]): RefreshOutcome {
    return this.inner.install(reports);
  }

  restart(): void {
    this.inner.restart();
  }

  preconditionPhases(gradients: FloatArray[], directions: FloatArray[]): Phase[] {
    return this.inner.preconditionPhases(gradients, directions);
  }

  multiplyPhases(vectors: FloatArray[], products: FloatArray[]): Phase[] {
    return this.inner.multiplyPhases(vectors, products);
  }

  toDense(): Float64Array {
    return this.inner.toDense();
  }

  state(): Record<string, FloatArray> {
    return this.inner.state();
  }

  upcoming(): Record<string, FloatArray> {
    return this.inner.upcoming();
  }

  prepare(saved: Record<string, FloatArray>): void {
    if (saved.F) this.block ??= this.primal();
    else if (saved['latest/layout'] ?? saved['installed/layout']) this.block ??= this.dual();
    this.inner.prepare?.(saved);
  }

  loaded(ready: boolean): void {
    this.inner.loaded(ready);
  }

  summary(): BlockSummary {
    return this.inner.summary();
  }
}
