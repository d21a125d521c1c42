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

/** Every start gets a short run, and the best few are brought to their minimum. */
const shortRun = 12;
const longRun = 100;
const finalists = 3;

/** A run ends where a step makes less than this of the error. */
const smallestGain = 1e-6;

/**
 * The rational function of a type that is closest to `f` on an interval, in least squares over 401 equally spaced points: the best of
 * Levenberg-Marquardt runs (D. Marquardt, "An algorithm for least-squares estimation of nonlinear parameters", 1963) from several
 * denominators, those of linearised fits among them. In versions N and boulle only denominators that are positive on the points
 * are taken; of boulle's coefficients, whose common factor is free, b_0 is 1.
 *
 * @param f finite on the interval
 * @throws NatgradError ERR_NATGRAD_TYPE if `f` is no function, ERR_NATGRAD_ARGUMENT for a type, version or interval out of range,
 *   ERR_NATGRAD_NOT_FINITE if `f` is not finite somewhere, ERR_NATGRAD_NOT_CONVERGED if no run gives a finite function
 *
 * @example
 * fitRational(Math.tanh, { type: [3, 2], version: 'A' }).maxError; // 0.0019
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
  const candidates = starts(problem, type)
    .map((parameters) => minimise(problem, { parameters, error: errorOf(problem, parameters) }, shortRun))
    .sort((one, other) => one.error - other.error)
    .slice(0, finalists)
    .map((candidate) => minimise(problem, candidate, longRun));
  const best = candidates.reduce((one, other) => (other.error < one.error ? other : one));
  if (best.error === Infinity) {
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

/** Parameters to start from: the iterates of the linearised fit, and plain denominators with the numerators that suit them. */
function starts(problem: Problem, [, n]: RationalType): Float64Array[] {
  const { firstPower } = rationalForm(problem.version);
  const shapes: ((j: number) => number)[] = [
    () => 0.5,
    (j) => (j % 2 === 0 ? 0.5 : -0.5),
    (j) => (j % 2 === 0 ? 1 : 0.01),
    (j) => (j % 2 === 0 ? 0.01 : 0.3),
    () => 0.01,
  ];
  const denominators = shapes.map((shape) =>
    Float64Array.from({ length: n + 1 - firstPower }, (_, k) =>
      k + firstPower === 0 ? 1 : shape(k + firstPower),
    ),
  );
  return [...linearised(problem, denominators[4]), ...denominators.map((b) => withNumerator(problem, b))];
}

/**
 * Minimises sum (P - f Q)^2 / Q_old^2, which is linear in all coefficients as long as S is positive, and lets the new Q take the place of the
 * old one (C. Sanathanan and J. Koerner, "Transfer function synthesis as a ratio of two complex polynomials", 1963). Where the terms
 * of Q are taken absolutely, coefficients that come out negative are brought back to the smallest scale.
 */
function linearised(problem: Problem, denominator: Float64Array): Float64Array[] {
  const { version, x, target, numeratorSize: m } = problem;
  const { constant, firstPower, sum } = rationalForm(version);
  const fixed = version === 'boulle' ? 1 : 0; // b_0 = 1
  const size = m + denominator.length - fixed;
  const found: Float64Array[] = [];
  let b = denominator;
  for (let iteration = 0; iteration < 8; iteration++) {
    const reciprocal = new RationalFunction(version, [1], b);
    const normal = new Float64Array(size * size);
    const right = new Float64Array(size);
    const row = new Float64Array(size);
    x.forEach((point, i) => {
      const weight = reciprocal.at(point) ** 2;
      const u = sum === 'termwise' ? Math.abs(point) : point;
      for (let k = 0; k < m; k++) row[k] = point ** k;
      for (let k = m; k < size; k++) row[k] = -target[i] * u ** (k - m + firstPower + fixed);
      for (let k = 0; k < size; k++) {
        right[k] += weight * row[k] * target[i] * (fixed || constant);
        for (let l = 0; l <= k; l++) normal[k * size + l] += weight * row[k] * row[l];
      }
    });
    for (let k = 0; k < size; k++) normal[k * size + k] *= 1 + 1e-11;
    const solution = solve(normal, right);
    if (!solution) break;
    const free = solution.subarray(m).map((value) => (sum === 'termwise' ? Math.max(value, 1e-2) : value));
    b = Float64Array.of(...(fixed ? [1] : []), ...free);
    const parameters = withNumerator(problem, b);
    if (errorOf(problem, parameters) === Infinity) break;
    found.push(parameters);
  }
  return found;
}

/** The parameters with that denominator and the numerator that goes best with it, which is a linear problem. */
function withNumerator(problem: Problem, denominator: Float64Array): Float64Array {
  const { numeratorSize } = problem;
  const parameters = new Float64Array(numeratorSize + denominator.length);
  parameters.set(denominator, numeratorSize);
  const { normal, gradient, size } = normalEquations(problem, parameters);
  const square = new Float64Array(numeratorSize * numeratorSize);
  for (let i = 0; i < numeratorSize; i++) {
    for (let j = 0; j <= i; j++) square[i * numeratorSize + j] = normal[i * size + j];
    square[i * numeratorSize + i] *= 1 + 1e-12;
  }
  const step = solve(square, gradient.subarray(0, numeratorSize));
  if (step) parameters.set(step);
  return parameters;
}

/** Levenberg-Marquardt: (J'J + lambda diag J'J) step = J' difference, with lambda raised until the step helps. */
function minimise(problem: Problem, start: Candidate, iterations: number): Candidate {
  if (start.error === Infinity) return start;
  let current = start;
  let equations = normalEquations(problem, current.parameters);
  let lambda = 1e-3;
  for (let i = 0; i < iterations && lambda < 1e12; i++) {
    const { normal, gradient, size } = equations;
    const damped = normal.slice();
    for (let k = 0; k < size; k++) damped[k * size + k] += lambda * (normal[k * size + k] + 1e-12);
    const step = solve(damped, gradient);
    const parameters = step && current.parameters.map((value, k) => value + step[k]);
    const error = parameters ? errorOf(problem, parameters) : Infinity;
    if (!parameters || !(error < current.error)) {
      lambda *= 4;
      continue;
    }
    const gain = current.error - error;
    current = { parameters, error };
    if (gain < smallestGain * error) break;
    equations = normalEquations(problem, parameters);
    lambda = Math.max(lambda / 5, 1e-12);
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

/** J'J, its lower triangle, and J'(target - y), J the derivatives by the parameters. */
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
      for (let l = 0; l <= k; l++) normal[k * size + l] += row[k] * row[l];
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
