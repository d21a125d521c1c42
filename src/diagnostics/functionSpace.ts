/**
 * Natural gradients seen in the space of functions (R. Karakida and K. Osawa, "Understanding Approximate Fisher Information for Fast
 * Convergence of Natural Gradient Descent in Wide Neural Networks", NeurIPS 2020).
 *
 * With the Jacobian J [N C, p] of the outputs f in the weights, and residuals r = f - y of a half squared error, a step of length eta with
 * the metric G changes the outputs, to first order, by -eta K r with
 *
 *     K = (1/N) J (G + damping)^-1 J'.
 *
 * Where K = alpha I the metric is isotropic: every residual shrinks by 1 - eta alpha, whatever the data.
 */
import type * as tf from '@tensorflow/tfjs';

import { NatgradError } from '../errors';
import type { CurvatureView } from '../optimizer/curvatureView';
import { jacobian, type Jacobian, type Network } from './jacobian';
import { dot, innerProduct } from './vectors';

/** A symmetric matrix over the outputs of all examples, [size, size] row-major. */
export interface Kernel {
  values: Float64Array;
  size: number;
}

/** Anything with a curvature: a NaturalGradientOptimizer. */
export interface HasCurvature {
  curvature(): CurvatureView;
}

/**
 * K of an optimizer on a network, with the inverses that its next step would use, so that statistics must have been gathered first
 * (`optimizer.computeGradients(loss)` with `refresh: 'immediate'` on the same inputs, for the K of the paper).
 *
 * J is of the precision of tfjs, float32: an error of 6e-8 of each row, which the inverse raises by up to w / damping in its square (w the
 * eigenvalues of the Fisher matrix). With `precision: 'float64'` and a damping of 1e-7 w the deviation of an isotropic metric comes out
 * at about 1e-6. Sums are accumulated in float64.
 *
 * @param inputs the examples, or a Jacobian that was computed for them
 * @throws NatgradError ERR_NATGRAD_STATE if a block of the optimizer has no inverse yet
 */
export function functionSpaceKernel(
  optimizer: HasCurvature,
  network: Network,
  inputs: tf.Tensor,
  variables?: tf.Variable[],
): Kernel {
  return preconditionedKernel(optimizer, jacobian(network, inputs, variables));
}

/** As `functionSpaceKernel`, from a Jacobian. */
export function preconditionedKernel(optimizer: HasCurvature, { rows, examples }: Jacobian): Kernel {
  const curvature = optimizer.curvature();
  const values = new Float64Array(rows.length ** 2);
  rows.forEach((row, i) => {
    const direction = curvature.precondition(row);
    rows.forEach((other, j) => (values[i * rows.length + j] = innerProduct(other, direction) / examples));
  });
  return { values, size: rows.length };
}

/**
 * The empirical tangent kernel of each group of variables, Theta_l = J_l J_l' / N.
 *
 * @param groups names of the variables of each layer; default: every variable by itself
 */
export function tangentKernels({ rows, examples }: Jacobian, groups?: string[][]): Kernel[] {
  const size = rows.length;
  const names = groups ?? Object.keys(rows[0] ?? {}).map((name) => [name]);
  return names.map((group) => {
    const values = new Float64Array(size ** 2);
    for (let i = 0; i < size; i++) {
      for (let j = 0; j <= i; j++) {
        const product = group.reduce((sum, name) => sum + dot(rows[i][name], rows[j][name]), 0) / examples;
        values[i * size + j] = values[j * size + i] = product;
      }
    }
    return { values, size };
  });
}

/** How near a kernel is to a multiple of the identity. */
export interface Isotropy {
  /** The nearest multiple: the mean of the diagonal. The learning rate 1 / alpha reaches the targets in one step, to first order. */
  alpha: number;
  /** |K - alpha I|_F / |alpha I|_F; 0 where the metric is isotropic. */
  deviation: number;
}

/** @throws NatgradError ERR_NATGRAD_SHAPE for an empty kernel */
export function isotropy({ values, size }: Kernel): Isotropy {
  if (size === 0)
    throw new NatgradError('ERR_NATGRAD_SHAPE', 'kernel is empty; give one of an example or more.');
  let alpha = 0;
  for (let i = 0; i < size; i++) alpha += values[i * (size + 1)] / size;
  let square = 0;
  values.forEach((value, at) => (square += (value - (at % (size + 1) === 0 ? alpha : 0)) ** 2));
  return { alpha, deviation: Math.sqrt(square / size) / Math.abs(alpha) };
}

