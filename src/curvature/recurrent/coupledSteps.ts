/** What the two assumptions about transitions have in common: what they are given, and the arrays that they work on. */
import type { FloatArray, Job } from '../../linalg/jobs';
import type { Phase } from '../phases';
import { allocate, type Precision } from '../shared/factor';
import { kroneckerJob } from '../shared/kroneckerJob';
import { variableParts } from '../shared/layerMatrix';
import type { RecurrentSide } from './recurrentSide';

/** Nearest that a product of correlations may come to 1, where the sum over an endless sequence is infinite. */
const largestCorrelation = 1 - 1e-6;

/** Products with the Fisher matrix of a kernel that is used at every time step, and with its inverse, under one assumption. */
export interface Coupling {
  /** 1 / Y_ij for the product x of an eigenvalue of either side, over T steps. */
  inverseWeight(x: number, steps: number): number;
  /** Phases for `directions = F^-1 gradients`, one array per variable. */
  solvePhases(steps: CoupledSteps, gradients: FloatArray[], directions: FloatArray[]): Phase[];
  /** Phases for `products = F vectors`, with A_0 and G_0 as they are, undamped, and the rest as it is installed. */
  multiplyPhases(steps: CoupledSteps, vectors: FloatArray[], products: FloatArray[]): Phase[];
}

/** The two sides of a kernel's block with T steps, as they are installed. */
export class CoupledSteps {
  /** T, one element. */
  readonly count = Float64Array.of(1);
  /** Y, [in, out]. */
  readonly weights: FloatArray;

  /** @param bias whether the last row of the inputs' side is that of a variable of its own */
  constructor(
    readonly input: RecurrentSide,
    readonly output: RecurrentSide,
    private readonly bias: boolean,
    private readonly precision: Precision,
  ) {
    this.weights = allocate(precision, input.size * output.size);
  }

  /** Computes Y anew, from the eigenvalues that are installed and T. */
  updateWeights(inverseWeight: Coupling['inverseWeight']): void {
    const { values: inputs } = this.input.installed;
    const { values: outputs } = this.output.installed;
    inputs.forEach((a, i) => {
      outputs.forEach((g, j) => {
        const x = Math.max(-largestCorrelation, Math.min(largestCorrelation, a * g));
        this.weights[i * outputs.length + j] = 1 / inverseWeight(x, this.count[0]);
      });
    });
  }

  /** Work space of one value per parameter, as one array. */
  matrix(): FloatArray {
    return allocate(this.precision, this.input.size * this.output.size);
  }

  /** The same as one array per variable. */
  variables(): FloatArray[] {
    return this.parts(this.matrix());
  }

  /** One array per variable in place of one over all. */
  parts(matrix: FloatArray): FloatArray[] {
    return variableParts(matrix, { rows: this.input.size, columns: this.output.size, bias: this.bias });
  }

  /** `products = A_0 vectors G_0` */
  momentJob(vectors: FloatArray[], products: FloatArray[]): Job {
    return kroneckerJob(this.input.factor.operand, this.output.factor.operand, vectors, products);
  }
}
