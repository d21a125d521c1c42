import { parameterCount, type BlockSummary, type CurvatureBlock } from '../block';

/** The summary of a block, given what only its structure knows; by default there is no finer structure on offer. */
export function summaryOf(
  { shape, structure }: CurvatureBlock,
  { matrices, bytes, reason = '' }: Pick<BlockSummary, 'matrices' | 'bytes'> & { reason?: string },
): BlockSummary {
  return {
    variables: shape.names.join(', '),
    structure,
    matrices,
    parameters: parameterCount(shape),
    bytes,
    reason,
  };
}
