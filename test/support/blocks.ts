/** Driving a curvature block by hand, as the optimizer does: batches in, inverses computed and installed, vectors multiplied. */
import type {
  Activation,
  AverageStep,
  BackwardPass,
  CurvatureBlock,
  RefreshOutcome,
  Response,
  Rows,
  Statistics,
} from '../../src/curvature/block';
import { runPhases } from '../../src/curvature/phases';
import type { FloatArray, Kernels } from '../../src/linalg/jobs';

/** The plain average of one batch. */
export const once: AverageStep = { decay: 0, scale: 1 };

/** A batch with one backward pass. */
export interface Batch {
  examples: number;
  activations?: Activation[];
  outputGradients?: Rows[];
  scores?: FloatArray[];
  weights?: FloatArray[];
  responses?: Response[][];
  gradientScale?: number;
}

export function statisticsOf({ examples, activations, weights, responses, ...rest }: Batch): Statistics {
  const pass: BackwardPass = { weight: 1, gradientScale: 1, ...rest };
  return { examples, activations, weights, responses, passes: [pass] };
}

/** Lets a batch into a block; one `Batch` per layer that the block covers. */
export function feed(
  kernels: Kernels,
  block: CurvatureBlock,
  batch: Batch | Batch[],
  average: AverageStep = once,
): void {
  runPhases(kernels, block.updatePhases([batch].flat().map(statisticsOf), average));
}

/** Computes and installs new inverses. */
export function refresh(kernels: Kernels, block: CurvatureBlock, lambda: number): RefreshOutcome {
  return block.install(runPhases(kernels, block.refreshPhases(lambda)).flat());
}

/** (block + damping)^-1 gradients, one array per variable, with the installed inverses. */
export function precondition(kernels: Kernels, block: CurvatureBlock, gradients: FloatArray[]): FloatArray[] {
  const directions = gradients.map((gradient) => gradient.slice());
  runPhases(kernels, block.preconditionPhases(gradients, directions));
  return directions;
}

/** block vectors, one array per variable. */
export function multiplyBy(kernels: Kernels, block: CurvatureBlock, vectors: FloatArray[]): FloatArray[] {
  const products = vectors.map((vector) => vector.slice());
  runPhases(kernels, block.multiplyPhases(vectors, products));
  return products;
}
