import * as tf from '@tensorflow/tfjs';

import { NatgradError } from '../errors';
import type { Host } from '../host/host';
import type { FloatArray } from '../linalg/jobs';
import type { Recording } from '../tape/types';
import type { HeadValues } from './estimator';
import { headValues, type LikelihoodHead } from './heads';
import { factorTransposedProduct, fisherProduct } from './outputProducts';

/** One array per head: a direction of its parameters, [rows, columns] each. */
export type OutputVectors = Float32Array[];

/**
 * The exact Fisher matrix of a recorded batch, as products with vectors: no matrix is formed.
 *
 *     F = (1/N) sum over examples of J'H J
 *
 * with J the Jacobian of the outputs in the weights and H the Fisher matrix in the outputs, which for the distributions of this package
 * makes F the generalised Gauss-Newton matrix too (N. Schraudolph, "Fast curvature matrix-vector products for second-order gradient
 * descent", 2002). J v is one forward walk over the tape and J'u one reverse walk, each about as costly as a forward pass of the
 * network.
 *
 * Valid while the recording's tape is. Rows of a batch that the network mixes (as batch normalisation does) are mixed here too.
 */
export class GaussNewton {
  /** The heads' values at the weights of the recording; copies. */
  readonly values: readonly HeadValues[];

  /**
   * @param heads not empty
   * @param variables whose values are the weights, in the order in which vectors list their arrays
   * @throws NatgradError ERR_NATGRAD_LIKELIHOOD if a likelihood lacks the methods for H, or its parameters were released
   */
  constructor(
    private readonly recording: Recording,
    private readonly heads: readonly LikelihoodHead[],
    private readonly variables: readonly tf.Variable[],
    private readonly host: Host,
  ) {
    this.values = headValues(recording, heads, host);
    this.values.forEach(requireProducts);
  }

  /** J v: the change of every head along `vector`, which has one array per variable. */
  outputs(vector: readonly FloatArray[]): OutputVectors {
    let outputs: OutputVectors = [];
    // A tidy looks for tensors in whatever it returns, element by element, so nothing is returned.
    tf.tidy(() => {
      const tangents = new Map(
        this.variables.map(({ id, shape }, i) => [
          id,
          this.host.create(shape, (values) => values.set(vector[i])),
        ]),
      );
      const found = this.recording.tangent(
        tangents,
        this.heads.map(({ parameters }) => parameters),
      );
      outputs = this.heads.map(({ parameters: { id, size } }) => {
        const tangent = found.get(id);
        return tangent ? this.host.read(tangent).slice() : new Float32Array(size);
      });
    });
    return outputs;
  }

  /** v'F w = (1/N) sum (B'J v)'(B'J w), from J v and J w. */
  inner(jv: OutputVectors, jw: OutputVectors): number {
    let sum = 0;
    this.values.forEach((head, i) => {
      const left = factorTransposedProduct(head, jv[i]);
      const right = jw === jv ? left : factorTransposedProduct(head, jw[i]);
      for (let at = 0; at < left.length; at++) sum += left[at] * right[at];
    });
    return sum / this.recording.examples;
  }

  /** F v, one array per variable. */
  multiply(vector: readonly FloatArray[]): Float32Array[] {
    const jv = this.outputs(vector);
    const { examples } = this.recording;
    let product: Float32Array[] = [];
    tf.tidy(() => {
      const seeds = new Map<number, tf.Tensor>();
      this.values.forEach((head, i) => {
        const fisher = fisherProduct(head, jv[i]);
        const { id, shape } = this.heads[i].parameters;
        const seed = this.host.create(shape, (values) => {
          for (let at = 0; at < values.length; at++) values[at] = fisher[at] / examples;
        });
        const earlier = seeds.get(id);
        seeds.set(id, earlier ? tf.add(earlier, seed) : seed);
      });
      const gradients = this.recording.backward(seeds, this.variables);
      product = this.variables.map(({ id, size }) => {
        const gradient = gradients.get(id);
        return gradient ? this.host.read(gradient).slice() : new Float32Array(size);
      });
    });
    return product;
  }
}

function requireProducts(head: HeadValues): void {
  const { likelihood, parameters, probabilities } = head;
  const { needs = 'parameters', distribution } = likelihood;
  if (!likelihood.factorColumns || !likelihood.factorColumn) {
    throw new NatgradError(
      'ERR_NATGRAD_LIKELIHOOD',
      `The likelihood '${distribution}' has no factorColumns() and factorColumn(), which products with the exact Fisher matrix need; implement them.`,
    );
  }
  if (!parameters && (needs === 'parameters' || (needs === 'parametersOrProbabilities' && !probabilities))) {
    throw new NatgradError(
      'ERR_NATGRAD_LIKELIHOOD',
      `The values of the '${distribution}' output were released before the loss was there; mark the output with ` +
        '`observe(output, distribution)` inside the loss.',
    );
  }
}
