import { NatgradError } from '../errors';
import type { Likelihood, Outputs } from './likelihood';
import type { RandomStream } from './random';

/**
 * How the Fisher matrix of a batch is estimated, with J the Jacobian of a row's outputs and H = B B' its Fisher in the outputs.
 *
 * - 'sampled': targets are drawn from the model's own predictive distribution and d(-log p)/df is sent back. Unbiased for the
 *   Fisher matrix; one backward pass per draw.
 * - 'exact': every column of B is sent back by itself; the sum of their second moments is J' H J without noise. As many backward
 *   passes as B has columns (the number of classes or outputs). Where the network mixes rows (time steps of a recurrent layer),
 *   J' H J is what it is in expectation only, see `backwardVectors`.
 * - 'gaussNewton': the generalised Gauss-Newton matrix J' H J with H the Hessian of the loss in the outputs. The likelihoods of this package
 *   have the Fisher matrix for H (see {@link Likelihood}), so that it is 'exact' under another name.
 * - 'curvaturePropagation': B v is sent back, v having random signs +1 or -1 for elements, so that E[B v v' B'] = B B'. One backward pass
 *   per draw, like 'sampled', but without its noise in rows that have one output (J. Martens, I. Sutskever and K. Swersky, "Estimating
 *   the Hessian by back-propagating curvature", 2012).
 * - 'empirical': the true gradient, whose backward pass training makes anyway. Not the Fisher matrix (F. Kunstner, L. Balles and
 *   P. Hennig, "Limitations of the empirical Fisher approximation for natural gradient descent", 2019), but free.
 */
export type Estimator = 'sampled' | 'exact' | 'gaussNewton' | 'curvaturePropagation' | 'empirical';

/** The estimators whose number of draws can be chosen. */
export const drawing: readonly Estimator[] = ['sampled', 'curvaturePropagation'];

/** One tensor that parameterises a predictive distribution, read out. */
export interface HeadValues extends Outputs {
  likelihood: Likelihood;
  /**
   * The loss of a row is `scale * -log p`: a loss weight, or 1/columns for a loss that averages Bernoulli columns. H and the
   * second moments of the vectors are multiplied by it. Positive; default 1.
   */
  scale?: number;
  /** The loss of row r is `weights[r]` times as large as that: 0 where it is masked. [rows], not negative; default 1. */
  weights?: Float32Array;
}

/** What one backward pass starts from. */
export interface BackwardVectors {
  /** Per head, [rows, columns]; null where the pass does not start from that head. Freshly allocated: the caller may keep them. */
  vectors: (Float32Array | null)[];
  /** What the statistics of this pass count for. The weights of all passes add up to 1. */
  weight: number;
}

/**
 * The vectors to send back through the network so that, per row and summed over the passes with their weights, E[u u'] is the block
 * diagonal matrix of the heads' H. Nothing is averaged over rows: no 1/N is in the vectors.
 *
 * - 'sampled': `draws` passes of weight 1/draws, each with an independent draw for every head. Heads are independent given the
 *   inputs, so their cross terms vanish in expectation.
 * - 'exact': K passes of weight 1/K, K the number of columns of B of all heads together, each with sqrt(K) times one column of one
 *   head. Equal weights keep statistics that do not depend on the vectors (the activations) from being counted K times. Every row
 *   has a random sign, which leaves u u' as it is and makes (sum over rows of u)(sum over rows of u)' an unbiased estimate of the sum
 *   over rows of u u' too (M. Hutchinson, "A stochastic estimator of the trace of the influence matrix", 1990).
 *
 * - 'curvaturePropagation': like 'sampled', with B v of independent random signs v for every row and head.
 *
 * 'empirical' has no vectors. Its gradients are those of the true loss, to be multiplied by the number of terms that the loss
 * averages over (rows of the heads), because the Fisher matrix is built from gradients of un-averaged losses.
 *
 * @param random where 'sampled' draws targets from, and the others signs
 * @throws NatgradError ERR_NATGRAD_SHAPE if a head's arrays do not hold rows x columns elements, its weights rows; ERR_NATGRAD_LIKELIHOOD if there is
 *   no head, if the values that a likelihood needs are missing, or if one of the user's own lacks what the estimator needs;
 *   ERR_NATGRAD_ARGUMENT for bad `draws`, `scale` or `weights`
 */
export function backwardVectors(
  estimator: Exclude<Estimator, 'empirical'>,
  heads: readonly HeadValues[],
  random: RandomStream,
  draws = 1,
): Iterable<BackwardVectors> {
  if (heads.length === 0) {
    throw new NatgradError(
      'ERR_NATGRAD_LIKELIHOOD',
      `heads is empty, and the estimator '${estimator}' needs a predictive distribution; use 'empirical', which needs none.`,
    );
  }
  heads.forEach((head, at) => checkHead(head, at, estimator));
  if (estimator === 'exact' || estimator === 'gaussNewton') return exactVectors(heads, random);
  if (!Number.isSafeInteger(draws) || draws < 1) {
    throw new NatgradError('ERR_NATGRAD_ARGUMENT', `draws is ${draws}; give a positive integer.`);
  }
  return drawnVectors(heads, draws, estimator === 'sampled' ? sampled(random) : propagated(random));
}

