import { NatgradError, requireKeys } from '../errors';
import { eigh } from '../linalg/eigh';
import type { FloatArray } from '../linalg/jobs';
import type { BlockView } from '../optimizer/curvatureView';

/** What the eigenvalues of a block say about it. */
export interface BlockSpectrum {
  /** How many parameters the block has. */
  size: number;
  trace: number;
  /** Of block + damping; -Infinity where that is singular. */
  logDeterminant: number;
  frobeniusNorm: number;
  /** Extreme eigenvalues, without damping. */
  largest: number;
  smallest: number;
  /** (largest + damping) / (smallest + damping). */
  conditionNumber: number;
  /** trace / largest: in how many directions the curvature lies. */
  stableRank: number;
}

export interface BlockSpectrumOptions {
  /** Default 0. */
  damping?: number;
  /** Blocks that are not Kronecker factored and have more parameters are refused. Default 4096. */
  largestDense?: number;
}

/**
 * Trace, log-determinant, norm and condition of one block of an optimizer's curvature. Of a Kronecker product A (x) G the eigenvalues are the
 * products of those of A and G, so that no matrix of its size is formed:
 *
 *     tr = tr A tr G,   log det = sum_ij log(a_i g_j + damping),   |.|_F = |A|_F |G|_F
 *
 * Every other block is made dense.
 *
 * @param block one of `optimizer.curvature().blocks`
 * @throws NatgradError ERR_NATGRAD_NO_MEMORY if the block would have to be made dense and is larger than `largestDense`; ERR_NATGRAD_ARGUMENT
 *   for an unknown option
 */
export function blockSpectrum(block: BlockView, options: BlockSpectrumOptions = {}): BlockSpectrum {
  requireKeys(options, ['damping', 'largestDense'], 'options');
  const { damping = 0, largestDense = 4096 } = options;
  const size = block.sizes.reduce((sum, length) => sum + length, 0);
  const { structure } = block.summary();
  const { A, G } = block.state();
  if (structure === 'Kronecker factored' || structure === 'diagonal (x) Kronecker factor') {
    const outputs = eigenvalues(G);
    const inputs = A.length * outputs.length === size ? Float64Array.from(A) : eigenvalues(A);
    return kroneckerSpectrum(inputs, outputs, damping);
  }
  if (size > largestDense) {
    throw new NatgradError(
      'ERR_NATGRAD_NO_MEMORY',
      `The block of ${block.names.join(', ')} has ${size} parameters, so that its ${structure} matrix would take ${8 * size ** 2} bytes; ` +
        'raise largestDense, or use lanczos with optimizer.curvature().multiply.',
    );
  }
  return kroneckerSpectrum(eigenvalues(block.toDense()), Float64Array.of(1), damping);
}

/** Of A (x) G, from the eigenvalues of the two. */
function kroneckerSpectrum(a: Float64Array, g: Float64Array, damping: number): BlockSpectrum {
  const spectrum = { trace: 0, logDeterminant: 0, square: 0, largest: -Infinity, smallest: Infinity };
  for (const input of a) {
    for (const output of g) {
      const value = input * output;
      spectrum.trace += value;
      spectrum.logDeterminant += Math.log(Math.max(value + damping, 0));
      spectrum.square += value * value;
      spectrum.largest = Math.max(spectrum.largest, value);
      spectrum.smallest = Math.min(spectrum.smallest, value);
    }
  }
  const { square, ...found } = spectrum;
  return {
    size: a.length * g.length,
    ...found,
    frobeniusNorm: Math.sqrt(square),
    conditionNumber: (found.largest + damping) / (found.smallest + damping),
    stableRank: found.trace / found.largest,
  };
}

/** Those of a positive semi-definite matrix: what rounding leaves below 0 is 0. */
function eigenvalues(matrix: FloatArray): Float64Array {
  return eigh(Float64Array.from(matrix)).values.map((value) => Math.max(value, 0));
}
