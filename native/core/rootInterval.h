// Where the eigenvalues of a matrix lie whose root is wanted, and how far its iteration goes.
#pragma once

#include <algorithm>
#include <cmath>

#include "core/dampedMatrix.h"
#include "core/rootIteration.h"

namespace natgrad {

// How far the damping is trusted as a lower bound of the eigenvalues, and the norm as an upper one: rounding moves
// both.
constexpr double lowerSlack = 0.9;
constexpr double upperSlack = 1.001;

template <class T>
Interval intervalOf(const DampedMatrix& matrix, double damping) {
  const double upper = upperSlack * (matrix.upper + damping);
  // Without damping the smallest eigenvalue that means anything is assumed.
  const double lower = damping > 0 ? lowerSlack * damping : 10 * unitRoundoff<T> * upper;
  return {std::min(lower, upper) * matrix.scale, upper * matrix.scale};
}

// The same of the square root of the matrix.
inline Interval rootsOf(Interval interval) {
  return {lowerSlack * std::sqrt(interval.lower), upperSlack * std::sqrt(interval.upper)};
}

// Beyond this condition number the error of float32 passes one percent.
constexpr double singleIsEnough = 1e5;

// When an iteration in precision T stops.
template <class T, class S>
Stop stopOf(const InverseRootJob<S>& job) {
  return {job.tolerance > 0 ? job.tolerance : (sizeof(T) == 4 ? 1e-4 : 1e-10), job.maxIterations};
}

}  // namespace natgrad
