/**
 * A kernel that is used in blocks of columns, each with inputs of its own: the recurrent kernel of a GRU, whose gates see h_{t-1} and whose
 * candidate sees r * h_{t-1}. The output gradients of the blocks are taken as independent: a block of the Fisher matrix per block of columns.
 */
import type { FloatArray, Report } from '../../linalg/jobs';
import {
  least,
  type AverageStep,
  type BlockShape,
  type BlockSummary,
  type CurvatureBlock,
  type RefreshOutcome,
  type Statistics,
} from '../block';
import { allocate, type Precision } from './factor';
import { dotPhase, merge, type Merged, type Phase } from '../phases';
import { summaryOf } from './summary';

/** Some of a kernel's columns, and the block that they have as if they were a kernel of their own. */
export interface Columns {
  begin: number;
  size: number;
  block: CurvatureBlock;
}

export class ColumnBlocks implements CurvatureBlock {
  readonly structure: string;
  readonly needs: CurvatureBlock['needs'];

  private refresh: Merged | null = null;
  private readonly rows: number;
  private readonly width: number;

  /**
   * @param shape of the kernel, [rows, columns]
   * @param parts which together have every column once
   */
  constructor(
    readonly shape: BlockShape,
    private readonly parts: Columns[],
    private readonly precision: Precision,
  ) {
    [this.rows, this.width] = shape.shapes[0];
    this.structure = `${parts[0].block.structure}, ${parts.length} blocks of columns`;
    this.needs = parts[0].block.needs;
  }

  get ready(): boolean {
    return this.parts.every(({ block }) => block.ready);
  }

  updatePhases([statistics]: Statistics[], average: AverageStep): Phase[] {
    const plans = this.parts.map(({ begin, block }) => {
      const uses = statistics.passes[0].outputGradients!.map((gradient) => gradient.begin === begin);
      const own = <T>(values: T[] | undefined) => values?.filter((_, use) => uses[use]);
      const passes = statistics.passes.map((pass) => ({
        ...pass,
        outputGradients: own(pass.outputGradients),
      }));
      return block.updatePhases(
        [{ ...statistics, activations: own(statistics.activations), passes }],
        average,
      );
    });
    return merge(plans).phases;
  }

  refreshPhases(lambda: number): Phase[] {
    this.refresh = merge(this.parts.map(({ block }) => block.refreshPhases(lambda)));
    return this.refresh.phases;
  }

  install(reports: Report[]): RefreshOutcome {
    const { phases, split } = this.refresh!;
    let begin = 0;
    const ofPhases = phases.map(({ jobs }) => reports.slice(begin, (begin += jobs.length)));
    const outcomes = split(ofPhases).map((own, i) => this.parts[i].block.install(own));
    return outcomes.reduce((sum, outcome) => ({
      failures: sum.failures + outcome.failures,
      retries: sum.retries + outcome.retries,
      minEigenvalue: least(sum.minEigenvalue, outcome.minEigenvalue),
      overflowed: sum.overflowed || outcome.overflowed,
    }));
  }

  restart(): void {
    for (const { block } of this.parts) block.restart();
  }

  preconditionPhases(gradients: FloatArray[], directions: FloatArray[]): Phase[] {
    return this.productPhases(gradients, directions, (block, input, output) =>
      block.preconditionPhases([input], [output]),
    );
  }

  multiplyPhases(vectors: FloatArray[], products: FloatArray[]): Phase[] {
    return this.productPhases(vectors, products, (block, input, output) =>
      block.multiplyPhases([input], [output]),
    );
  }

  private productPhases(
    [input]: FloatArray[],
    [output]: FloatArray[],
    phasesOf: (block: CurvatureBlock, input: FloatArray, output: FloatArray) => Phase[],
  ): Phase[] {
    const pieces = this.parts.map(({ size }) => {
      return {
        from: allocate(this.precision, this.rows * size),
        to: allocate(this.precision, this.rows * size),
      };
    });
    const gather = () =>
      this.parts.forEach(({ begin, size }, i) => {
        for (let row = 0; row < this.rows; row++) {
          const at = row * this.width + begin;
          pieces[i].from.set(input.subarray(at, at + size), row * size);
        }
      });
    const scatter = () =>
      this.parts.forEach(({ begin, size }, i) => {
        for (let row = 0; row < this.rows; row++) {
          output.set(pieces[i].to.subarray(row * size, (row + 1) * size), row * this.width + begin);
        }
      });
    const { phases } = merge(this.parts.map(({ block }, i) => phasesOf(block, pieces[i].from, pieces[i].to)));
    return [{ jobs: [], then: gather }, ...phases, { jobs: [], then: scatter }, dotPhase([input], [output])];
  }

  toDense(): Float64Array {
    const n = this.rows * this.width;
    const dense = new Float64Array(n * n);
    for (const { begin, size, block } of this.parts) {
      const own = block.toDense();
      const place = (at: number) => Math.floor(at / size) * this.width + begin + (at % size);
      const length = this.rows * size;
      for (let i = 0; i < length; i++) {
        for (let j = 0; j < length; j++) dense[place(i) * n + place(j)] = own[i * length + j];
      }
    }
    return dense;
  }

  state(): Record<string, FloatArray> {
    return this.named((block) => block.state());
  }

  upcoming(): Record<string, FloatArray> {
    return this.named((block) => block.upcoming());
  }

  loaded(ready: boolean): void {
    for (const { block } of this.parts) block.loaded(ready);
  }

  private named(arrays: (block: CurvatureBlock) => Record<string, FloatArray>): Record<string, FloatArray> {
    return Object.fromEntries(
      this.parts.flatMap(({ begin, block }) =>
        Object.entries(arrays(block)).map(([name, array]) => [`columns${begin}/${name}`, array]),
      ),
    );
  }

  summary(): BlockSummary {
    const summaries = this.parts.map(({ block }) => block.summary());
    return summaryOf(this, {
      matrices: summaries.map(({ matrices }) => matrices).join(', '),
      bytes: summaries.reduce((sum, { bytes }) => sum + bytes, 0),
      reason: summaries[0].reason,
    });
  }
}
