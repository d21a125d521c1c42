/**
 * Mirror maps: the gradients of convex potentials, between a variable and the dual coordinates in which mirror descent steps
 * (A. Nemirovski and D. Yudin, "Problem complexity and method efficiency in optimization", 1983).
 */
import { NatgradError, requireKeys, shown } from '../errors';
import type { FloatArray } from '../linalg/jobs';
import { matchesName, namePatterns, type NamePattern } from '../names';

/** A potential of the user's own, strictly convex and differentiable, by its gradient and the inverse of that. */
export interface OwnPotential {
  /** Dual coordinates of a variable, as many as it has elements; row-major. */
  gradient: (weights: FloatArray, shape: number[]) => ArrayLike<number>;
  /** The variable with these dual coordinates. */
  inverseGradient: (dual: FloatArray, shape: number[]) => ArrayLike<number>;
}

/**
 * 'quadratic': half the square in the metric of the curvature, whose mirror step is the natural-gradient step itself.
 * 'negativeEntropy': sum p log p of every row (last axis) of a variable on the simplex; the step is the exponentiated gradient.
 * 'logPartition': log sum exp of every row of logits, with the mean parameters softmax as dual coordinates.
 */
export type Potential = 'quadratic' | 'negativeEntropy' | 'logPartition' | OwnPotential;

/** Which potential the variables with matching names have. */
export interface PotentialRule {
  match: NamePattern;
  potential: Potential;
}

export interface MirrorMap {
  /** grad G(weights). @throws NatgradError ERR_NATGRAD_ARGUMENT where the weights are outside the domain of the potential */
  toDual(weights: FloatArray, shape: number[]): Float64Array;
  /**
   * (grad G)^-1(dual), on the simplex with the projection to it. `previous` are the weights that the step came from.
   *
   * @throws NatgradError ERR_NATGRAD_NOT_FINITE where there is no such point
   */
  toPrimal(dual: FloatArray, previous: FloatArray, shape: number[]): Float64Array;
}

/** How close a step may come to where the dual coordinates end: this share of the way there. */
const fractionToBoundary = 0.99;

/** grad G(p) = log p + 1; back with p = softmax(dual), the projection in the divergence of G, Kullback and Leibler's. */
export const negativeEntropy: MirrorMap = {
  toDual(weights) {
    const dual = Float64Array.from(weights, Math.log);
    if (weights.some((p) => !(p > 0))) {
      throw new NatgradError(
        'ERR_NATGRAD_ARGUMENT',
        "A variable with the potential 'negativeEntropy' has an element that is not above 0; start its rows from positive shares, " +
          'for example 1 / columns each.',
      );
    }
    return dual.map((value) => value + 1);
  },
  toPrimal: (dual, _, shape) => finite(softmaxRows(dual, shape), 'negativeEntropy'),
};

/**
 * grad G(theta) = softmax(theta) = mu; back with theta = log mu + c, where c is log sum exp of the previous row, so that no step leaves
 * theta as it is. The dual coordinates end where a mean parameter is 0: a step that would go beyond goes 0.99 of the way there.
 */
export const logPartition: MirrorMap = {
  toDual: (weights, shape) => softmaxRows(weights, shape),
  toPrimal(dual, previous, shape) {
    const before = softmaxRows(previous, shape);
    const columns = columnsOf(shape);
    const theta = new Float64Array(dual.length);
    for (let begin = 0; begin < dual.length; begin += columns) {
      const mean = before.subarray(begin, begin + columns);
      const step = mean.map((mu, i) => dual[begin + i] - mu);
      const length = step.reduce(
        (t, d, i) => (d < 0 ? Math.min(t, fractionToBoundary * (mean[i] / -d)) : t),
        1,
      );
      const after = mean.map((mu, i) => mu + length * step[i]);
      const total = after.reduce((sum, mu) => sum + mu, 0);
      const constant = logSumExp(previous.subarray(begin, begin + columns));
      after.forEach((mu, i) => (theta[begin + i] = Math.log(mu / total) + constant));
    }
    return finite(theta, 'logPartition');
  },
};

