import {
  logPartition,
  mirrorMapOf,
  negativeEntropy,
  requirePotentials,
  type MirrorMap,
} from '../../src/step/mirrorMap';
import { errorWithCode } from '../errorWithCode';
import { relativeError, solve } from '../support/matrices';

/** One mirror step, grad G(w) <- grad G(w) - a g. */
function step(
  map: MirrorMap,
  weights: Float64Array,
  gradient: Float64Array,
  a: number,
  shape: number[],
): Float64Array {
  const dual = map.toDual(weights, shape).map((value, i) => value - a * gradient[i]);
  return map.toPrimal(dual, weights, shape);
}

const softmax = (logits: ArrayLike<number>) => {
  const exponentials = Array.from(logits, Math.exp);
  const total = exponentials.reduce((sum, e) => sum + e, 0);
  return Float64Array.from(exponentials, (e) => e / total);
};

describe('mirror maps', () => {
  const logits = Float64Array.of(0.3, -0.5, 1.1, 0.2);
  const target = [0.1, 0.4, 0.2, 0.3];

  it('of the log partition: the step in logits is the natural-gradient step in the mean parameters', () => {
    // Oracle 20 (Raskutti and Mukherjee 2015): mu <- mu - a [grad^2 H(mu)]^-1 grad_mu L, H the negative entropy. In minimal coordinates
    // (the last class left out) the metric is diag(1/mu) + 1/mu_last, and the loss sum_i (mu_i - t_i)^2 / 2 has the gradient
    // (mu_i - t_i) - (mu_last - t_last).
    const mu = softmax(logits);
    const a = 0.37;
    const residual = mu.map((value, i) => value - target[i]);
    const metric = Float64Array.from({ length: 9 }, (_, at) => {
      const [i, j] = [Math.floor(at / 3), at % 3];
      return (i === j ? 1 / mu[i] : 0) + 1 / mu[3];
    });
    const dualGradient = Float64Array.from([0, 1, 2], (i) => residual[i] - residual[3]);
    const moved = [...solve(metric, dualGradient)].map((value, i) => mu[i] - a * value);
    const natural = [...moved, 1 - moved[0] - moved[1] - moved[2]];

    // The gradient by the logits, through the Jacobian diag(mu) - mu mu' of softmax.
    const inner = mu.reduce((sum, value, i) => sum + value * residual[i], 0);
    const gradient = mu.map((value, i) => value * (residual[i] - inner));
    const after = step(logPartition, logits, gradient, a, [4]);
    expect(relativeError(softmax(after), natural)).toBeLessThan(1e-12);
  });

  it('of the negative entropy: the exponentiated gradient, row by row', () => {
    // Oracle: p_i <- p_i exp(-a g_i) / Z (Kivinen and Warmuth, "Exponentiated gradient versus gradient descent", 1997).
    const p = Float64Array.of(0.2, 0.5, 0.3, 0.6, 0.3, 0.1);
    const g = Float64Array.of(1, -2, 0.5, 3, 0, -1);
    const rows = [0, 3].map((begin) => {
      const values = [0, 1, 2].map((i) => p[begin + i] * Math.exp(-0.7 * g[begin + i]));
      const total = values[0] + values[1] + values[2];
      return values.map((value) => value / total);
    });
    expect(relativeError(step(negativeEntropy, p, g, 0.7, [2, 3]), rows.flat())).toBeLessThan(1e-14);
  });

  it('of the negative entropy: the minimum of <g, p> + B(p, p_t) / a', () => {
    // Oracle: the definition of the step. No other point of the simplex has a smaller value.
    const p = Float64Array.of(0.2, 0.5, 0.3);
    const g = Float64Array.of(1, -2, 0.5);
    const a = 0.7;
    const objective = (q: ArrayLike<number>) =>
      [0, 1, 2].reduce((sum, i) => sum + g[i] * q[i] + (q[i] * Math.log(q[i] / p[i])) / a, 0);
    const best = step(negativeEntropy, p, g, a, [3]);
    for (const [i, j] of [
      [0, 1],
      [1, 2],
      [2, 0],
      [1, 0],
    ]) {
      const other = best.slice();
      other[i] += 1e-4;
      other[j] -= 1e-4;
      expect(objective(other)).toBeGreaterThan(objective(best));
    }
  });

  it('leaves the weights where they are without a gradient', () => {
    const none = new Float64Array(4);
    expect(relativeError(step(logPartition, logits, none, 1, [4]), logits)).toBeLessThan(1e-14);
    expect(relativeError(step(negativeEntropy, softmax(logits), none, 1, [4]), softmax(logits))).toBeLessThan(
      1e-14,
    );
    expect(relativeError(step(negativeEntropy, Float64Array.of(1), Float64Array.of(3), 1, []), [1])).toBe(0);
  });

  it('goes 0.99 of the way to where mean parameters end, and not beyond', () => {
    const mu = softmax(logits);
    const after = softmax(step(logPartition, logits, Float64Array.of(5, -5, 0, 0), 10, [4]));
    expect(after[0] / mu[0]).toBeCloseTo(0.01, 10);
  });

  it('of the user is what the user says', () => {
    // The cubic potential sum |w|^3 / 3 on positive numbers: grad G = w^2.
    const potential = {
      gradient: (weights: ArrayLike<number>) => Array.from(weights, (w) => w * w),
      inverseGradient: (dual: ArrayLike<number>) => Array.from(dual, Math.sqrt),
    };
    const map = mirrorMapOf([{ match: /scale/, potential }], 'my/scale')!;
    const after = step(map, Float64Array.of(2, 3), Float64Array.of(1, -1), 0.5, [2]);
    expect(relativeError(after, [Math.sqrt(3.5), Math.sqrt(9.5)])).toBeLessThan(1e-15);
    expect(() => step(map, Float64Array.of(2, 3), Float64Array.of(9, 0), 1, [2])).toThrow(
      errorWithCode('ERR_NATGRAD_NOT_FINITE'),
    );
    const short = mirrorMapOf([{ match: /a/, potential: { ...potential, gradient: () => [1] } }], 'a')!;
    expect(() => short.toDual(Float64Array.of(2, 3), [2])).toThrow(errorWithCode('ERR_NATGRAD_SHAPE'));
  });

  it('is chosen by the first rule that matches', () => {
    const rules = [
      { match: /fixed/, potential: 'quadratic' as const },
      { match: /mix/, potential: 'negativeEntropy' as const },
    ];
    expect(mirrorMapOf(rules, 'mixture')).toBe(negativeEntropy);
    expect(mirrorMapOf(rules, 'fixed/mixture')).toBeUndefined();
    expect(mirrorMapOf(rules, 'kernel')).toBeUndefined();
  });

  it('refuses rules that are none, and weights outside the simplex', () => {
    for (const rules of [
      [{ match: /a/ }],
      [{ potential: 'logPartition' }],
      [{ match: /a/, potential: 'cubic' }],
    ]) {
      expect(() => requirePotentials(rules)).toThrow(errorWithCode('ERR_NATGRAD_ARGUMENT'));
    }
    for (const rules of [{}, [null]]) {
      expect(() => requirePotentials(rules)).toThrow(errorWithCode('ERR_NATGRAD_TYPE'));
    }
    expect(() => negativeEntropy.toDual(Float64Array.of(0.5, 0), [2])).toThrow(
      errorWithCode('ERR_NATGRAD_ARGUMENT'),
    );
  });
});