function* drawnVectors(
  heads: readonly HeadValues[],
  draws: number,
  draw: (head: HeadValues) => Float32Array,
): Generator<BackwardVectors> {
  for (let k = 0; k < draws; k++) {
    yield { vectors: heads.map((head) => weighted(draw(head), head, 1)), weight: 1 / draws };
  }
}

function sampled(random: RandomStream): (head: HeadValues) => Float32Array {
  return (head) => {
    const vector = new Float32Array(head.rows * head.columns);
    head.likelihood.sample(head, random, vector);
    return vector;
  };
}

/** B v: the columns of B, each row of each with a random sign, added up. */
function propagated(random: RandomStream): (head: HeadValues) => Float32Array {
  return (head) => {
    const total = new Float32Array(head.rows * head.columns);
    const column = new Float32Array(total.length);
    const count = head.likelihood.factorColumns(head.columns);
    for (let c = 0; c < count; c++) {
      head.likelihood.factorColumn(head, c, column);
      withRandomSigns(column, head.columns, random);
      for (let i = 0; i < total.length; i++) total[i] += column[i];
    }
    return total;
  };
}

function* exactVectors(heads: readonly HeadValues[], random: RandomStream): Generator<BackwardVectors> {
  const counts = heads.map((head) => head.likelihood.factorColumns(head.columns));
  const passes = counts.reduce((sum, count) => sum + count, 0);
  for (const [at, head] of heads.entries()) {
    for (let column = 0; column < counts[at]; column++) {
      const vector = new Float32Array(head.rows * head.columns);
      head.likelihood.factorColumn(head, column, vector);
      weighted(vector, head, passes);
      withRandomSigns(vector, head.columns, random);
      yield { vectors: heads.map((_, other) => (other === at ? vector : null)), weight: 1 / passes };
    }
  }
}

/** Multiplies every row by +1 or -1: u u' stays what it is, and the rows become uncorrelated in a sum over them. */
function withRandomSigns(vector: Float32Array, columns: number, random: RandomStream): void {
  for (let begin = 0; begin < vector.length; begin += columns) {
    if (random.uniform() < 0.5) for (let i = begin; i < begin + columns; i++) vector[i] = -vector[i];
  }
}

/** Multiplies every row by the root of how much it counts. */
function weighted(
  vector: Float32Array,
  { scale = 1, weights, columns }: HeadValues,
  factor: number,
): Float32Array {
  for (let i = 0; i < vector.length; i++) {
    vector[i] *= Math.sqrt(factor * scale * (weights ? weights[Math.floor(i / columns)] : 1));
  }
  return vector;
}

function checkHead(head: HeadValues, at: number, estimator: Exclude<Estimator, 'empirical'>): void {
  const { likelihood, parameters, probabilities, rows, columns, scale, weights } = head;
  const needed =
    estimator === 'sampled' ? (['sample'] as const) : (['factorColumns', 'factorColumn'] as const);
  for (const method of needed) {
    if (typeof likelihood[method] !== 'function') {
      throw new NatgradError(
        'ERR_NATGRAD_LIKELIHOOD',
        `heads[${at}].likelihood has no ${method}(), which the estimator '${estimator}' needs; implement it or choose another estimator.`,
      );
    }
  }
  const { needs = 'parameters', distribution } = likelihood;
  if (!parameters && (needs === 'parameters' || (needs === 'parametersOrProbabilities' && !probabilities))) {
    throw new NatgradError(
      'ERR_NATGRAD_LIKELIHOOD',
      `The values of the '${distribution}' output ${at} were released before the loss was there; mark the output with ` +
        "`observe(output, distribution)` inside the loss, or use `fisher: 'empirical'`.",
    );
  }
  const size = rows * columns;
  for (const [name, values] of Object.entries({ parameters, probabilities })) {
    if (values !== undefined && values.length !== size) {
      throw new NatgradError(
        'ERR_NATGRAD_SHAPE',
        `heads[${at}].${name} has ${values.length} elements; ${rows} rows of ${columns} columns need ${size}.`,
      );
    }
  }
  if (scale !== undefined && !(Number.isFinite(scale) && scale > 0)) {
    throw new NatgradError('ERR_NATGRAD_ARGUMENT', `heads[${at}].scale is ${scale}; give a positive number.`);
  }
  if (weights && weights.length !== rows) {
    throw new NatgradError(
      'ERR_NATGRAD_SHAPE',
      `heads[${at}].weights has ${weights.length} elements; there are ${rows} rows.`,
    );
  }
  if (weights?.some((weight) => weight < 0)) {
    throw new NatgradError('ERR_NATGRAD_ARGUMENT', `heads[${at}].weights holds a negative number.`);
  }
}