function own({ gradient, inverseGradient }: OwnPotential): MirrorMap {
  const checked = (values: ArrayLike<number>, length: number, name: string) => {
    if (values?.length !== length) {
      throw new NatgradError(
        'ERR_NATGRAD_SHAPE',
        `${name} of a potential gave ${values?.length} values for ${length}; return one per element of the variable.`,
      );
    }
    return finite(Float64Array.from(values), name);
  };
  return {
    toDual: (weights, shape) => checked(gradient(weights, shape), weights.length, 'gradient'),
    toPrimal: (dual, _, shape) => checked(inverseGradient(dual, shape), dual.length, 'inverseGradient'),
  };
}

/** The map of the first rule that a variable's name matches; undefined for the quadratic potential and where none does. */
export function mirrorMapOf(rules: readonly PotentialRule[], name: string): MirrorMap | undefined {
  const potential = rules.find(({ match }) => matchesName(match, name))?.potential ?? 'quadratic';
  if (typeof potential === 'object') return own(potential);
  return { quadratic: undefined, negativeEntropy, logPartition }[potential];
}

/**
 * Checks the option `potentials`.
 *
 * @throws NatgradError ERR_NATGRAD_TYPE or ERR_NATGRAD_ARGUMENT naming what is wrong
 */
export function requirePotentials(rules: unknown): asserts rules is PotentialRule[] {
  if (!Array.isArray(rules)) {
    throw new NatgradError(
      'ERR_NATGRAD_TYPE',
      `potentials is ${shown(rules)}; give an array of {match, potential}.`,
    );
  }
  rules.forEach((rule: Partial<PotentialRule> | null, i) => {
    requireKeys(rule, ['match', 'potential'], `potentials[${i}]`);
    requirePotential(rule?.potential, `potentials[${i}].potential`);
    if (rule?.match === undefined) {
      throw new NatgradError(
        'ERR_NATGRAD_ARGUMENT',
        `potentials[${i}].match is missing; say which variables the potential is for.`,
      );
    }
    namePatterns(rule?.match, `potentials[${i}].match`);
  });
}

/** @throws NatgradError ERR_NATGRAD_ARGUMENT if it is no potential */
export function requirePotential(potential: unknown, name: string): asserts potential is Potential {
  const isOwn = (value: object): boolean => {
    const { gradient, inverseGradient } = value as Partial<OwnPotential>;
    return typeof gradient === 'function' && typeof inverseGradient === 'function';
  };
  const isObject = typeof potential === 'object' && potential !== null;
  if (
    isObject
      ? isOwn(potential)
      : ['quadratic', 'negativeEntropy', 'logPartition'].includes(potential as string)
  )
    return;
  const what = isObject
    ? 'an object without gradient and inverseGradient'
    : typeof potential === 'string'
      ? `'${potential}'`
      : typeof potential;
  throw new NatgradError(
    'ERR_NATGRAD_ARGUMENT',
    `${name} is ${what}; ` +
      "use 'quadratic', 'negativeEntropy', 'logPartition' or {gradient, inverseGradient}.",
  );
}

function columnsOf(shape: number[]): number {
  return shape[shape.length - 1] ?? 1;
}

function softmaxRows(values: FloatArray, shape: number[]): Float64Array {
  const columns = columnsOf(shape);
  const result = new Float64Array(values.length);
  for (let begin = 0; begin < values.length; begin += columns) {
    const row = values.subarray(begin, begin + columns);
    const total = logSumExp(row);
    row.forEach((value, i) => (result[begin + i] = Math.exp(value - total)));
  }
  return result;
}

function logSumExp(row: FloatArray): number {
  let largest = -Infinity;
  for (const value of row) largest = Math.max(largest, value);
  let total = 0;
  for (const value of row) total += Math.exp(value - largest);
  return largest + Math.log(total);
}

function finite(values: Float64Array, name: string): Float64Array {
  if (!values.every(Number.isFinite)) {
    throw new NatgradError(
      'ERR_NATGRAD_NOT_FINITE',
      `The mirror map (${name}) gave a value that is not finite; lower the learning rate.`,
    );
  }
  return values;
}
