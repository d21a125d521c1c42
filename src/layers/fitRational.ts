import { NatgradError } from '../errors';
import type { RationalVersion } from '../linalg/jobs';
import { choleskyInverse } from '../linalg/reference/cholesky';
import { RationalFunction, rationalForm } from '../linalg/reference/rational';
import { requireType, requireVersion, type RationalType } from './rationalType';

export interface FitOptions {
  /** Degrees [m, n] of numerator and denominator, each from 1 to 16. Default [3, 2]. */
  type?: RationalType;
  /** What the denominator is, see {@link RationalVersion}. Default 'B'. */
  version?: RationalVersion;
  /** Where the fit is to hold. Default [-3, 3]. */
  interval?: [number, number];
}

/** Coefficients of one rational function, lowest power first. */
export interface RationalCoefficients {
  /** a_0 ... a_m. */
  numerator: number[];
  /** b_1 ... b_n; b_0 ... b_n in versions C and boulle. */
  denominator: number[];
}

/** Coefficients with what they are worth. */
export interface RationalFit extends RationalCoefficients {
  /** Largest and root mean square difference from the function, on the points of the fit. */
  maxError: number;
  rmsError: number;
}

const points = 401;
const iterations = 200;

/**
 * The rational function of a type that is closest to `f` on an interval, in least squares over 401 equally spaced points: the best of
 * Levenberg-Marquardt runs (D. Marquardt, "An algorithm for least-squares estimation of nonlinear parameters", 1963) from several
 * denominators, each with the numerator that suits it best. In versions N and boulle only denominators that are positive on the points
 * are taken; of boulle's coefficients, whose common factor is free, b_0 is 1.
 *
 * @param f finite on the interval
 * @throws NatgradError ERR_NATGRAD_TYPE if `f` is no function, ERR_NATGRAD_ARGUMENT for a type, version or interval out of range,
 *   ERR_NATGRAD_NOT_FINITE if `f` is not finite somewhere, ERR_NATGRAD_NOT_CONVERGED if no run gives a finite function
 *
 * @example
 * fitRational(Math.tanh, { type: [3, 2], version: 'A' }).maxError; // 0.07
 */
export function fitRational(
  f: (x: number) => number,
  { type = [3, 2], version = 'B', interval = [-3, 3] }: FitOptions = {},
): RationalFit {
  if (typeof f !== 'function') {
    throw new NatgradError(
      'ERR_NATGRAD_TYPE',
      `f is ${String(f)}; give a function of a number, e.g. Math.tanh.`,
    );
  }
  requireVersion(version);
  requireType(type);
  const [low, high] = interval;
  if (!Number.isFinite(low) || !Number.isFinite(high) || !(low < high)) {
    throw new NatgradError(
      'ERR_NATGRAD_ARGUMENT',
      `interval is [${interval.join(', ')}]; give two finite numbers, the smaller one first.`,
    );
  }
  // In units of the largest |x| the powers of x stay comparable.
  const unit = Math.max(Math.abs(low), Math.abs(high));
  const x = Float64Array.from({ length: points }, (_, i) => (low + ((high - low) * i) / (points - 1)) / unit);
  const target = x.map((value) => f(value * unit));
  const bad = target.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) {
    throw new NatgradError(
      'ERR_NATGRAD_NOT_FINITE',
      `f is ${target[bad]} at ${x[bad] * unit}; give a function that is finite on the interval.`,
    );
  }

  const [m] = type;
  const problem: Problem = { version, x, target, numeratorSize: m + 1 };
  let best: Candidate | null = null;
  for (const denominator of denominators(version, type)) {
    const found = minimise(problem, withNumerator(problem, denominator));
    if (found.error < (best?.error ?? Infinity)) best = found;
  }
  if (best === null) {
    throw new NatgradError(
      'ERR_NATGRAD_NOT_CONVERGED',
      `No rational function of type [${type.join(', ')}] in version ${version} was found for f; try another version or a smaller interval.`,
    );
  }
  const { firstPower } = rationalForm(version);
  const scale = version === 'boulle' ? 1 / best.parameters[m + 1] : 1;
  const coefficients = Array.from(best.parameters, (value, k) => {
    const power = k <= m ? k : k - m - 1 + firstPower;
    return (scale * value) / unit ** power;
  });
  const numerator = coefficients.slice(0, m + 1);
  const denominator = coefficients.slice(m + 1);
  const y = new RationalFunction(version, numerator, denominator);
  const differences = Array.from(x, (value, i) => Math.abs(y.at(value * unit) - target[i]));
  return {
    numerator,
    denominator,
    maxError: Math.max(...differences),
    rmsError: Math.sqrt(differences.reduce((sum, d) => sum + d * d, 0) / points),
  };
}

interface Problem {
  version: RationalVersion;
  x: Float64Array;
  target: Float64Array;
  numeratorSize: number;
}

