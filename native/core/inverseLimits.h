// How good an inverse is, by the norms of the matrix and the inverse.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/dampedMatrix.h"
#include "core/ladder.h"

namespace natgrad {

// A result in float32 is given up for one in float64 when its first-order error bound, the unit roundoff times the
// condition number, passes one percent; one in float64 only when no digit is left.
template <class T>
constexpr double acceptable = sizeof(T) == 4 ? 1e-2 : 1.0;

// The largest norm of the inverse with which that holds, and which can be stored in S, for a damped matrix of norm
// `norm`. The product of the norms of matrix and inverse is the condition number.
template <class S, class T>
double largestNorm(double norm) {
  return std::min(acceptable<T> / (unitRoundoff<T> * norm), static_cast<double>(std::numeric_limits<S>::max()));
}

// What the norms of the damped matrix and its inverse, NaN if there is none, tell.
template <class T>
Attempt judge(double norm, double inverseNorm, double limit) {
  Attempt attempt;
  if (std::isnan(inverseNorm)) return attempt;
  attempt.residual = unitRoundoff<T> * norm * inverseNorm;
  attempt.minEigenvalue = 1 / inverseNorm;
  attempt.accepted = inverseNorm <= limit;
  return attempt;
}

}  // namespace natgrad
