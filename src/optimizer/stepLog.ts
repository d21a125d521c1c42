import type { FloatArray } from '../linalg/jobs';
import type { TrustRegionReport } from '../step/trustRegion';
import type { Stateful } from './checkpoint';
import type { StepReport } from './weightStep';

/** How the last steps went. */
export class StepLog implements Stateful {
  last: StepReport = { learningRate: NaN, momentum: NaN, klClip: 1, gradientDotDirection: NaN };
  /** The last step within a trust region. */
  region: TrustRegionReport | null = null;
  /** Steps that left the weights as they were because a gradient was not finite. */
  skipped = 0;

  /** Wall time of the last of each. */
  readonly milliseconds = { gradients: 0, update: 0 };

  /** Does work and notes how long it took. */
  timed<T>(phase: keyof StepLog['milliseconds'], work: () => T): T {
    const begin = performance.now();
    try {
      return work();
    } finally {
      this.milliseconds[phase] = performance.now() - begin;
    }
  }

  state(): Record<string, FloatArray> {
    return { skippedSteps: Float64Array.of(this.skipped) };
  }

  load({ skippedSteps }: Record<string, FloatArray>): void {
    this.skipped = skippedSteps?.[0] ?? 0;
  }
}