interface Candidate {
  /** a_0 ... a_m, then the b_j. */
  parameters: Float64Array;
  /** Sum of squared differences; infinite where the function has a pole on the points or between two of them. */
  error: number;
}

/** Denominators to start from: all powers alike, alternating, the even powers, the odd ones; none of the coefficients is zero. */
function denominators(version: RationalVersion, [, n]: RationalType): Float64Array[] {
  const { firstPower } = rationalForm(version);
  const shapes: ((j: number) => number)[] = [
    () => 0.5,
    (j) => (j % 2 === 0 ? 0.5 : -0.5),
    (j) => (j % 2 === 0 ? 1 : 0.01),
    (j) => (j % 2 === 0 ? 0.01 : 0.3),
    (j) => (j % 2 === 0 ? 5 / j : 0.1),
    () => 0.01,
  ];
  return shapes.map((shape) =>
    Float64Array.from({ length: n + 1 - firstPower }, (_, k) =>
      k + firstPower === 0 ? 1 : shape(k + firstPower),
    ),
  );
}

/** The parameters with that denominator and the numerator that goes best with it, which is a linear problem. */
function withNumerator(problem: Problem, denominator: Float64Array): Float64Array {
  const { numeratorSize } = problem;
  const parameters = new Float64Array(numeratorSize + denominator.length);
  parameters.set(denominator, numeratorSize);
  const { normal, gradient, size } = normalEquations(problem, parameters);
  const square = new Float64Array(numeratorSize * numeratorSize);
  for (let i = 0; i < numeratorSize; i++) {
    for (let j = 0; j < numeratorSize; j++) square[i * numeratorSize + j] = normal[i * size + j];
    square[i * numeratorSize + i] *= 1 + 1e-12;
  }
  const step = solve(square, gradient.subarray(0, numeratorSize));
  if (step) parameters.set(step);
  return parameters;
}

/** Levenberg-Marquardt: (J'J + lambda diag J'J) step = J' difference, with lambda raised until the step helps. */
function minimise(problem: Problem, start: Float64Array): Candidate {
  let current: Candidate = { parameters: start, error: errorOf(problem, start) };
  let lambda = 1e-3;
  for (let i = 0; i < iterations && lambda < 1e12 && current.error < Infinity; i++) {
    const { normal, gradient, size } = normalEquations(problem, current.parameters);
    const damped = normal.slice();
    for (let k = 0; k < size; k++) damped[k * size + k] += lambda * (normal[k * size + k] + 1e-12);
    const step = solve(damped, gradient);
    const parameters = step && current.parameters.map((value, k) => value + step[k]);
    const error = parameters ? errorOf(problem, parameters) : Infinity;
    if (parameters && error < current.error) {
      const gain = current.error - error;
      current = { parameters, error };
      lambda = Math.max(lambda / 5, 1e-12);
      if (gain < 1e-14 * error) break;
    } else {
      lambda *= 4;
    }
  }
  return current;
}

function functionOf({ version, numeratorSize }: Problem, parameters: Float64Array): RationalFunction {
  return new RationalFunction(
    version,
    parameters.subarray(0, numeratorSize),
    parameters.subarray(numeratorSize),
  );
}

function errorOf(problem: Problem, parameters: Float64Array): number {
  const { x, target, numeratorSize, version } = problem;
  const y = functionOf(problem, parameters);
  const one = new RationalFunction(version, [1], parameters.subarray(numeratorSize));
  let error = 0;
  for (let i = 0; i < x.length; i++) {
    if (!(one.at(x[i]) > 0)) return Infinity;
    error += (y.at(x[i]) - target[i]) ** 2;
  }
  return Number.isNaN(error) ? Infinity : error;
}

/** J'J and J'(target - y), J the derivatives by the parameters. */
function normalEquations(
  problem: Problem,
  parameters: Float64Array,
): { normal: Float64Array; gradient: Float64Array; size: number } {
  const { x, target } = problem;
  const size = parameters.length;
  const y = functionOf(problem, parameters);
  const row = new Float64Array(size);
  const normal = new Float64Array(size * size);
  const gradient = new Float64Array(size);
  for (let i = 0; i < x.length; i++) {
    y.differentiate(x[i], row);
    const difference = target[i] - y.at(x[i]);
    for (let k = 0; k < size; k++) {
      gradient[k] += row[k] * difference;
      for (let l = 0; l < size; l++) normal[k * size + l] += row[k] * row[l];
    }
  }
  return { normal, gradient, size };
}

function solve(matrix: Float64Array, right: Float64Array): Float64Array | null {
  const size = right.length;
  const inverse = choleskyInverse(matrix, size);
  return (
    inverse && right.map((_, i) => right.reduce((sum, value, j) => sum + inverse[i * size + j] * value, 0))
  );
}
