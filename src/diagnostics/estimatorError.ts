import type { NamedVectors } from '../optimizer/curvatureView';
import type { ExactFisher } from './exactFisher';
import type { HasCurvature } from './functionSpace';
import { cosine } from './vectors';

/** How far one block is from the exact Fisher matrix of its variables. */
export interface BlockError {
  /** Names of the variables, separated by commas. */
  variables: string;
  structure: string;
  /** |block - F|_F / |F|_F, with F the exact Fisher matrix of just these variables; 0 where both are zero. */
  relativeError: number;
  /** The cosine of the angle between the two as vectors of all elements: 1 where the block is right but for a factor, also where it is zero. */
  cosine: number;
}

/**
 * The error of an optimizer's approximation, block by block, against the exact Fisher matrix of a batch. Both are made dense, so that it is
 * for small networks. What an optimizer leaves out between its blocks does not count here, nor do blocks of variables that the exact matrix
 * is not of, such as those of another model.
 *
 * @param exact of the batch, and at the weights, that the optimizer has its statistics from
 * @throws NatgradError ERR_NATGRAD_ARGUMENT if it is of some variables of a block but not of all
 */
export function estimatorError(optimizer: HasCurvature, exact: ExactFisher): BlockError[] {
  return optimizer
    .curvature()
    .blocks.filter(({ names }) => names.some((name) => exact.names.includes(name)))
    .map((block) => {
      const { variables, structure } = block.summary();
      return { variables, structure, ...difference(block.toDense(), exact.dense(block.names)) };
    });
}

function difference(
  approximate: Float64Array,
  truth: Float64Array,
): { relativeError: number; cosine: number } {
  let [error, own, exact, product] = [0, 0, 0, 0];
  truth.forEach((value, at) => {
    error += (approximate[at] - value) ** 2;
    own += approximate[at] ** 2;
    exact += value ** 2;
    product += approximate[at] * value;
  });
  if (error === 0) return { relativeError: 0, cosine: 1 };
  const lengths = Math.sqrt(own * exact);
  return { relativeError: Math.sqrt(error / exact), cosine: lengths > 0 ? product / lengths : 0 };
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
