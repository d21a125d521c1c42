/**
 * Of the second moments F of a layer's units, each over its weights i and its bias b, the diagonal F_ii and the row of the bias F_ib:
 *
 *     F_ii = sum_r g_r^2 a_ri^2,    F_ib = sum_r g_r^2 a_ri        (a_rb = 1)
 *
 * as products of squares, for all units at once. Patches of images are made explicit for that, some images at a time.
 */
import type { FloatArray, Job } from '../../linalg/jobs';
import { rowsOf, type AverageStep, type RowsOrPatches, type Statistics } from '../block';
import type { Phase } from '../phases';
import { multiplyJob } from '../shared/elementwiseJobs';
import { allocate, type Precision } from '../shared/factor';
import { product } from '../shared/productJob';
import { copyRows, examplesOf, onesLike } from '../shared/rowCopies';

/** Patches are made explicit for so many images at a time that they take no more than this, in bytes. */
const scratchLimit = 2 ** 25;

export class ArrowMoments {
  /** F_ii with F_bb as the last row, and F_ib with F_bb again, [in + 1, out] each. */
  readonly diagonal: FloatArray;
  readonly cross: FloatArray;
  private patches: FloatArray;
  private patchSquares: FloatArray;

  constructor(
    private readonly inputs: number,
    private readonly units: number,
    private readonly precision: Precision,
  ) {
    this.diagonal = allocate(precision, (inputs + 1) * units);
    this.cross = allocate(precision, (inputs + 1) * units);
    this.patches = this.patchSquares = allocate(precision, 0);
  }

  updatePhases({ examples, activations, passes }: Statistics, { decay, scale }: AverageStep): Phase[] {
    let keep = decay;
    return (activations as RowsOrPatches[]).flatMap((input, use) =>
      this.chunks(input).flatMap(([begin, end]): Phase[] => {
        const { rows, phases } = this.explicitRows(input, begin, end);
        const count = rows.data.length / (this.inputs + 1);
        const gradients = passes.map(({ weight, gradientScale, outputGradients }) => {
          const all = outputGradients![use];
          const part = 'geometry' in input ? examplesOf(all, input.geometry.batch, begin, end) : all;
          return { data: copyRows(part).data, share: (scale * weight * gradientScale ** 2) / examples };
        });
        const squares = gradients.map(({ data }) => multiplyJob(data, data, data));
        const sums = gradients.map(({ data, share }): Phase => {
          const shape: [number, number, number] = [this.inputs + 1, count, this.units];
          const how = { transposeLeft: true, scale: share, keep };
          keep = 1;
          return {
            jobs: [
              product(shape, rows.squares, data, this.diagonal, how),
              product(shape, rows.data, data, this.cross, how),
            ],
          };
        });
        return [...phases, { jobs: [multiplyJob(rows.data, rows.data, rows.squares), ...squares] }, ...sums];
      }),
    );
  }

  /** Ranges of images whose patches fit into the scratch memory; for dense rows all of them. */
  private chunks(input: RowsOrPatches): [number, number][] {
    if (!('geometry' in input)) return [[0, input.rows]];
    const { batch } = input.geometry;
    const elements = (rowsOf(input) / batch) * (this.inputs + 1);
    const bytes = 2 * elements * this.diagonal.BYTES_PER_ELEMENT;
    const most = Math.min(batch, Math.max(1, Math.floor(scratchLimit / bytes)));
    if (this.patches.length < most * elements) {
      this.patches = allocate(this.precision, most * elements);
      this.patchSquares = allocate(this.precision, most * elements);
    }
    return Array.from({ length: Math.ceil(batch / most) }, (_, i) => {
      return [i * most, Math.min(batch, (i + 1) * most)];
    });
  }

  /** The rows [a; 1] as a matrix, with room for their squares. A patch is made explicit as the score of a gradient of 1. */
  private explicitRows(
    input: RowsOrPatches,
    begin: number,
    end: number,
  ): { rows: { data: FloatArray; squares: FloatArray }; phases: Phase[] } {
    if (!('geometry' in input)) {
      const { data } = copyRows(input, true);
      return { rows: { data, squares: allocate(this.precision, data.length) }, phases: [] };
    }
    const activation = examplesOf(input, input.geometry.batch, begin, end);
    const rows = rowsOf(activation);
    const length = rows * (this.inputs + 1);
    const data = this.patches.subarray(0, length);
    const job: Job = {
      op: 'scores',
      activation,
      outputGradient: { data: onesLike(data, rows), rows, columns: 1 },
      examples: rows,
      homogeneous: true,
      scale: 1,
      keep: 0,
      out: data,
    };
    return { rows: { data, squares: this.patchSquares.subarray(0, length) }, phases: [{ jobs: [job] }] };
  }

  /** The parts of the two arrays: of the weights [in, out], and of the biases [out]. */
  get parts(): { diagonal: FloatArray; cross: FloatArray; biases: FloatArray } {
    const size = this.inputs * this.units;
    return {
      diagonal: this.diagonal.subarray(0, size),
      cross: this.cross.subarray(0, size),
      biases: this.diagonal.subarray(size),
    };
  }

  restart(): void {
    this.diagonal.fill(0);
    this.cross.fill(0);
  }
}
