/**
 * The model that a step is chosen by: near the weights, with the step delta,
 *
 *     M(delta) - M(0) = 1/2 delta'C delta + gradient'delta,  C = F + damping + l2
 *
 * where F is the exact Fisher matrix of the batch (J. Martens and R. Grosse, "Optimizing neural networks with Kronecker-factored
 * approximate curvature", 2015, sections 6.4 and 7).
 */

import { dot, type Pieces } from './conjugateGradients';

/** The model on the plane of the steps alpha D + mu v: D is a proposed direction of descent and v the previous step. */
export interface QuadraticModel {
  /** D'C D, D'C v and v'C v. */
  curvature: { proposal: number; mixed: number; previous: number };
  /** gradient'D and gradient'v. */
  slope: { proposal: number; previous: number };
}

/** What the model is made of on that plane; vectors come in pieces, one array per variable. */
export interface PlaneTerms {
  /** D'F D, D'F v and v'F v. */
  fisher: QuadraticModel['curvature'];
  gradient: Pieces;
  proposal: Pieces;
  previous: Pieces;
  /** Per variable what is added to the diagonal of F: damping, and l2 where it is part of the objective. */
  diagonal: readonly number[];
}

export function quadraticModel({
  fisher,
  gradient,
  proposal,
  previous,
  diagonal,
}: PlaneTerms): QuadraticModel {
  const weighted = (a: Pieces, b: Pieces) =>
    diagonal.reduce((sum, weight, i) => (weight === 0 ? sum : sum + weight * dot([a[i]], [b[i]])), 0);
  return {
    curvature: {
      proposal: fisher.proposal + weighted(proposal, proposal),
      mixed: fisher.mixed + weighted(proposal, previous),
      previous: fisher.previous + weighted(previous, previous),
    },
    slope: { proposal: dot(gradient, proposal), previous: dot(gradient, previous) },
  };
}

/** A point of that plane. */
export interface StepCoefficients {
  /** alpha, what the proposal is multiplied by. */
  learningRate: number;
  /** mu, what the previous step is multiplied by. */
  momentum: number;
}

/** M(alpha D + mu v) - M(0) */
export function modelChange(model: QuadraticModel, { learningRate, momentum }: StepCoefficients): number {
  const { curvature, slope } = model;
  return (
    (curvature.proposal * learningRate ** 2 +
      2 * curvature.mixed * learningRate * momentum +
      curvature.previous * momentum ** 2) /
      2 +
    slope.proposal * learningRate +
    slope.previous * momentum
  );
}

/**
 * The coefficients that minimise the model (Martens & Grosse 2015, section 7):
 *
 *     [alpha; mu] = -[D'C D, D'C v; v'C D, v'C v]^-1 [gradient'D; gradient'v]
 *
 * With one of them given, the other minimises what remains. Where v says nothing beyond D (there is none yet, or the matrix is
 * singular) mu is 0 and alpha minimises the model along D; where the model does not curve along a direction its coefficient is 0.
 *
 * @param fixed coefficients that are not to be chosen
 */
export function minimiseModel(
  model: QuadraticModel,
  fixed: Partial<StepCoefficients> = {},
): StepCoefficients {
  const { curvature, slope } = model;
  if (fixed.learningRate !== undefined && fixed.momentum !== undefined) {
    return { learningRate: fixed.learningRate, momentum: fixed.momentum };
  }
  if (fixed.learningRate !== undefined) {
    const { learningRate } = fixed;
    const remaining = slope.previous + curvature.mixed * learningRate;
    return { learningRate, momentum: minimiser(curvature.previous, remaining) };
  }
  if (fixed.momentum !== undefined) {
    const { momentum } = fixed;
    const remaining = slope.proposal + curvature.mixed * momentum;
    return { learningRate: minimiser(curvature.proposal, remaining), momentum };
  }
  const { proposal: a, mixed: b, previous: c } = curvature;
  const determinant = a * c - b * b;
  // By Cauchy's inequality the determinant is at least 0; below this it is rounding of float32 products.
  if (!(a > 0 && c > 0 && determinant > 1e-10 * a * c)) {
    return { learningRate: minimiser(a, slope.proposal), momentum: 0 };
  }
  return {
    learningRate: -(c * slope.proposal - b * slope.previous) / determinant,
    momentum: -(a * slope.previous - b * slope.proposal) / determinant,
  };
}

/** The minimiser of 1/2 curvature x^2 + slope x; 0 where there is none. */
function minimiser(curvature: number, slope: number): number {
  const x = -slope / curvature;
  return curvature > 0 && Number.isFinite(x) ? x : 0;
}
