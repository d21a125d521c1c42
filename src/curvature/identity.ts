/** The identity in place of the Fisher matrix, for variables that are to take plain gradient steps. Damping does not change it. */
import type { FloatArray, Job } from '../linalg/jobs';
import {
  parameterCount,
  type BlockShape,
  type BlockSummary,
  type CurvatureBlock,
  type RefreshOutcome,
} from './block';
import type { Phase } from './phases';
import { summaryOf } from './shared/summary';

export class IdentityBlock implements CurvatureBlock {
  readonly structure = 'identity';
  readonly needs = [{}];
  readonly ready = true;

  constructor(readonly shape: BlockShape) {}

  updatePhases(): Phase[] {
    return [];
  }

  refreshPhases(): Phase[] {
    return [];
  }

  install(): RefreshOutcome {
    return { failures: 0, retries: 0, minEigenvalue: NaN, overflowed: false };
  }

  restart(): void {}

  /** The elementwise product with 1 is the copy whose report has the inner product. */
  preconditionPhases(gradients: FloatArray[], directions: FloatArray[]): Phase[] {
    const jobs = gradients.map((left, i): Job => {
      const right = directions[i].fill(0);
      return { op: 'elementwise', how: 'multiply', left, right, offset: 1, out: right };
    });
    return [{ jobs }];
  }

  multiplyPhases(vectors: FloatArray[], products: FloatArray[]): Phase[] {
    return this.preconditionPhases(vectors, products);
  }

  toDense(): Float64Array {
    const n = parameterCount(this.shape);
    const dense = new Float64Array(n * n);
    for (let i = 0; i < n; i++) dense[i * (n + 1)] = 1;
    return dense;
  }

  state(): Record<string, FloatArray> {
    return {};
  }

  upcoming(): Record<string, FloatArray> {
    return {};
  }

  loaded(): void {}

  summary(): BlockSummary {
    return summaryOf(this, {
      matrices: '',
      bytes: 0,
    });
  }
}
