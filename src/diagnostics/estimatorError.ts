import type { NamedVectors } from '../optimizer/curvatureView';
import type { ExactFisher } from './exactFisher';
import type { HasCurvature } from './functionSpace';
import { cosine } from './vectors';

/** How far one block is from the exact Fisher matrix of its variables. */
export interface BlockError {
  /** Names of the variables, separated by commas. */
  variables: string;
  structure: string;
  /** |block - F|_F / |F|_F, with F the exact Fisher matrix of just these variables. */
  relativeError: number;
  /** The cosine of the angle between the two as vectors of all elements: 1 where the block is right but for a factor. */
  cosine: number;
}

/**
 * The error of an optimizer's approximation, block by block, against the exact Fisher matrix of a batch. Both are made dense, so that it is
 * for small networks. What an optimizer leaves out between its blocks does not count here.
 *
 * @param exact of the batch, and at the weights, that the optimizer has its statistics from
 */
export function estimatorError(optimizer: HasCurvature, exact: ExactFisher): BlockError[] {
  return optimizer.curvature().blocks.map((block) => {
    const [approximate, truth] = [block.toDense(), exact.dense(block.names)];
    let [difference, norm, square, product] = [0, 0, 0, 0];
    truth.forEach((value, at) => {
      difference += (approximate[at] - value) ** 2;
      norm += value * value;
      square += approximate[at] ** 2;
      product += approximate[at] * value;
    });
    const { variables, structure } = block.summary();
    return {
      variables,
      structure,
      relativeError: Math.sqrt(difference / norm),
      cosine: product / Math.sqrt(norm * square),
    };
  });
}

/**
 * The cosine of the angle between the direction of an optimizer and the exact natural gradient.
 *
 * @param gradient of the loss, by variable name
 * @param damping of the exact one, positive
 */
export function directionCosine(
  optimizer: HasCurvature,
  exact: ExactFisher,
  gradient: NamedVectors,
  damping: number,
): number {
  return cosine(optimizer.curvature().precondition(gradient), exact.naturalGradient(gradient, damping));
}
