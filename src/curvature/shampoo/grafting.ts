/**
 * Grafting (Agarwal, Anil, Hazan, Koren & Zhang 2020, "Disentangling Adaptive Gradient Methods from Learning Rates"): the direction of one
 * method with the length that another method's would have, variable by variable.
 */
import type { FloatArray } from '../../linalg/jobs';
import { allocate, type Precision } from '../shared/factor';

export type GraftingMethod = 'sgd' | 'adam' | 'rmsprop' | 'none';

/**
 * A moving average of squares, element by element, which carries its own weight: `w <- beta w + 1`, `v <- v + (x^2 - v) / w`. That is Adam's
 * second moment with its correction for the bias towards zero.
 */
export class SquareAverage {
  readonly mean: FloatArray;
  /** One element: w. */
  readonly weight: FloatArray;

  constructor(
    size: number,
    private readonly beta: number,
    precision: Precision,
  ) {
    this.mean = allocate(precision, size);
    this.weight = new Float64Array(1);
  }

  take(values: FloatArray): void {
    const { mean, weight } = this;
    weight[0] = this.beta * weight[0] + 1;
    for (let i = 0; i < mean.length; i++) mean[i] += (values[i] * values[i] - mean[i]) / weight[0];
  }

  /** What turns the mean into the average without correction: 1 - beta^t after t batches. */
  get uncorrected(): number {
    return this.weight[0] * (1 - this.beta);
  }

  restart(): void {
    this.mean.fill(0);
    this.weight.fill(0);
  }
}

/** The direction of the method whose length is taken, in `out`: the gradient, over the root of its mean square where the method has one. */
export function graftedDirection(
  method: GraftingMethod,
  gradient: FloatArray,
  squares: SquareAverage | null,
  epsilon: number,
  out: FloatArray,
): void {
  if (squares === null) {
    out.set(gradient);
    return;
  }
  const factor = method === 'rmsprop' ? squares.uncorrected : 1;
  for (let i = 0; i < out.length; i++) {
    out[i] = gradient[i] / (Math.sqrt(factor * squares.mean[i]) + epsilon);
  }
}

/** Scales `direction` to the length of `model`. */
export function graft(direction: FloatArray, model: FloatArray): void {
  const length = norm(direction);
  if (!(length > 0)) return;
  const scale = norm(model) / length;
  for (let i = 0; i < direction.length; i++) direction[i] *= scale;
}

function norm(values: FloatArray): number {
  let sum = 0;
  for (const value of values) sum += value * value;
  return Math.sqrt(sum);
}
