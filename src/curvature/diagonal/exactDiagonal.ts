/**
 * The diagonal of the Fisher matrix of a layer z = a~ W, from the score of every example:
 *
 *     F_ii = 1/N sum_n (s_n)_i^2
 *
 * An example with one row has the score a~ g', so that F = (A~^2)' (G^2) / N with elementwise squares and no score is made; with several
 * (positions of a convolution, time steps) they are added up before they are squared.
 */
import type { FloatArray } from '../../linalg/jobs';
import type { AverageStep, Statistics } from '../block';
import { DiagonalBlock } from './diagonal';
import type { Precision } from '../shared/factor';
import { indexedMoment } from './indexedMoment';
import type { KroneckerFactoredOptions } from '../kronecker/kroneckerFactored';
import type { Phase } from '../phases';
import { ScoreMoment } from '../shared/scoreMoment';

export interface DiagonalFisherOptions {
  /**
   * The step is `gradient / (F + damping)^power`: 1 is the natural gradient of the diagonal, 0.5 the milder step of Adam and its like.
   * Default 1.
   */
  power?: 1 | 0.5;
}

export interface ExactDiagonalOptions
  extends Omit<KroneckerFactoredOptions, 'diagonalInput'>, DiagonalFisherOptions {
  precision?: Precision;
}

export class ExactDiagonalBlock extends DiagonalBlock {
  override readonly structure: string = 'diagonal Fisher';
  override readonly needs = [{ activations: true, outputGradients: true }];

  private readonly scores: ScoreMoment;
  private readonly power: 1 | 0.5;

  constructor(options: ExactDiagonalOptions) {
    super(options);
    const { inputSize, outputSize, bias, transposed = false, precision = 'float32', power = 1 } = options;
    const left = inputSize + (bias ? 1 : 0);
    const [leftSize, rightSize] = transposed ? [outputSize, left] : [left, outputSize];
    this.scores = new ScoreMoment({ leftSize, rightSize, bias, transposed }, precision);
    this.power = power;
  }

  override updatePhases([statistics]: Statistics[], average: AverageStep): Phase[] {
    return statistics.activations!.some((activation) => 'indices' in activation)
      ? indexedMoment(statistics, average, this.moment)
      : this.scores.updatePhases(statistics, average, this.moment);
  }

  protected override finish(inverse: FloatArray): void {
    if (this.power === 0.5) for (let i = 0; i < inverse.length; i++) inverse[i] = Math.sqrt(inverse[i]);
  }
}
