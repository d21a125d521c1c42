/**
 * Factored scores measured on some of their coordinates only: SENG (Yang, Xu, Wen, Chen & Xu, "Sketchy Empirical Natural Gradient
 * Methods for Deep Learning", 2020).
 *
 * The Woodbury form of the natural gradient, d = (g - U'b) / lambda, solves a least-squares problem, b = argmin |g - U'b|^2 + lambda |b|^2.
 * SENG solves it sketched, on a sample of the parameters: with S of the inputs and T of the outputs, drawn without replacement,
 *
 *     U U' ~ (in/|S| X_S X_S' + 1) .* (out/|T| D_T D_T'),     U g ~ out/|T| rowsum((in/|S| X_S g_{S,T} + 1 b_T') .* D_T)
 *
 * are both unbiased. That U g is measured on the same coordinates as U U' is what keeps the errors of the two from adding up; U'b is
 * exact. Sides no longer than the sketch are taken whole.
 */
import type { FloatArray } from '../../linalg/jobs';
import type { ScoredLayer } from '../scores/exampleScores';
import { allocate, type Precision } from '../shared/factor';
import { FactoredRows, type FactoredCounts, type Measure } from './factoredRows';
import type { Phase } from '../phases';
import { sampleWithoutReplacement, structureStream } from '../shared/sampling';
import type { Scratch } from '../shared/scratch';

export interface Sketch {
  /** How many coordinates of the inputs, and of the output gradients, are kept. */
  size: number;
  seed: number;
}

/** Sketches of this layer would leave something out. */
export const isSketched = ({ inputSize, outputSize }: ScoredLayer, { size }: Sketch): boolean =>
  inputSize > size || outputSize > size;

export class SketchedRows extends FactoredRows {
  declare readonly arrays: Record<
    'inputs' | 'gradients' | 'sketchedInputs' | 'sketchedGradients' | 'chosenInputs' | 'chosenOutputs',
    FloatArray
  >;

  constructor(
    layer: ScoredLayer,
    counts: FactoredCounts,
    precision: Precision,
    private readonly sketch: Sketch,
  ) {
    super(layer, counts, precision);
    const [inputs, outputs] = [layer.inputSize, layer.outputSize].map((n) => Math.min(n, sketch.size));
    Object.assign(this.arrays, {
      sketchedInputs: allocate(precision, this.inputRows * inputs),
      sketchedGradients: allocate(precision, this.gradientRows * outputs),
      chosenInputs: allocate(precision, inputs),
      chosenOutputs: allocate(precision, outputs),
    });
  }

  protected override get measure(): Measure {
    const { inputSize, outputSize } = this.layer;
    const { sketchedInputs, sketchedGradients, chosenInputs, chosenOutputs } = this.arrays;
    return {
      inputs: sketchedInputs,
      inputSize: chosenInputs.length,
      inputWeight: inputSize / chosenInputs.length,
      gradients: sketchedGradients,
      outputSize: chosenOutputs.length,
      gradientWeight: outputSize / chosenOutputs.length,
    };
  }

  /** @param batch how many batches there were before, which decides the draw */
  override measurePhases(batch: number): Phase[] {
    const random = structureStream(this.sketch.seed, batch);
    const { inputSize, outputSize } = this.layer;
    const { inputs, gradients, sketchedInputs, sketchedGradients, chosenInputs, chosenOutputs } = this.arrays;
    chosenInputs.set(sampleWithoutReplacement(inputSize, chosenInputs.length, random));
    chosenOutputs.set(sampleWithoutReplacement(outputSize, chosenOutputs.length, random));
    const then = () => {
      pickColumns(inputs, inputSize, chosenInputs, sketchedInputs);
      pickColumns(gradients, outputSize, chosenOutputs, sketchedGradients);
    };
    return [{ jobs: [], then }];
  }

  override project(vectors: FloatArray[], out: FloatArray, scratch: Scratch): Phase[] {
    const { outputSize } = this.layer;
    const { chosenInputs, chosenOutputs } = this.arrays;
    const columns = chosenOutputs.length;
    const kernel = scratch.array('sketched kernel', chosenInputs.length * columns);
    const picked = [kernel, ...(this.layer.bias ? [scratch.array('sketched bias', columns)] : [])];
    const pick: Phase = {
      jobs: [],
      then() {
        chosenInputs.forEach((input, i) => {
          const row = vectors[0].subarray(input * outputSize, (input + 1) * outputSize);
          pickColumns(row, outputSize, chosenOutputs, kernel.subarray(i * columns, (i + 1) * columns));
        });
        if (picked.length > 1) pickColumns(vectors[1], outputSize, chosenOutputs, picked[1]);
      },
    };
    return [pick, ...super.project(picked, out, scratch)];
  }
}

/** Some of the columns of a matrix of `width` columns. */
function pickColumns(matrix: FloatArray, width: number, columns: FloatArray, out: FloatArray): void {
  const rows = matrix.length / width;
  for (let row = 0; row < rows; row++) {
    for (let j = 0; j < columns.length; j++) out[row * columns.length + j] = matrix[row * width + columns[j]];
  }
}