/**
 * The residuals that K predicts after each of some steps: r_t = (I - learningRate K)^t r_0, exact for a network that is linear in its
 * weights and for an infinitely wide one.
 *
 * @returns r_1 … r_steps
 * @throws NatgradError ERR_NATGRAD_SHAPE if the residual has not the kernel's size
 */
export function predictedResiduals(
  { values, size }: Kernel,
  residual: ArrayLike<number>,
  learningRate: number,
  steps = 1,
): Float64Array[] {
  if (residual.length !== size) {
    throw new NatgradError(
      'ERR_NATGRAD_SHAPE',
      `residual has ${residual.length} elements; give ${size}, as the kernel has.`,
    );
  }
  let current = Float64Array.from(residual);
  return Array.from({ length: steps }, () => {
    const previous = current;
    current = previous.map((value, i) => {
      let change = 0;
      for (let j = 0; j < size; j++) change += values[i * size + j] * previous[j];
      return value - learningRate * change;
    });
    return current;
  });
}

/** |after| / |before|: what fraction of the residual is left. */
export function contraction(before: ArrayLike<number>, after: ArrayLike<number>): number {
  return Math.sqrt(squared(after) / squared(before));
}

/** The metrics whose learning rate theory gives; see `optimalLearningRate`. */
export type Metric =
  'exact' | 'blockDiagonal' | 'truncatedTridiagonal' | 'kroneckerFactored' | 'blockTridiagonal' | 'unitWise';

/**
 * 1 / alpha of the infinitely wide network with one output (Karakida & Osawa 2020; for K-FAC with mean factors A and G):
 *
 *     exact 1,  block-diagonal 1/L,  truncated tri-diagonal 1/(1'T^-1 1),  K-FAC 1/((L-1) N + 1),  unit-wise 1/(gamma (L-1) M)
 *
 * with T the L x L matrix of ones on its three central diagonals, and gamma = 1/2 for ReLU, 1 otherwise. The block tri-diagonal K-FAC of
 * Martens & Grosse 2015, whose inverse is block tri-diagonal, has 1/N: what a layer adds to the next one vanishes as the factors have full
 * rank on the examples, but for the last two, which add 1 and N - 1.
 *
 * @param options `layers` L; `examples` N, for the two that are Kronecker factored; `width` M, for unit-wise; `activation` default 'relu'
 * @throws NatgradError ERR_NATGRAD_NOT_POSITIVE_DEFINITE for the truncated tri-diagonal metric of 2, 5, 8, … layers, where T is singular
 */
export function optimalLearningRate(
  metric: Metric,
  {
    layers,
    examples = 1,
    width = 1,
    activation = 'relu',
  }: { layers: number; examples?: number; width?: number; activation?: 'relu' | 'other' },
): number {
  switch (metric) {
    case 'exact':
      return 1;
    case 'blockDiagonal':
      return 1 / layers;
    case 'truncatedTridiagonal':
      return 1 / tridiagonalSum(layers);
    case 'kroneckerFactored':
      return 1 / ((layers - 1) * examples + 1);
    case 'blockTridiagonal':
      return 1 / examples;
    case 'unitWise':
      return 1 / ((activation === 'relu' ? 0.5 : 1) * (layers - 1) * width);
  }
}

/**
 * 1'T^-1 1. The solution of T x = 1 has x_{i-1} + x_i + x_{i+1} = 1 with x_0 = x_{L+1} = 0, so that x = (a, 1 - a, 0, a, 1 - a, 0, …): for
 * L = 3m it is a = 0, for L = 3m + 1 it is a = 1, and for L = 3m + 2 there is none.
 */
function tridiagonalSum(layers: number): number {
  if (layers % 3 === 2) {
    throw new NatgradError(
      'ERR_NATGRAD_NOT_POSITIVE_DEFINITE',
      `The truncated tri-diagonal Fisher matrix of ${layers} layers is singular, as that of 2, 5, 8, … layers is, so it has no learning rate.`,
    );
  }
  return Math.ceil(layers / 3);
}

function squared(values: ArrayLike<number>): number {
  let sum = 0;
  for (let at = 0; at < values.length; at++) sum += values[at] ** 2;
  return sum;
}
